"""What a layer is, and how it is read: hooks on a model's blocks.

Layer ℓ < n of a model of n blocks is what enters block ℓ (layer 0: what the embeddings hand
over); layer n is the last block's raw output; ``final`` is the model's last hidden state where it
differs from layer n, that is, after a final norm. Hugging Face's ``hidden_states`` mostly says the
same, but not for every family and version, so the blocks themselves are read, and the comparison
is recorded.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from probes.errors import InputError

Sink = Callable[[str, Tensor], None]


@dataclass(frozen=True, eq=False)
class Stack:
    """A run of blocks.

    Parameters
    ----------
    prefix : str
        What the names of its layers begin with: empty, or ``"encoder."`` and ``"decoder."`` where
        both are read.
    n_layers : int
        Number of blocks, as the configuration says.
    module : torch.nn.Module
        In which they are.
    """

    prefix: str
    n_layers: int
    module: nn.Module

    @property
    def numbered(self) -> tuple[str, ...]:
        """The names of its layers, without ``final``."""
        return tuple(f"{self.prefix}{k}" for k in range(self.n_layers + 1))


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
        self._local = threading.local()
        self._paths: dict[str, str] = {}
        self.blocks: dict[str, list[nn.Module]] = {}
        self._hooks: list[RemovableHandle] = []
        with torch.inference_mode():
            for stack in stacks:
                path, blocks = _find_blocks(model, stack, inputs)
                self._paths[stack.prefix], self.blocks[stack.prefix] = path, blocks
                for block in blocks:
                    self._hooks += [
                        block.register_forward_pre_hook(self._enter(stack), with_kwargs=True),
                        block.register_forward_hook(self._leave(stack)),
                    ]
            self._describe(inputs, changed)

    def release(self) -> None:
        """Leave the model as it was found; nothing can be read of it after that."""
        for hook in self._hooks:
            hook.remove()

    def _describe(self, inputs: dict[str, Any], changed: dict[str, Any]) -> None:
        states: dict[str, Tensor] = {}
        numbered = [name for stack in self._stacks for name in stack.numbered]
        recorder = _Recorder(
            self._stacks, [*numbered, "to the end"], lambda n, h: states.update({n: h.clone()})
        )
        with self._recording(recorder):
            output = self._model(**inputs, output_hidden_states=True)
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

    @contextmanager
    def _recording(self, recorder: _Recorder) -> Iterator[None]:
        self._local.recorder = recorder
        try:
            yield
        finally:
            self._local.recorder = None

    def _enter(self, stack: Stack) -> Callable[..., Any]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            recorder = getattr(self._local, "recorder", None)
            if recorder is None:
                return None
            new = recorder.enter(stack, _hidden(args, kwargs))
            return None if new is None else _with_hidden(args, kwargs, new)

        return hook

    def _leave(self, stack: Stack) -> Callable[..., Any]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            recorder = getattr(self._local, "recorder", None)
            new = None if recorder is None else recorder.leave(stack, _first(output))
            if new is None:
                return None
            return new if isinstance(output, Tensor) else (new, *output[1:])

        return hook

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
        try:
            with self._recording(_Recorder(self._stacks, layers, sink)):
                output = self._model(**inputs)
        except _Stop:
            return
        for stack in self._stacks:
            if f"{stack.prefix}final" in layers:
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
        recorder = _Recorder(self._stacks, ["to the end"], lambda n, h: None, put=(layer, states))
        with self._recording(recorder):
            last: Tensor = self._model(**inputs).last_hidden_state
        return last


class _Stop(Exception):
    """Ends a forward pass when all wanted layers have been read."""


class _Recorder:
    """One forward pass: counts the blocks as they are entered, since blocks may be shared."""

    def __init__(
        self,
        stacks: Sequence[Stack],
        layers: Sequence[str],
        sink: Sink,
        put: tuple[str, Tensor] | None = None,
    ) -> None:
        self._missing = set(layers)
        self._sink = sink
        self._put = put
        self._entered = dict.fromkeys((stack.prefix for stack in stacks), 0)

    def enter(self, stack: Stack, state: Tensor) -> Tensor | None:
        layer = self._entered[stack.prefix]
        self._entered[stack.prefix] += 1
        return self._give(f"{stack.prefix}{layer}", state)

    def leave(self, stack: Stack, state: Tensor) -> Tensor | None:
        if self._entered[stack.prefix] < stack.n_layers:
            return None
        return self._give(f"{stack.prefix}{stack.n_layers}", state)

    def _give(self, name: str, state: Tensor) -> Tensor | None:
        if name in self._missing:
            self._sink(name, state)
            self._missing.remove(name)
            if not self._missing:
                raise _Stop
        return self._put[1] if self._put is not None and self._put[0] == name else None


def _hidden(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    candidates = (kwargs.get("hidden_states"), *args, *kwargs.values())
    for value in candidates:
        if isinstance(value, Tensor) and value.is_floating_point() and value.ndim == 3:
            return value
    raise InputError("a block of this model takes no hidden states of shape (batch, tokens, width)")


def _with_hidden(
    args: tuple[Any, ...], kwargs: dict[str, Any], new: Tensor
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Put other hidden states where `_hidden` finds them."""
    old = _hidden(args, kwargs)
    if any(value is old for value in args):
        return tuple(new if value is old else value for value in args), kwargs
    return args, {k: new if value is old else value for k, value in kwargs.items()}


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


def _first(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _find_blocks(
    model: nn.Module, stack: Stack, inputs: dict[str, Any]
) -> tuple[str, list[nn.Module]]:
    """Find the list of modules that are the stack's blocks.

    A list of n blocks called once each, or (ALBERT) fewer blocks called over and over, of which
    each receives what the one before it gave. (Something may stand between two of them, such as
    DeBERTa's convolution; between all of them, it is no list of blocks.)
    """
    lists = [(name, m) for name, m in stack.module.named_modules() if isinstance(m, nn.ModuleList)]
    calls: list[_Call] = []
    handles = []
    for block in {id(b): b for _, blocks in lists for b in blocks}.values():
        handles.append(
            block.register_forward_hook(
                lambda module, args, kwargs, output: calls.append(
                    _Call(id(module), _state_in(args, kwargs), _state_out(output))
                ),
                with_kwargs=True,
            )
        )
    try:
        model(**inputs)
    except (ValueError, TypeError, AttributeError, IndexError, RuntimeError) as error:
        if re.search("out of memory|allocate memory", str(error)):
            raise
        dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
        raise InputError(  # it asks for pictures too, or its own code mixes types
            f"{type(model).__name__} does not run on text alone in {dtype} "
            f"({str(error).splitlines()[0]}); "
            + ("it is not supported" if dtype == "float32" else "choose --dtype float32")
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for name, blocks in sorted(lists, key=lambda item: item[0].count(".")):
        own = [call for call in calls if call.module in {id(block) for block in blocks}]
        if len(blocks) and len(own) == stack.n_layers:
            found.append((_chained(own), name, list(blocks)))
    if not found or max(share for share, *_ in found) < 0.5:
        raise InputError(
            f"{type(model).__name__}: found no list of modules that is called {stack.n_layers} "
            "times in a forward pass, each receiving what the one before it gave; this family is "
            "not supported"
        )
    _, path, chosen = max(found, key=lambda item: item[0])  # of a tie the first
    return path, chosen


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a module in a forward pass: the states that it was given, and gave."""

    module: int
    given: Tensor | None
    gave: Tensor | None


def _state_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
    try:
        return _hidden(args, kwargs)
    except InputError:
        return None


def _state_out(output: Any) -> Tensor | None:
    first = output if isinstance(output, Tensor) or not output else output[0]
    return first if isinstance(first, Tensor) else None


def _chained(calls: Sequence[_Call]) -> float:
    """Share of the calls that were given what the one before gave; 1 of a single call."""
    if any(call.given is None or call.gave is None for call in calls):
        return 0.0
    pairs = list(itertools.pairwise(calls))
    same = [a.gave.shape == b.given.shape and torch.equal(a.gave, b.given) for a, b in pairs]  # type: ignore[union-attr,arg-type]
    return sum(same) / len(same) if same else 1.0
