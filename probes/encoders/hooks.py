"""Hooks on a model: hand over what passes its blocks, put other states in, stop early.

What is shared by every kind of encoder: how a model's blocks are found, `probes.encoders.blocks`;
what its layers are, `probes.encoders.encoder` (text) and `probes.encoders.image_layers`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from probes.errors import InputError

Sink = Callable[[str, Tensor], None]

TO_THE_END = "to the end"
"""Among the layers asked for: no name, so that the forward pass is never stopped."""


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


class Hooks:
    """Hooks on blocks and on single modules of a model.

    Parameters
    ----------
    model : torch.nn.Module
        What is run.
    ndims : tuple of int
        Numbers of dimensions that a state may have: 3 for (batch, tokens, width), 4 for feature
        maps.

    Notes
    -----
    Threads may run the model at the same time: what is recorded is kept a thread apart. Without
    `read` or `put`, the hooks do nothing.
    """

    def __init__(self, model: nn.Module, ndims: tuple[int, ...] = (3,)) -> None:
        self._model = model
        self._ndims = ndims
        self._local = threading.local()
        self._stacks: list[Stack] = []
        self._handles: list[RemovableHandle] = []

    def on_blocks(self, stack: Stack, blocks: Sequence[nn.Module]) -> None:
        """Hook a stack's blocks, each once, in the order in which they run."""
        self._stacks.append(stack)
        for block in blocks:
            enter, leave = self._enter(stack), self._leave(stack)
            self._handles.append(block.register_forward_pre_hook(enter, with_kwargs=True))
            self._handles.append(block.register_forward_hook(leave))

    def on_output(self, name: str, module: nn.Module) -> None:
        """Hook what a module gives: a layer of that name."""

        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            recorder = getattr(self._local, "recorder", None)
            if recorder is not None:
                recorder.give(name, first_of(output))

        self._handles.append(module.register_forward_hook(hook))

    def remove(self) -> None:
        """Take all hooks off, so that the model can be copied."""
        while self._handles:
            self._handles.pop().remove()

    def read(self, inputs: dict[str, Any], layers: Sequence[str], sink: Sink) -> Any:
        """Run the model and hand each wanted layer to `sink`, as soon as it is there.

        Parameters
        ----------
        inputs : dict
            Keyword arguments of the model's forward.
        layers : sequence of str
            Names; when all have been handed over, the pass is stopped.
        sink : callable
            Is called with the layer's name and its states. The model goes on to write into their
            memory: what is to be kept must be copied.

        Returns
        -------
        object
            What the model returned; None where the pass was stopped.
        """
        try:
            return self._run(_Recorder(self._stacks, layers, sink), inputs)
        except _Stop:
            return None

    def put(self, inputs: dict[str, Any], layer: str, states: Tensor) -> Any:
        """Run the model with other states in place of a layer's; give what it returns."""
        recorder = _Recorder(self._stacks, [TO_THE_END], lambda n, h: None, put=(layer, states))
        return self._run(recorder, inputs)

    def _run(self, recorder: _Recorder, inputs: dict[str, Any]) -> Any:
        with self._recording(recorder):
            return self._model(**inputs)

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
            new = recorder.enter(stack, state_in(args, kwargs, self._ndims))
            return None if new is None else _with_state(args, kwargs, new, self._ndims)

        return hook

    def _leave(self, stack: Stack) -> Callable[..., Any]:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            recorder = getattr(self._local, "recorder", None)
            new = None if recorder is None else recorder.leave(stack, first_of(output))
            if new is None:
                return None
            return new if isinstance(output, Tensor) else (new, *output[1:])

        return hook


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
        return self.give(f"{stack.prefix}{layer}", state)

    def leave(self, stack: Stack, state: Tensor) -> Tensor | None:
        if self._entered[stack.prefix] < stack.n_layers:
            return None
        return self.give(f"{stack.prefix}{stack.n_layers}", state)

    def give(self, name: str, state: Tensor) -> Tensor | None:
        if name in self._missing:
            self._sink(name, state)
            self._missing.remove(name)
            if not self._missing:
                raise _Stop
        return self._put[1] if self._put is not None and self._put[0] == name else None


def state_in(
    args: tuple[Any, ...], kwargs: dict[str, Any], ndims: tuple[int, ...] = (3,)
) -> Tensor:
    """Find the states among the arguments of a block."""
    candidates = (kwargs.get("hidden_states"), *args, *kwargs.values())
    for value in candidates:
        if isinstance(value, Tensor) and value.is_floating_point() and value.ndim in ndims:
            return value
    raise InputError("a block of this model takes no hidden states of shape (batch, tokens, width)")


def _with_state(
    args: tuple[Any, ...], kwargs: dict[str, Any], new: Tensor, ndims: tuple[int, ...]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Put other states where `state_in` finds them."""
    old = state_in(args, kwargs, ndims)
    if any(value is old for value in args):
        return tuple(new if value is old else value for value in args), kwargs
    return args, {k: new if value is old else value for k, value in kwargs.items()}


def first_of(output: Any) -> Tensor:
    """Give the states among what a block returns."""
    return output if isinstance(output, Tensor) else output[0]
