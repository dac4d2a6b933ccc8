"""Networks of one's own: a module of torch, its feature points, and how images become pixels."""

from __future__ import annotations

import copy
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from probes.encoders.pixels import Pixels
from probes.errors import InputError

PREFIX = "python:"


@dataclass(frozen=True, eq=False)
class Network:
    """A network that is no model of Hugging Face.

    Parameters
    ----------
    module : torch.nn.Module
        With its weights, on the CPU, in float32; its forward takes pixels alone.
    layers : mapping of str to str
        A name for each layer, and the path of the submodule whose output it is, in the order in
        which they run.
    pixels : Pixels
        How images become pixels.
    """

    module: nn.Module
    layers: Mapping[str, str]
    pixels: Pixels

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module) or not isinstance(self.pixels, Pixels):
            raise InputError(
                f"a network of {type(self.module).__name__} with {type(self.pixels).__name__}; "
                "expected a torch.nn.Module, names with submodules' paths, and "
                "probes.encoders.pixels.Pixels"
            )


def is_reference(name: str) -> bool:
    """Whether a model's name is a reference to a function of Python."""
    return name.startswith(PREFIX)


def load_network(reference: str) -> Network:
    """Call the function that a reference names.

    Parameters
    ----------
    reference : str
        ``python:FILE.py:FUNCTION``, or ``python:MODULE:FUNCTION`` of an installed module. The
        function takes no arguments and gives a `Network`.

    Returns
    -------
    Network
        As the function made it.

    Raises
    ------
    InputError
        If there is no such file, module or function, or it fails, or gives something else.

    Notes
    -----
    This runs the code that is named, as ``python FILE.py`` would, and no other: nothing is looked
    for in the working folder, and nothing that is downloaded is ever run.
    """
    where, _, function = reference.removeprefix(PREFIX).rpartition(":")
    if not where or not function.isidentifier():
        raise InputError(
            f"the model {reference!r}: expected python:FILE.py:FUNCTION or python:MODULE:FUNCTION"
        )
    make = getattr(_imported(where, reference), function, None)
    if not callable(make):
        raise InputError(f"the model {reference!r}: {where} has no function {function!r}")
    try:
        network = make()
    except Exception as error:  # whatever the user's own code does
        raise InputError(
            f"the model {reference!r}: {function} failed with {type(error).__name__}: {error}"
        ) from error
    if not isinstance(network, Network):
        raise InputError(
            f"the model {reference!r}: {function} gave {type(network).__name__}; expected "
            "probes.encoders.network.Network(module, layers, pixels)"
        )
    return network


def _imported(where: str, reference: str) -> ModuleType:
    path = Path(where)
    try:
        if path.suffix != ".py":
            return importlib.import_module(where)
        if not path.is_file():
            raise InputError(f"the model {reference!r}: there is no file {where}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None  # the suffix is known
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except InputError:
        raise
    except Exception as error:  # whatever the user's own code does when it is imported
        raise InputError(
            f"the model {reference!r}: {where} does not import "
            f"({type(error).__name__}: {error}); name a file by its path, or an installed module"
        ) from error


def redrawn(network: Network, seed: int) -> Network:
    """Copy a network and draw its weights anew, each submodule's as torch draws them.

    Parameters
    ----------
    network : Network
        Stays as it is.
    seed : int
        Decides the draw.

    Returns
    -------
    Network
        Of the same architecture; running statistics are as they begin.

    Raises
    ------
    InputError
        If some submodule holds weights of its own and cannot draw them.
    """
    module = copy.deepcopy(network.module)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for path, part in module.named_modules():
            own = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
            elif own:
                raise InputError(
                    f"random weights: the submodule {path or 'itself'!r} "
                    f"({type(part).__name__}) holds weights and has no reset_parameters; give it "
                    "that method, or go without the random model (--no-random-model)"
                )
    return Network(module, network.layers, network.pixels)


def restore(module: nn.Module, path: Path) -> None:
    """Put weights into a module.

    Parameters
    ----------
    module : torch.nn.Module
        Whose weights are replaced.
    path : Path
        Of a safetensors file.

    Raises
    ------
    InputError
        If the file is not there or damaged, or its weights are of another architecture.
    """
    try:
        missing, strange = safetensors.torch.load_model(module, str(path), strict=False)
    except (OSError, SafetensorError, RuntimeError) as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise InputError(f"{path} does not fit {type(module).__name__}: {first}") from error
    if missing or strange:
        names = ", ".join(sorted([*missing, *strange])[:3])
        raise InputError(
            f"{path} does not fit {type(module).__name__}: {len(missing)} weights are not there, "
            f"{len(strange)} are of another network ({names}, …)"
        )
