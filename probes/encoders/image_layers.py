"""What a layer of a vision model is, and how it is read.

Layers are counted as in text models (`probes.encoders.encoder`): layer ℓ < n is what enters block
ℓ, layer n the last block's raw output, ``final`` what follows a final norm. Blocks are the
transformer's, or the residual blocks of all stages in one run, so that widths differ by stage; what
stands between two stages (a step down) belongs to neither layer. States are (images, positions,
width): tokens as they are, a feature map with a position for each place of its grid.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from probes.encoders.blocks import Lists, find_blocks, module_lists, staged_lists
from probes.encoders.hooks import TO_THE_END, Hooks, Sink, Stack
from probes.encoders.positions import as_positions
from probes.errors import InputError

NDIMS = (3, 4)
"""Of states: (images, tokens, width), or (images, width, height, width of the map)."""


@dataclass(frozen=True)
class End:
    """How a model's last states are had from what it returns: ``final``, or layer n.

    Parameters
    ----------
    how : {"as returned", "norm", "pooled"}
        The last hidden state as it is; that after a norm which the model itself applies to [CLS]
        alone (CLIP); or the vector that the model makes of it (the norm of its mean: ConvNeXt).
    path : str
        Of the norm.
    differs : bool
        Whether it is other than layer n.
    """

    how: Literal["as returned", "norm", "pooled"]
    path: str = ""
    differs: bool = True

    def __call__(self, model: nn.Module, output: Any) -> Tensor:
        """Give them, with as many dimensions as they have there."""
        if self.how == "pooled":
            pooled: Tensor = output.pooler_output
            return pooled.flatten(1)
        last: Tensor = output.last_hidden_state
        return last if self.how == "as returned" else model.get_submodule(self.path)(last)

    def __str__(self) -> str:
        if not self.differs:
            return "none"
        return {
            "as returned": "differs from layer n (a final norm)",
            "norm": f"layer n after {self.path}, at every position",
            "pooled": "the norm of layer n's mean over space",
        }[self.how]


class ImageReader:
    """Reads any subset of the layers of a Hugging Face vision model.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Whose forward takes ``pixel_values``.
    trial : Tensor of shape (2, channels, height, width)
        Two images that differ everywhere.

    Attributes
    ----------
    names : tuple of str
        ``"0"`` … ``str(n_layers)``, and ``"final"`` where there is one.
    widths : dict of str to int
        Width of each layer.
    n_layers : int
        Number of blocks.
    n_special : int
        How many positions stand before the patches ([CLS], registers), by trial: those that at
        layer 0 do not depend on the image.
    blocks : dict of str to list of torch.nn.Module
        The blocks, under the empty prefix.
    path : str
        Of the list of blocks; ``A.*.B`` where they lie in stages ``A.0``, ``A.1``, ….
    end : End
        How its last states are had.
    semantics : dict
        What the layers are, for the fingerprint.

    Raises
    ------
    InputError
        If its blocks are not found, or a layer holds something else than states.
    """

    def __init__(self, model: nn.Module, trial: Tensor) -> None:
        self._model = model
        stack = Stack("", _number_of_blocks(model), model)
        self.n_layers = stack.n_layers
        self._hooks = Hooks(model, NDIMS)
        with torch.inference_mode():
            self.path, blocks = _find(model, stack, trial)
            self._hooks.on_blocks(stack, blocks)
            self.blocks = {"": blocks}
            self._describe(stack, trial)

    def _describe(self, stack: Stack, trial: Tensor) -> None:
        states: dict[str, Tensor] = {}
        output = self._hooks.read(
            {"pixel_values": trial, "output_hidden_states": True},
            [*stack.numbered, TO_THE_END],
            lambda n, h: states.update({n: h.clone()}),
        )
        self._shapes = {name: (tuple(h.shape[1:]), _order(h)) for name, h in states.items()}
        channels = set(getattr(self._model.config, "hidden_sizes", None) or ())
        for name in stack.numbered:
            h = states.get(name)
            if h is None or (h.ndim == 4 and channels and h.shape[1] not in channels):
                came = "not seen" if h is None else tuple(h.shape)
                raise InputError(
                    f"{type(self._model).__name__}: layer {name}, expected as (images, tokens, "
                    f"width) or (images, width, height, width of the map), was {came}; this "
                    "family is not supported"
                )
        top = states[stack.numbered[-1]]
        self.end = _end_of(self._model, output, top)
        self.n_special = _special(states["0"], type(self._model).__name__)
        self.names = (*stack.numbered, "final") if self.end.differs else stack.numbered
        self.widths = {name: as_positions(states[name]).shape[2] for name in stack.numbered}
        if self.end.differs:
            self.widths["final"] = as_positions(self.finish(output)).shape[2]
        theirs = getattr(output, "hidden_states", None)
        self.semantics: dict[str, Any] = {
            "layers": "layer l enters block l; layer n leaves the last block",
            "blocks": self.path,
            "final": str(self.end),
            "special positions": self.n_special,
            "hidden_states_differ_at": "no comparable hidden_states"
            if theirs is None or len(theirs) != len(stack.numbered)
            else [k for k, h in enumerate(theirs) if not torch.equal(h, states[str(k)])],
        }

    def finish(self, output: Any) -> Tensor:
        """Give the last states of what the model returned; as `End`."""
        return self.end(self._model, output)

    def remove(self) -> None:
        """Take the hooks off the model, which can then be copied, and no more be read here."""
        self._hooks.remove()

    def read(self, pixels: Tensor, layers: Sequence[str], sink: Sink) -> None:
        """Run the model and hand each wanted layer to `sink`, as soon as it is there.

        Parameters
        ----------
        pixels : Tensor of shape (images, channels, height, width)
            On the model's device, in its type.
        layers : sequence of str
            Some of `names`. Blocks above the highest of them are not computed.
        sink : callable
            Is called with the layer's name and its states, of shape (images, positions, width).
        """
        output = self._hooks.read(
            {"pixel_values": pixels}, layers, lambda n, h: sink(n, as_positions(h))
        )
        if output is not None and "final" in layers:
            sink("final", as_positions(self.finish(output)))

    def run_from(self, pixels: Tensor, layer: str, states: Tensor) -> Tensor:
        """Run the model with the states of one layer put in; give its last states."""
        shape, form = self._shapes[layer]
        if len(shape) == 3:
            states = states.transpose(1, 2)
        put = states.new_empty((len(states), *shape)).to(memory_format=form)
        put.copy_(states.reshape(put.shape))
        return as_positions(self.finish(self._hooks.put({"pixel_values": pixels}, layer, put)))


class PointReader:
    """Reads named points of any module: what some of its submodules give.

    Parameters
    ----------
    module : torch.nn.Module
        Whose forward takes pixels alone.
    layers : mapping of str to str
        A name for each point, and the path of the submodule whose output it is, in the order in
        which they run.
    trial : Tensor of shape (2, channels, height, width)
        Two images that differ everywhere.

    Attributes
    ----------
    names, widths, n_layers, n_special, blocks, semantics
        As of `ImageReader`; there are no blocks, and `n_layers` is the number of points less one.
    points : dict of str to torch.nn.Module
        The submodules, by the names of their layers.

    Raises
    ------
    InputError
        If a name or a path cannot be used, a submodule does not run once in a pass, or gives
        something else than states.
    """

    def __init__(self, module: nn.Module, layers: Mapping[str, str], trial: Tensor) -> None:
        points = _points(module, layers)
        calls: list[str] = []
        handles = [
            point.register_forward_hook(lambda m, a, o, name=name: calls.append(name))
            for name, point in points.items()
        ]
        with torch.inference_mode():
            module(trial)
        for handle in handles:
            handle.remove()
        for name, path in layers.items():
            if calls.count(name) != 1:
                raise InputError(
                    f"the submodule {path!r} (layer {name!r}) runs {calls.count(name)} times in a "
                    "forward pass; name one that runs once"
                )
        if calls != list(layers):
            raise InputError(
                f"the layers run in the order {', '.join(calls)}; name them in that order"
            )
        self.points = points
        self._first = _first_parameter(module)
        self._hooks = Hooks(module, (2, *NDIMS))
        for name, point in points.items():
            self._hooks.on_output(name, point)
        self.names = tuple(layers)
        self.n_layers, self.n_special = len(layers) - 1, 0
        self.blocks: dict[str, list[nn.Module]] = {}
        self.semantics: dict[str, Any] = {"layers": f"what these submodules give: {dict(layers)}"}
        self.widths: dict[str, int] = {}
        with torch.inference_mode():
            self.read(trial, self.names, lambda n, h: self.widths.update({n: h.shape[2]}))

    def remove(self) -> None:
        """Take the hooks off the module; as `ImageReader.remove`."""
        self._hooks.remove()

    def read(self, pixels: Tensor, layers: Sequence[str], sink: Sink) -> None:
        """As `ImageReader.read`."""
        self._hooks.read(
            {self._first: pixels}, layers, lambda n, h: sink(n, as_positions(h, f"layer {n!r}"))
        )


def _order(states: Tensor) -> torch.memory_format:
    """Say in which order a map lies in memory: convolutions round otherwise in another."""
    is_last = states.ndim == 4 and not states.is_contiguous()
    return torch.channels_last if is_last else torch.contiguous_format


def _number_of_blocks(model: Any) -> int:
    depths = getattr(model.config, "depths", None)
    if depths is not None:
        return int(sum(depths))
    n = getattr(model.config, "num_hidden_layers", None)
    if not isinstance(n, int):
        raise InputError(
            f"the configuration of {type(model).__name__} does not say how many blocks it has"
        )
    return n


def _find(model: Any, stack: Stack, trial: Tensor) -> tuple[str, list[nn.Module]]:
    depths = getattr(model.config, "depths", None)
    lists: Lists = module_lists(model) if depths is None else staged_lists(model, depths)
    return find_blocks(
        model,
        stack,
        lists,
        lambda: model(pixel_values=trial),
        ndims=NDIMS,
        least=0.5 if depths is None else 0.0,  # the names of the stages say which they are
    )


def _end_of(model: nn.Module, output: Any, top: Tensor) -> End:
    """Say how the model's last states are had, and whether they differ from layer n."""
    if not torch.equal(output.last_hidden_state, top):
        return End("as returned")
    for path, _ in model.named_modules():
        if path.rpartition(".")[2] == "post_layernorm":
            return End("norm", path)
    pooled = getattr(output, "pooler_output", None)
    if top.ndim == 4 and pooled is not None:
        mean, pooled = top.mean((2, 3)), pooled.flatten(1)
        if pooled.shape != mean.shape or (pooled - mean).norm() > 1e-4 * mean.norm():
            return End("pooled")
    return End("as returned", differs=False)


def _special(states: Tensor, family: str) -> int:
    """Count the positions before the patches: those that are alike for different images."""
    if states.ndim == 4:
        return 0
    difference = (states[0] - states[1]).norm(dim=-1)
    alike = (difference <= 1e-6 * states[0].norm(dim=-1)).tolist()
    n = sum(alike)
    if alike[:n] != [True] * n or n == len(alike):
        raise InputError(
            f"{family}: the positions that do not depend on the image do not stand before the "
            "others; this family is not supported"
        )
    return n


def _points(module: nn.Module, layers: Mapping[str, str]) -> dict[str, nn.Module]:
    if not layers:
        raise InputError(
            "no layer is named; give at least one, such as layers={'features': 'pool'}"
        )
    points = {}
    for name, path in layers.items():
        if not name.isidentifier():
            raise InputError(f"the layer name {name!r}: expected letters, digits and underscores")
        try:
            points[name] = module.get_submodule(path)
        except AttributeError:
            near = [n for n, _ in module.named_modules() if n.startswith(path.partition(".")[0])]
            shown = ", ".join((near or [n for n, _ in module.named_children()])[:12])
            raise InputError(
                f"layer {name!r}: {type(module).__name__} has no submodule {path!r}; there are "
                f"{shown}, …"
            ) from None
    return points


def _first_parameter(module: nn.Module) -> str:
    return next(iter(inspect.signature(module.forward).parameters))
