"""What a layer is, and how it is read: hooks on a model's blocks.

Layer ℓ < n of a model of n blocks is what enters block ℓ (layer 0: what the embeddings hand
over); layer n is the last block's raw output; ``final`` is the model's last hidden state where it
differs from layer n, that is, after a final norm. Hugging Face's ``hidden_states`` mostly says the
same, but not for every family and version, so the blocks themselves are read, and the comparison
is recorded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from probes.errors import InputError, unknown

Sink = Callable[[str, Tensor], None]


class LayerReader:
    """Reads any subset of a model's layers, and stops the forward pass after the highest one.

    Parameters
    ----------
    model : torch.nn.Module
        A Hugging Face model whose forward returns ``last_hidden_state``.
    n_layers : int
        Number of blocks, as its configuration says.
    inputs : dict
        Keyword arguments of a short forward pass (one text), by which the blocks are found.

    Attributes
    ----------
    names : tuple of str
        ``"0"`` … ``str(n_layers)``, and ``"final"`` where there is one.
    widths : dict of str to int
        Width of each layer.
    is_causal : bool
        Whether a state sees only what stands before it, by trial: the last token was changed.
    semantics : dict
        The verdict of the comparison with ``hidden_states``, for the fingerprint.

    Raises
    ------
    InputError
        If no list of blocks is found.

    Notes
    -----
    Threads may call `read` at the same time: what is recorded is kept a thread apart.
    """

    def __init__(self, model: nn.Module, n_layers: int, inputs: dict[str, Any]) -> None:
        self._model = model
        self.n_layers = n_layers
        self._local = threading.local()
        with torch.inference_mode():
            self._path, blocks = _find_blocks(model, n_layers, inputs)
            for block in blocks:
                block.register_forward_pre_hook(self._enter, with_kwargs=True)
                block.register_forward_hook(self._leave)
            self._describe(inputs)

    def _describe(self, inputs: dict[str, Any]) -> None:
        states: dict[str, Tensor] = {}
        every = [str(k) for k in range(self.n_layers + 1)]
        to_the_end = (*every, "final")
        with self._recording(to_the_end, lambda name, state: states.update({name: state.clone()})):
            output = self._model(**inputs, output_hidden_states=True)
        other = {**inputs, "input_ids": inputs["input_ids"].clone()}
        other["input_ids"][:, -1] = inputs["input_ids"][:, 0]
        changed = self._model(**other).last_hidden_state
        last = output.last_hidden_state
        shape = last.shape[:2]
        for name in every:
            if name not in states or states[name].shape[:2] != shape:
                raise InputError(
                    f"{type(self._model).__name__}: layer {name} was not seen in the shape "
                    f"(batch, tokens, width) of {tuple(shape)}; this family is not supported"
                )
        drift = (changed[:, :-1] - last[:, :-1]).norm()
        self.is_causal = bool(drift <= 1e-4 * last[:, :-1].norm())
        self.has_final = not torch.equal(states[str(self.n_layers)], last)
        self.names = (*every, "final") if self.has_final else tuple(every)
        self.widths = {name: states[name].shape[-1] for name in every}
        if self.has_final:
            self.widths["final"] = last.shape[-1]
        theirs = getattr(output, "hidden_states", None)
        agree = [
            bool(torch.equal(states[name], h)) for name, h in zip(every, theirs or (), strict=False)
        ]
        self.semantics = {
            "blocks": self._path,
            "layers": "layer l enters block l; layer n leaves the last block",
            "final": "after the final norm" if self.has_final else "none",
            "hidden_states_differ_at": [k for k, same in enumerate(agree) if not same]
            if theirs is not None and len(theirs) == len(every)
            else "no comparable hidden_states",
        }

    @contextmanager
    def _recording(self, layers: Sequence[str], sink: Sink) -> Iterator[None]:
        self._local.recorder = _Recorder(self.n_layers, layers, sink)
        try:
            yield
        finally:
            self._local.recorder = None

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        recorder = getattr(self._local, "recorder", None)
        if recorder is not None:
            recorder.enter(_hidden(args, kwargs))

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        recorder = getattr(self._local, "recorder", None)
        if recorder is not None:
            recorder.leave(_first(output))

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
            with self._recording(layers, sink):
                output = self._model(**inputs)
        except _Stop:
            return
        if "final" in layers:
            sink("final", output.last_hidden_state)


class _Stop(Exception):
    """Ends a forward pass when all wanted layers have been read."""


class _Recorder:
    """One forward pass: counts the blocks as they are entered, since blocks may be shared."""

    def __init__(self, n_layers: int, layers: Sequence[str], sink: Sink) -> None:
        self._n = n_layers
        self._wanted = set(layers)
        numbers = [int(name) for name in layers if name != "final"]
        self._last = n_layers + 1 if "final" in layers else max(numbers)
        self._sink = sink
        self._entered = 0

    def enter(self, state: Tensor) -> None:
        layer = self._entered
        self._entered += 1
        self._give(layer, state)

    def leave(self, state: Tensor) -> None:
        if self._entered == self._n:
            self._give(self._n, state)

    def _give(self, layer: int, state: Tensor) -> None:
        if str(layer) in self._wanted:
            self._sink(str(layer), state)
        if layer >= self._last:
            raise _Stop


def _hidden(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    candidates = (kwargs.get("hidden_states"), *args, *kwargs.values())
    for value in candidates:
        if isinstance(value, Tensor) and value.is_floating_point() and value.ndim == 3:
            return value
    raise InputError("a block of this model takes no hidden states of shape (batch, tokens, width)")


def _first(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output[0]


def _find_blocks(
    model: nn.Module, n_layers: int, inputs: dict[str, Any]
) -> tuple[str, list[nn.Module]]:
    """Find the list of modules whose calls in one forward pass number `n_layers`.

    A list of n blocks called once each, or (ALBERT) fewer blocks called over and over.
    """
    lists = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.ModuleList)]
    calls: dict[int, int] = {}
    handles = [
        block.register_forward_pre_hook(
            lambda module, _: calls.update({id(module): calls.get(id(module), 0) + 1})
        )
        for block in {id(b): b for _, blocks in lists for b in blocks}.values()
    ]
    try:
        model(**inputs)
    except (ValueError, TypeError, AttributeError) as error:  # it asks for pictures too
        raise InputError(
            f"{type(model).__name__} does not run on text alone ({error}); it is not supported"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    for name, blocks in sorted(lists, key=lambda item: item[0].count(".")):
        if len(blocks) and sum(calls.get(id(block), 0) for block in blocks) == n_layers:
            return name, list(blocks)
    raise InputError(
        f"{type(model).__name__}: found no list of modules that is called {n_layers} times, once "
        "a block, in a forward pass; this family is not supported"
    )


def parse_layers(spec: str, names: Sequence[str]) -> tuple[str, ...]:
    """Read a choice of layers, such as ``"0-6"``, ``"0,3,final"``, ``"-1"`` or ``"all"``.

    Parameters
    ----------
    spec : str
        Numbers, ranges (both ends included) and ``final``, with commas between; ``all`` for every
        layer that the model has. Negative numbers count from the last layer, -1.
    names : sequence of str
        The model's layers, as `LayerReader.names`.

    Returns
    -------
    tuple of str
        Without repetition, in the model's order.

    Raises
    ------
    InputError
        If a layer is not there. The message names the valid range.
    """
    top = max(int(name) for name in names if name != "final")
    chosen: set[str] = set()
    for part in (p.strip() for p in spec.split(",")):
        if part == "all":
            chosen.update(names)
        elif part == "final" and "final" in names:
            chosen.add("final")
        else:
            chosen.update(_numbers(part, top, spec, names))
    return tuple(name for name in names if name in chosen)


def _numbers(part: str, top: int, spec: str, names: Sequence[str]) -> list[str]:
    valid = f"layers of this model: 0-{top}" + (", final" if "final" in names else "")
    head, dash, tail = part.rpartition("-")
    try:
        if not dash or not head:
            first = last = int(part)
        else:
            first, last = int(head), int(tail)
    except ValueError:
        raise unknown(f"layer in {spec!r} ({valid})", part, ["all", *names]) from None
    if first < 0:
        first, last = first + top + 1, last + top + 1
    if not 0 <= first <= last <= top:
        raise InputError(f"unknown layer {part!r} in {spec!r}; {valid}")
    return [str(k) for k in range(first, last + 1)]
