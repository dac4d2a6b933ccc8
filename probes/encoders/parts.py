"""Which half of a model is read, and what a forward pass of it is given."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from probes.choices import Part
from probes.encoders.hooks import Stack
from probes.errors import InputError

SANE_LENGTH = 1_000_000
"""Tokenizers without a limit state one that is above this."""


class Inputs:
    """Lays out the keyword arguments of a model's forward pass.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        Of an encoder-decoder the whole, where its decoder is read.
    name : str
        Of the model, for complaints.
    decodes : bool
        Whether a decoder reads the text too: the same text as the encoder, after the token that
        begins a decoder's text, so that sub-token k stands at its position k + 1.
    device : torch.device
        Where the model is.

    Attributes
    ----------
    accepted : set of str
        What the model's forward takes.
    start : int
        The token that begins a decoder's text.
    """

    def __init__(self, model: Any, *, name: str, decodes: bool, device: torch.device) -> None:
        self.accepted = set(inspect.signature(model.forward).parameters)
        if "input_ids" not in self.accepted:
            raise InputError(f"the model {name!r} ({type(model).__name__}) reads no text")
        self.decodes = decodes
        self._device = device
        config = model.config
        candidates = (
            getattr(config, "decoder_start_token_id", None),
            getattr(config, "bos_token_id", None),
            getattr(config, "pad_token_id", None),
        )
        self.start = next((int(i) for i in candidates if i is not None), 0)

    def trials(self, n_ids: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Lay out two short passes that differ in the last token of each of their two rows."""
        ids = torch.tensor([[5, 6, 7, 8], [6, 8, 5, 7]]).remainder(n_ids)
        changed = torch.cat([ids[:, :-1], ids[:, :1]], dim=1)
        mask = torch.ones_like(ids)
        return self(ids, mask), self(changed, mask)

    def __call__(self, ids: Tensor, mask: Tensor, **extra: Tensor) -> dict[str, Any]:
        """Lay out one forward pass.

        Parameters
        ----------
        ids, mask : Tensor of shape (rows, tokens), int64
            Token ids, and 1 where there is one.
        **extra : Tensor
            What else is to be passed, such as ``position_ids``.

        Returns
        -------
        dict
            With what the model accepts, on its device.
        """
        inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask, **extra}
        if self.decodes:
            inputs["decoder_input_ids"] = nn.functional.pad(ids, (1, 0), value=self.start)
            inputs["decoder_attention_mask"] = nn.functional.pad(mask, (1, 0), value=1)
        inputs = {
            k: v.to(self._device, non_blocking=True)
            for k, v in inputs.items()
            if k in self.accepted or k in ("input_ids", "decoder_input_ids")
        }
        if "use_cache" in self.accepted:
            inputs["use_cache"] = False
        return inputs


def part_of(model: Any, part: Part | None, name: str) -> tuple[Any, tuple[Stack, ...]]:
    """Choose the module to run, and the stacks of blocks in it.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        As ``AutoModel`` gives it.
    part : {"encoder", "decoder", "both"}, optional
        Of an encoder-decoder; by default its encoder. Other models have one part.
    name : str
        Of the model, for complaints.

    Returns
    -------
    module : torch.nn.Module
        The model, or its encoder alone.
    stacks : tuple of Stack
        What to read, in the order in which it runs.

    Raises
    ------
    InputError
        If a part is asked of a model that has only one.
    """
    config = model.config.get_text_config()
    if not model.config.is_encoder_decoder:
        if part is not None:
            raise InputError(
                f"--part {part}: the model {name!r} ({type(model).__name__}) is no "
                "encoder-decoder and has one part only; leave --part out"
            )
        return model, (Stack("", _count(config, _BLOCKS, name), model),)
    encoder = model.get_encoder()
    settings = getattr(encoder, "config", model.config).get_text_config()
    if part in (None, "encoder"):
        n = _count(settings, ("encoder_layers", *_BLOCKS), name)
        return encoder, (Stack("", n, encoder),)
    decoder = model.get_decoder()
    n = _count(
        getattr(decoder, "config", model.config),
        ("decoder_layers", "num_decoder_layers", *_BLOCKS),
        name,
    )
    if part == "decoder":
        return model, (Stack("", n, decoder),)
    n_encoder = _count(settings, ("encoder_layers", *_BLOCKS), name)
    return model, (Stack("encoder.", n_encoder, encoder), Stack("decoder.", n, decoder))


def rope_depends_on_length(config: Any) -> bool:
    """Whether rotary embeddings change with the length of the longest row."""
    ropes = (getattr(config, field, None) for field in ("rope_parameters", "rope_scaling"))
    kinds = {
        str(settings.get("rope_type") or settings.get("type"))
        for rope in ropes
        if isinstance(rope, dict)
        for settings in (rope, *rope.values())
        if isinstance(settings, dict)
    }
    return bool(kinds & {"dynamic", "longrope"})


_BLOCKS = ("num_hidden_layers", "n_layer", "num_layers")


def _count(config: Any, fields: Sequence[str], name: str) -> int:
    for field in fields:
        if isinstance(getattr(config, field, None), int):
            return int(getattr(config, field))
    raise InputError(f"the configuration of {name!r} does not say how many blocks the model has")


def number_of_ids(model: Any) -> int:
    """Give the number of ids that a model has embeddings for."""
    try:
        size = model.get_input_embeddings().num_embeddings
    except (NotImplementedError, AttributeError):  # of a family that does not say
        size = getattr(model.config.get_text_config(), "vocab_size", None)
    if size is None:
        raise InputError(f"{type(model).__name__} states no vocabulary; it is not supported")
    return int(size)


def most_tokens(model: Any, tokenizer: Any, asked: int | None, n_before: int = 0) -> int | None:
    """Give the most tokens that a row may have: what the positions allow, or less where asked.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        What is run.
    tokenizer : transformers.PreTrainedTokenizerBase
        Whose limit counts where the configuration states none.
    asked : int, optional
        At most what the positions allow.
    n_before : int
        Positions that are taken before the text: one in a decoder, for its start token.

    Returns
    -------
    int or None
        None where nothing limits it.

    Raises
    ------
    InputError
        If more is asked than there are positions, or fewer than 3.
    """
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        length = tokenizer.model_max_length
        positions = length if length is not None and length < SANE_LENGTH else None
    else:
        positions -= _positions_of_padding(model, positions)
    if positions is not None:
        positions -= n_before
    if asked is None:
        return positions
    if asked < 3 or (positions is not None and asked > positions):
        raise InputError(f"--max-tokens {asked}: expected 3 to {positions or 'any number'}")
    return asked


def _positions_of_padding(model: nn.Module, positions: int) -> int:
    """Count the rows of a table of positions that stand before the first token's (RoBERTa)."""
    for name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        weight = getattr(module, "weight", None)
        if "position" not in name.rpartition(".")[2] or not isinstance(weight, Tensor):
            continue
        if padding is not None and len(weight) == positions:
            return int(padding) + 1
    return 0
