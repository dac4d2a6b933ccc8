"""One vector an image from the top of a vision model, with gradients: what fine-tuning changes."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import safetensors.torch
import torch
from torch import Tensor, nn

from probes.choices import FeaturePooling, ImagePooling
from probes.encoders.embedding import Embedding, embedding_of, without_embedding
from probes.encoders.image_layers import End, ImageReader, PointReader
from probes.encoders.load_image import load_image_model
from probes.encoders.network import Network, is_reference, load_network, redrawn, restore
from probes.encoders.pixels import Pixels, ToPixels, pixels_of
from probes.encoders.positions import as_positions, pool_positions, require_pooling
from probes.encoders.sections import network_sections, sections
from probes.encoders.trial import noise
from probes.errors import InputError
from probes.images import Images, pictures_of

ABOUT, WEIGHTS = "features.json", "network.safetensors"
"""What `save` writes beside a model of Hugging Face, and in place of one."""


class ImageFeatures:
    """The pooled top of a vision model: of the same vectors as `ImageEncoder`, with gradients.

    Use `from_pretrained`, `from_module` or `load`.

    Parameters
    ----------
    module : torch.nn.Module
        In float32, without hooks.
    to_pixels : ToPixels
        Makes what it is given.
    width : int
        Of the pooled vector.
    pooling : {"cls", "mean", "patch", "embedding"}
        As `ImageEncoder.run`; or what `end` gives.
    n_special : int
        Positions before the patches.
    end : End, Embedding or str
        How the top is had: of a model of Hugging Face, or the path of the submodule that gives it.
    path : str
        Of the blocks of a model of Hugging Face.
    name, revision : str
        What a result calls the model.
    """

    kind: ClassVar[Literal["image"]] = "image"

    def __init__(
        self,
        module: nn.Module,
        to_pixels: ToPixels,
        *,
        width: int,
        pooling: FeaturePooling,
        n_special: int,
        end: End | Embedding | str,
        path: str = "",
        name: str,
        revision: str = "",
    ) -> None:
        self.module = module
        self.to_pixels = to_pixels
        self.width = width
        self.pooling = pooling
        self.n_special = n_special
        self.end = end
        self.path = path
        self.name = name
        self.revision = revision

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        pooling: FeaturePooling | None = None,
        attention: str | None = None,
        trust_remote_code: bool = False,
        random_weights: int | None = None,
    ) -> Self:
        """Load a vision model; of one with two towers, that of images.

        Parameters
        ----------
        name, revision, attention, trust_remote_code, random_weights
            As `ImageEncoder.from_pretrained`; ``python:…`` gives a network whose last named layer
            is the top.
        pooling : {"cls", "mean", "patch", "embedding"}, optional
            By default ``"cls"`` where the model has such a token, which has been trained to stand
            for the image, else the mean. ``"embedding"`` is of a model of images and texts: the
            vector that it compares with those of texts, projected where it does so, divided by its
            length.

        Returns
        -------
        ImageFeatures
            In evaluation mode, every parameter trainable.

        Raises
        ------
        InputError
            As `ImageEncoder.from_pretrained`, and where the model has not what the pooling reads.
        """
        embeds = pooling == "embedding"
        if is_reference(name):
            if embeds:
                raise without_embedding(name, "a network of torch")
            network = load_network(name)
            if random_weights is not None:
                network = redrawn(network, random_weights)
            return cls._of_network(network, pooling, name)
        model, pixels, revision = load_image_model(
            name,
            {"revision": revision, "trust_remote_code": trust_remote_code},
            dtype="float32",
            attention=attention,
            random_weights=random_weights,
            embeds=embeds,
        )
        top = _top_of(model.eval(), pixels, pooling, name)
        return cls(model, pixels, **top, name=name, revision=revision)

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        *,
        layer: str,
        pixels: Pixels,
        pooling: ImagePooling | None = None,
        name: str = "network",
    ) -> Self:
        """Take any network up to a submodule.

        Parameters
        ----------
        module : torch.nn.Module
            Whose forward takes pixels alone. It is put into evaluation mode, and not copied.
        layer : str
            Path of the submodule that gives the features: vectors, tokens or maps.
        pixels : Pixels
            How images become pixels.
        pooling : {"mean", "patch"}, optional
            The two are the same here.
        name : str
            What a result calls it.

        Returns
        -------
        ImageFeatures
            In evaluation mode, every parameter trainable.

        Raises
        ------
        InputError
            If there is no such submodule, or it gives something else.
        """
        return cls._of_network(Network(module, {"top": layer}, pixels), pooling, name)

    @classmethod
    def _of_network(cls, network: Network, pooling: Any, name: str) -> Self:
        module = network.module.float().eval()
        reader = PointReader(module, network.layers, pixels_of(noise(2), network.pixels, name))
        reader.remove()
        pooling = pooling or "mean"
        require_pooling(pooling, 0, f"{name!r} ({type(module).__name__})")
        return cls(
            module.requires_grad_(True),
            network.pixels,
            width=reader.widths[reader.names[-1]],
            pooling=pooling,
            n_special=0,
            end=list(network.layers.values())[-1],
            name=name,
        )

    def collate(self, items: Sequence[Any] | Images) -> dict[str, Tensor]:
        """Make a batch of images.

        Parameters
        ----------
        items : sequence of PIL.Image.Image or uint8 array, or Images
            At least one.

        Returns
        -------
        dict of str to Tensor
            ``pixel_values`` of shape (n, channels, height, width), float32, on the CPU.
        """
        return {"pixel_values": pixels_of(pictures_of(items), self.to_pixels, self.name)}

    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute the vectors of a batch.

        Parameters
        ----------
        batch : mapping of str to Tensor
            From `collate`, on any device.

        Returns
        -------
        Tensor of shape (n, width), float32
            On the module's device; with gradients where they are enabled.
        """
        pixels = batch["pixel_values"].to(next(self.module.parameters()).device)
        top = self._top(pixels)
        if self.pooling == "embedding":
            return top
        return pool_positions(as_positions(top), self.pooling, self.n_special)

    def _top(self, pixels: Tensor) -> Tensor:
        if not isinstance(self.end, str):
            return self.end(self.module, self.module(pixel_values=pixels))
        found: list[Tensor] = []
        point = self.module.get_submodule(self.end)
        handle = point.register_forward_hook(lambda module, args, output: found.append(output))
        try:
            self.module(pixels)
        finally:
            handle.remove()
        return found[0]

    def blocks(self) -> list[nn.Module]:
        """Divide the module from the input upwards: stem, blocks, and what follows the last.

        Returns
        -------
        list of torch.nn.Module
            Each parameter that decides the vectors is in one of them, and in one alone. Of a
            hierarchical model the stages, each with its step down; of a network its children, lists
            of them taken apart, up to the submodule that gives the features.
        """
        if not isinstance(self.end, str):
            return sections(self.module, self.path)
        return network_sections(self.module, self.end, self.collate(noise(1))["pixel_values"])

    def copy(self) -> Self:
        """Copy it, with a module of its own."""
        other = copy.copy(self)
        other.module = copy.deepcopy(self.module)
        return other

    def save(self, folder: Path) -> None:
        """Save it: a model of Hugging Face as transformers loads it, of a network its weights.

        Parameters
        ----------
        folder : Path
            Made if it is not there. `load` reads it.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        module: Any = self.module
        if not isinstance(self.end, str):
            module.save_pretrained(folder)
        else:
            safetensors.torch.save_model(module, str(folder / WEIGHTS))
        self.to_pixels.save(folder)
        text = json.dumps(self.settings(), indent=1, ensure_ascii=False)
        (folder / ABOUT).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, module: nn.Module | None = None) -> Self:
        """Load what `save` wrote.

        Parameters
        ----------
        folder : Path
            Of `save`.
        module : torch.nn.Module, optional
            The network that the weights are of, where it was no model of Hugging Face and has no
            name such as ``python:FILE.py:FUNCTION``. Its weights are replaced.

        Returns
        -------
        ImageFeatures
            In evaluation mode.

        Raises
        ------
        InputError
            If the folder holds none, or the weights are of another architecture.
        """
        folder = Path(folder)
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            pooling, layer, name = about["pooling"], about["layer"], about["name"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder} holds no features of images ({error})") from None
        if layer is None:
            found = cls.from_pretrained(str(folder), pooling=pooling)
            found.name, found.revision = name, about.get("revision", "")
            return found
        if module is None and not is_reference(name):
            raise InputError(
                f"{folder} holds the weights of the network {name!r}, which only its own code can "
                "make; give it as `module`"
            )
        if module is None:
            module = load_network(name).module
        restore(module, folder / WEIGHTS)
        return cls.from_module(
            module,
            layer=layer,
            pixels=Pixels.load(folder),
            pooling=pooling,
            name=name,
        )

    def settings(self) -> dict[str, Any]:
        """Say what it is, in values that JSON holds."""
        return {
            "kind": self.kind,
            "name": self.name,
            "revision": self.revision,
            "architecture": type(self.module).__name__,
            "pooling": self.pooling,
            "width": self.width,
            "layer": self.end if isinstance(self.end, str) else None,
        }


def _top_of(
    model: Any, pixels: ToPixels, pooling: FeaturePooling | None, name: str
) -> dict[str, Any]:
    """Find out how a model's top is had, by trial."""
    trial = pixels_of(noise(2), pixels, name)
    reader = ImageReader(model, trial)
    reader.remove()
    end: End | Embedding = reader.end
    width = reader.widths[reader.names[-1]]
    if pooling == "embedding":
        end = embedding_of(model.config, name)[1]
        with torch.inference_mode():
            width = end(model, model(pixel_values=trial)).shape[1]
    else:
        pooling = pooling or ("cls" if reader.n_special else "mean")
        require_pooling(pooling, reader.n_special, f"{name!r} ({type(model).__name__})")
    about = {"n_special": reader.n_special, "path": reader.path}
    return {"width": width, "pooling": pooling, "end": end, **about}
