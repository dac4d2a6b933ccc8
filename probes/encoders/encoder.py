"""What a layer is, and how it is read: hooks on a model's blocks.

Layer ℓ < n of a model of n blocks is what enters block ℓ (layer 0: what the embeddings hand
over); layer n is the last block's raw output; ``final`` is the model's last hidden state where it
differs from layer n, that is, after a final norm. Hugging Face's ``hidden_states`` mostly says the
same, but not for every family and version, so the blocks themselves are read, and the comparison
is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from probes.encoders.blocks import find_blocks, module_lists
from probes.encoders.hooks import TO_THE_END, Hooks, Sink, Stack
from probes.errors import InputError


class LayerReader:
    """Reads any subset of a model's layers, and stops the forward pass after the highest one.

    Parameters
    ----------
    model : torch.nn.Module
        A Hugging Face model whose forward returns ``last_hidden_state``.
    stacks : sequence of Stack
        Its blocks, in the order in which they run.
    inputs, changed : dict
        Keyword arguments of two short forward passes of at least two rows, alike but for the last
        token of each row: by them the blocks are found, and what a state sees.

    Attributes
    ----------
    names : tuple of str
        For each stack ``"0"`` … ``str(n_layers)``, and ``"final"`` where there is one.
    widths : dict of str to int
        Width of each layer.
    n_layers : int
        Number of blocks of the longest stack.
    blocks : dict of str to list of torch.nn.Module
        The blocks of each stack, by its prefix.
    is_causal : bool
        Whether a state sees only what stands before it, by trial: the last token was changed.
    semantics : dict
        The verdict of the comparison with ``hidden_states``, for the fingerprint.

    Raises
    ------
    InputError
        If no list of blocks is found, or a layer does not hold a state for each row and token.

    Notes
    -----
    Threads may call `read` at the same time: what is recorded is kept a thread apart.
    """

    def __init__(
        self,
        model: nn.Module,
        stacks: Sequence[Stack],
        inputs: dict[str, Any],
        changed: dict[str, Any],
    ) -> None:
        self._model = model
        self._stacks = tuple(stacks)
        self.n_layers = max(stack.n_layers for stack in stacks)
        self._hooks = Hooks(model)
        self._paths: dict[str, str] = {}
        self.blocks: dict[str, list[nn.Module]] = {}
        with torch.inference_mode():
            for stack in stacks:
                path, blocks = _find_blocks(model, stack, inputs)
                self._paths[stack.prefix], self.blocks[stack.prefix] = path, blocks
                self._hooks.on_blocks(stack, blocks)
            self._describe(inputs, changed)

    def release(self) -> None:
        """Leave the model as it was found; nothing can be read of it after that."""
        self._hooks.remove()

    def _describe(self, inputs: dict[str, Any], changed: dict[str, Any]) -> None:
        states: dict[str, Tensor] = {}
        numbered = [name for stack in self._stacks for name in stack.numbered]
        output = self._hooks.read(
            {**inputs, "output_hidden_states": True},
            [*numbered, TO_THE_END],
            lambda n, h: states.update({n: h.clone()}),
        )
        last = getattr(output, "last_hidden_state", None)
        if last is None:
            raise InputError(
                f"{type(self._model).__name__} gives no last_hidden_state; it is not supported"
            )
        self._require_shapes(states, inputs)
        drift = (self._model(**changed).last_hidden_state[:, :-1] - last[:, :-1]).norm()
        self.is_causal = bool(drift <= 2e-6 * last[:, :-1].norm())
        names: list[str] = []
        self.widths: dict[str, int] = {}
        self.semantics: dict[str, Any] = {
            "layers": "layer l enters block l; layer n leaves the last block"
        }
        for stack in self._stacks:
            top = _last_of(output, stack.prefix)
            has_final = not torch.equal(states[stack.numbered[-1]], top)
            self.semantics[f"{stack.prefix}blocks"] = self._paths[stack.prefix]
            self.semantics[f"{stack.prefix}final"] = (
                "differs from layer n (a final norm, or a projection)" if has_final else "none"
            )
            self.semantics[f"{stack.prefix}hidden_states_differ_at"] = _differences(
                output, stack, states
            )
            self.widths |= {name: states[name].shape[-1] for name in stack.numbered}
            names += stack.numbered
            if has_final:
                names.append(f"{stack.prefix}final")
                self.widths[f"{stack.prefix}final"] = top.shape[-1]
        self.names = tuple(names)

    def _require_shapes(self, states: dict[str, Tensor], inputs: dict[str, Any]) -> None:
        for stack in self._stacks:
            ids = inputs["decoder_input_ids" if _decodes(stack, inputs) else "input_ids"]
            for name in stack.numbered:
                if name not in states or states[name].shape[:2] != ids.shape:
                    came = "not seen" if name not in states else tuple(states[name].shape)
                    raise InputError(
                        f"{type(self._model).__name__}: layer {name}, expected as (batch, tokens, "
                        f"width) with {tuple(ids.shape)}, was {came}; this family is not supported"
                    )

    def read(self, inputs: dict[str, Any], layers: Sequence[str], sink: Sink) -> None:
        """Run the model and hand each wanted layer to `sink`, as soon as it is there.

        Parameters
        ----------
        inputs : dict
            Keyword arguments of the model's forward.
        layers : sequence of str
            Some of `names`. Blocks above the highest of them are not computed.
        sink : callable
            Is called with the layer's name and its states, of shape (batch, tokens, width). The
            model goes on to write into its memory: what is to be kept must be copied.
        """
        output = self._hooks.read(inputs, layers, sink)
        for stack in self._stacks:
            if output is not None and f"{stack.prefix}final" in layers:
                sink(f"{stack.prefix}final", _last_of(output, stack.prefix))

    def run_from(self, inputs: dict[str, Any], layer: str, states: Tensor) -> Tensor:
        """Run the model with the states of one layer put in.

        Parameters
        ----------
        inputs : dict
            Keyword arguments of the model's forward; what stands beside the states (positions,
            masks, the other half of an encoder-decoder) is computed from them.
        layer : str
            One of `names`, other than ``final``.
        states : Tensor of shape (batch, tokens, width)
            What enters block ℓ, or leaves the last one, in place of the model's own.

        Returns
        -------
        Tensor of shape (batch, tokens, width)
            The last hidden state. The model's own states give its own output, bit for bit.
        """
        last: Tensor = self._hooks.put(inputs, layer, states).last_hidden_state
        return last


def _decodes(stack: Stack, inputs: dict[str, Any]) -> bool:
    return "decoder_input_ids" in inputs and stack.prefix != "encoder."


def _last_of(output: Any, prefix: str) -> Tensor:
    last: Tensor = (
        output.encoder_last_hidden_state if prefix == "encoder." else output.last_hidden_state
    )
    return last


def _differences(output: Any, stack: Stack, states: dict[str, Tensor]) -> list[int] | str:
    """Compare a stack's layers with the `hidden_states` that the model itself returns."""
    for field in (f"{stack.prefix.rstrip('.') or 'decoder'}_hidden_states", "hidden_states"):
        theirs = getattr(output, field, None)
        if theirs is not None:
            break
    if theirs is None or len(theirs) != len(stack.numbered):
        return "no comparable hidden_states"
    pairs = zip(stack.numbered, theirs, strict=True)
    return [k for k, (name, h) in enumerate(pairs) if not torch.equal(states[name], h)]


def _find_blocks(
    model: nn.Module, stack: Stack, inputs: dict[str, Any]
) -> tuple[str, list[nn.Module]]:
    """Find the stack's blocks, or say why the model does not run."""

    def run() -> object:
        try:
            return model(**inputs)
        except (ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
            if re.search("out of memory|allocate memory", str(error)):
                raise
            dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
            raise InputError(  # it asks for pictures too, or its own code mixes types
                f"{type(model).__name__} does not run on text alone in {dtype} "
                f"({str(error).splitlines()[0]}); "
                + ("it is not supported" if dtype == "float32" else "choose --dtype float32")
            ) from error

    return find_blocks(model, stack, module_lists(stack.module), run)
