"""The text tower of a model of images and texts: vectors with which it compares those of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from probes.encoders.load import load_tokenizer, load_weights, read_config
from probes.errors import InputError

BATCH = 64
"""Texts of a pass."""

_PADDING = {"clip": "longest", "siglip": "max_length"}
"""By type of the model: how texts were padded when it was trained. SigLIP reads the last position,
that of padding too; CLIP looks back from the end of the text, so that what follows is nothing."""


@dataclass(frozen=True, eq=False)
class TextTokens:
    """Texts as sub-tokens, laid out as a model of images and texts was trained with them.

    Use `from_pretrained`.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        That pads right.
    config : transformers.PretrainedConfig
        Of the whole model.
    name : str
        What a complaint calls the model.
    """

    tokenizer: Any
    config: Any
    name: str

    @classmethod
    def from_pretrained(cls, name: str, where: dict[str, Any]) -> TextTokens:
        """Load a model's configuration and tokenizer, and none of its weights.

        Parameters
        ----------
        name : str
            Folder of the whole model, or its name on the hub.
        where : dict
            Its ``revision``, and whether to ``trust_remote_code``.

        Raises
        ------
        InputError
            If the model has no text tower, or no tokenizer.
        """
        config = read_config(name, where)
        if config.model_type not in _PADDING:
            raise InputError(
                f"the model {name!r} ({config.model_type}) has no text tower, whose vectors of "
                "texts a zero-shot classifier is made of; give the whole model of images and "
                "texts, CLIP or SigLIP"
            )
        tokenizer = load_tokenizer(name, where)
        tokenizer.padding_side = "right"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return cls(tokenizer, config, name)

    def __call__(self, texts: Sequence[str]) -> Any:
        """Lay out texts that have room, as a batch on the CPU."""
        padding = _PADDING[self.config.model_type]
        return self.tokenizer(
            list(texts),
            padding=padding,
            max_length=self._most if padding == "max_length" else None,
            return_attention_mask=padding != "max_length",  # SigLIP was trained without one
            return_tensors="pt",
        )

    def require_room(self, texts: Sequence[str]) -> None:
        """Refuse texts of more sub-tokens than the model reads, by the first of them."""
        for text, ids in zip(texts, self.tokenizer(list(texts))["input_ids"], strict=True):
            if len(ids) > self._most:
                raise InputError(
                    f"the text {text!r} has {len(ids)} sub-tokens, and the model {self.name!r} "
                    f"reads {self._most}; shorten the template, or the name of the class"
                )

    @property
    def _most(self) -> int:
        return int(self.config.text_config.max_position_embeddings)


@dataclass(frozen=True, eq=False)
class TextTower:
    """Texts as a model of images and texts compares them with images.

    Use `from_pretrained`.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        With both towers, in evaluation mode.
    tokens : TextTokens
        Of the same model.
    """

    model: Any
    tokens: TextTokens

    @classmethod
    def from_pretrained(
        cls, name: str, where: dict[str, Any], *, device: torch.device | str = "cpu"
    ) -> TextTower:
        """Load one, in float32.

        Parameters
        ----------
        name, where
            As `TextTokens.from_pretrained`.
        device : torch.device or str
            Where it computes.

        Raises
        ------
        InputError
            If the model has no text tower, or is not to be had.
        """
        tokens = TextTokens.from_pretrained(name, where)
        model = load_weights(name, tokens.config, {**where, "dtype": torch.float32})
        return cls(model.eval().to(device), tokens)

    @property
    def scale(self) -> float:
        """By which cosines are multiplied to be logits: e to the ``logit_scale``."""
        return float(self.model.logit_scale.detach().double().exp())

    @property
    def bias(self) -> float:
        """What is added to them: SigLIP's ``logit_bias``; of CLIP nought."""
        return float(getattr(self.model, "logit_bias", torch.zeros(())).detach())

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Compute the vectors of texts.

        Parameters
        ----------
        texts : sequence of str
            At least one.

        Returns
        -------
        Tensor of shape (n, width), float64
            Of length one, on the CPU.

        Raises
        ------
        InputError
            If a text has more sub-tokens than the model reads.
        """
        self.tokens.require_room(texts)
        found = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                batch = self.tokens(texts[start : start + BATCH]).to(self.model.device)
                vectors = self.model.get_text_features(**batch).pooler_output
                found.append(nn.functional.normalize(vectors.double(), dim=-1).cpu())
        return torch.cat(found)
