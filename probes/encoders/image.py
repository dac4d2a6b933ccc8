"""Vision models, of Hugging Face or any other, as layer-wise encoders of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from probes.choices import Dtype, ImagePooling
from probes.encoders.fingerprint import model_fingerprint, module_fingerprint, weights_digest
from probes.encoders.image_layers import ImageReader, PointReader
from probes.encoders.load_image import load_image_model
from probes.encoders.network import Network, is_reference, load_network, redrawn
from probes.encoders.pixels import Pixels, ToPixels, pixels_of
from probes.encoders.positions import pool_positions, require_pooling
from probes.encoders.trial import noise
from probes.errors import InputError, unknown
from probes.images import Images, Picture, pictures_of

CONTRACT = "1"
"""Of layers and pooling; a change that moves a vector raises it, and old stores are not read."""

DECODERS = 8
"""Threads that make pixels of images where the model itself runs on an accelerator."""


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """One forward pass.

    Parameters
    ----------
    units : Tensor of shape (n_images,), int64
        The units that it answers, numbered within the shard.
    images : Images
        Of them; decoded when the pass is made.
    """

    units: Tensor
    images: Images


class ImageEncoder:
    """A vision model, read layer by layer.

    Use `from_pretrained` or `from_module`.

    Parameters
    ----------
    model : torch.nn.Module
        Of Hugging Face without a head, or any other together with `points`.
    pixels : ToPixels
        Makes what it is given.
    points : mapping of str to str, optional
        Layers by name, and the submodules whose outputs they are.
    name, revision : str
        What a result calls the model.
    device : torch.device or str
        Where to compute.

    Attributes
    ----------
    layers : tuple of str
        ``"0"`` … ``str(n_layers)``, and ``"final"`` where a norm follows the last block; or the
        names of the points.
    widths : dict of str to int
        Width of each layer; those of hierarchical models change from stage to stage.
    n_special : int
        Positions before the patches: [CLS], registers. 0 of feature maps.
    default_pooling : {"patch"}
        How images are pooled unless asked otherwise: by the mean over their patches. At layer 0
        [CLS] has not seen the image yet.
    semantics : dict
        What the layers are.
    fingerprint : dict of str to str
        What decides a vector, as far as the model goes; the key of an activation store.
    """

    kind: ClassVar[Literal["image"]] = "image"
    default_pooling: ClassVar[ImagePooling] = "patch"
    is_causal: ClassVar[bool] = False
    max_tokens: ClassVar[None] = None
    depends_on_length: ClassVar[bool] = False

    def __init__(
        self,
        model: Any,
        pixels: ToPixels,
        *,
        points: Mapping[str, str] | None = None,
        name: str,
        revision: str = "",
        device: torch.device | str = "cpu",
    ) -> None:
        self.name = name
        self.revision = revision
        self.to_pixels = pixels
        self.digest = weights_digest(model)
        self.device = torch.device(device)
        self.model = model.to(self.device).eval().requires_grad_(False)
        self.dtype = str(next(self.model.parameters()).dtype).removeprefix("torch.")
        trial = self.pixels(noise(2))
        self.reader: ImageReader | PointReader = (
            ImageReader(self.model, trial)
            if points is None
            else PointReader(self.model, points, trial)
        )
        self.n_layers = self.reader.n_layers
        self.layers = self.reader.names
        self.widths = self.reader.widths
        self.n_special = self.reader.n_special
        self.semantics = self.reader.semantics
        of_model = model_fingerprint(model) if points is None else module_fingerprint(model)
        self.fingerprint = {
            "weights": self.digest,
            **of_model,
            "image processor": self.to_pixels.settings,
            "layers": str(self.semantics),
            "positions": f"version {CONTRACT}",
        }

    @classmethod
    def from_pretrained(
        cls,
        name: str,
        *,
        revision: str | None = None,
        dtype: Dtype = "float32",
        device: torch.device | str = "cpu",
        attention: str | None = None,
        trust_remote_code: bool = False,
        random_weights: int | None = None,
    ) -> ImageEncoder:
        """Load a vision model from a folder, or by its name on the Hugging Face hub.

        Of a model of images and texts (CLIP, SigLIP) the image tower is read.

        Parameters
        ----------
        name : str
            A folder with ``config.json`` and ``preprocessor_config.json``, a name such as
            ``"google/vit-base-patch16-224-in21k"``, or ``"python:FILE.py:FUNCTION"``, as
            `load_network` reads it.
        revision : str, optional
            Commit, branch or tag on the hub.
        dtype : {"float32", "float64", "bfloat16", "float16"}
            In which to compute. Vectors are pooled in float32 (float64 in the second case).
        device : torch.device or str
            Where to compute.
        attention : str, optional
            Attention implementation, as transformers names them.
        trust_remote_code : bool
            Whether code that comes with the model may run. Off unless asked.
        random_weights : int, optional
            A seed: leave the pretrained weights out, and take those of the model's own
            initialisation. The control of a pretrained model.

        Returns
        -------
        ImageEncoder
            In evaluation mode.

        Raises
        ------
        InputError
            If there is no such model, it is no vision model, or its checkpoint lacks some of the
            weights.
        """
        if is_reference(name):
            if revision is not None or attention is not None:
                raise InputError(
                    f"{name} is a network of Python: it has no revision and no choice of "
                    "attention; leave --revision and --attention out"
                )
            of = load_network(name)
            return cls.from_module(
                of.module,
                layers=of.layers,
                pixels=of.pixels,
                name=name,
                dtype=dtype,
                device=device,
                random_weights=random_weights,
            )
        model, pixels, revision = load_image_model(
            name,
            {"revision": revision, "trust_remote_code": trust_remote_code},
            dtype=dtype,
            attention=attention,
            random_weights=random_weights,
        )
        return cls(model, pixels, name=name, revision=revision, device=device)

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        *,
        layers: Mapping[str, str],
        pixels: Pixels,
        name: str = "network",
        dtype: Dtype = "float32",
        device: torch.device | str = "cpu",
        random_weights: int | None = None,
    ) -> ImageEncoder:
        """Read any network at points that are named.

        Parameters
        ----------
        module : torch.nn.Module
            Whose forward takes pixels alone. It is moved, frozen and put into evaluation mode: give
            a copy to keep it as it is.
        layers : mapping of str to str
            A name for each layer, and the path of the submodule whose output it is, in the order
            in which they run.
        pixels : Pixels
            How images become pixels.
        name : str
            What a result calls it.
        dtype, device, random_weights
            As `from_pretrained`; random weights are drawn by each submodule's
            ``reset_parameters``, into a copy.

        Returns
        -------
        ImageEncoder
            Of which ``"cls"`` pooling is an error: no position is known to be special.

        Raises
        ------
        InputError
            If a path leads to no submodule, or to one that gives no vectors, tokens or maps.
        """
        network = Network(module, dict(layers), pixels)
        if random_weights is not None:
            network = redrawn(network, random_weights)
        return cls(
            network.module.to(getattr(torch, dtype)),
            pixels,
            points=network.layers,
            name=name,
            revision="" if random_weights is None else f"random weights, seed {random_weights}",
            device=device,
        )

    def blocks(self) -> dict[str, list[nn.Module]]:
        """Give the blocks, by the prefix of their layers' names; none of a network of points."""
        return self.reader.blocks

    def require_pooling(self, pooling: str) -> None:
        """Refuse a pooling that this model's positions do not have."""
        require_pooling(pooling, self.n_special, f"{self.name!r} ({type(self.model).__name__})")

    def plan(self, images: Images, *, pooling: ImagePooling, budget: int) -> list[ImageBatch]:
        """Lay out the forward passes over some images.

        Parameters
        ----------
        images : Images
            In order.
        pooling : {"cls", "mean", "patch"}
            How they will be pooled.
        budget : int
            The most images a pass.

        Returns
        -------
        list of ImageBatch
            Runs of the images, so that what is in a batch depends on nothing else.

        Raises
        ------
        InputError
            If the model does not have what the pooling reads.
        """
        self.require_pooling(pooling)
        starts = range(0, len(images), budget)
        rows = [np.arange(a, min(a + budget, len(images))) for a in starts]
        return [ImageBatch(torch.from_numpy(part), images.at(part)) for part in rows]

    def run(
        self,
        batch: ImageBatch,
        layers: Sequence[str],
        pooling: ImagePooling,
        sink: Callable[[str, Tensor], None],
    ) -> None:
        """Run one batch and hand over the pooled vectors of each layer.

        Parameters
        ----------
        batch : ImageBatch
            From `plan`.
        layers : sequence of str
            Some of `layers`; blocks above the highest are not computed.
        pooling : {"cls", "mean", "patch"}
            The special token before the patches; the mean over all positions, special tokens
            included; the mean over the patches alone. Where there is no special token the last two
            are the same.
        sink : callable
            Is called with the layer's name and the vectors, of shape (n_images, width), float32,
            on the device.
        """
        pixels = self.pixels(batch.images)
        with torch.inference_mode():
            self.reader.read(
                pixels, layers, lambda n, h: sink(n, pool_positions(h, pooling, self.n_special))
            )

    def pixels(self, images: Images | Sequence[Picture]) -> Tensor:
        """Make pixels of images, each by itself, on the model's device and in its type.

        Raises
        ------
        InputError
            If they come out in different sizes.
        """
        on_cpu = self.device.type == "cpu"  # there each core has a batch of its own
        pixels = pixels_of(images, self.to_pixels, self.name, threads=1 if on_cpu else DECODERS)
        return pixels.to(self.device, getattr(torch, self.dtype))

    def hidden_states(
        self, images: Images | Sequence[Any], layers: Sequence[str]
    ) -> dict[str, Tensor]:
        """Compute whole layers of a few images.

        Parameters
        ----------
        images : Images, or sequence of PIL.Image.Image or uint8 array
            At least one.
        layers : sequence of str
            Some of `layers`.

        Returns
        -------
        dict of str to Tensor of shape (n_images, positions, width)
            Copies.
        """
        found: dict[str, Tensor] = {}
        pixels = self.pixels(pictures_of(images))
        with torch.inference_mode():
            self.reader.read(pixels, layers, lambda n, h: found.update({n: h.clone()}))
        return found

    def run_from(self, layer: str, states: Tensor, images: Images | Sequence[Any]) -> Tensor:
        """Put states in at a layer, and run the rest of the model.

        Parameters
        ----------
        layer : str
            One of `layers`.
        states : Tensor of shape (n_images, positions, width)
            As `hidden_states` gives them, changed or not.
        images : Images or sequence
            Decide their number alone.

        Returns
        -------
        Tensor of shape (n_images, positions, width)
            The model's last states: bit for bit its own, if the states are.

        Raises
        ------
        InputError
            If there is no such layer, or the model is one of named points.
        """
        if layer not in self.layers:
            raise unknown("layer", layer, self.layers)
        if isinstance(self.reader, PointReader):
            raise InputError("nothing can be put in at the named points of a network")
        if layer == "final":
            return states
        with torch.inference_mode():
            return self.reader.run_from(
                self.pixels(pictures_of(images)), layer, states.to(self.device)
            )
