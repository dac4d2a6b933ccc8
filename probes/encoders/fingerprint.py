"""What makes two encoders the same: digests of weights, tokenizer and configuration."""

from __future__ import annotations

import json
from typing import Any

import torch
import xxhash
from torch import nn

_OF_A_FILE = ("name_or_path", "vocab_file", "merges_file", "tokenizer_file", "padding_side")


def weights_digest(model: nn.Module) -> str:
    """Digest all parameters and buffers: names, types, shapes and bytes.

    Parameters
    ----------
    model : torch.nn.Module
        On any device.

    Returns
    -------
    str
        32 hexadecimal digits (XXH3, 128 bit).
    """
    digest = xxhash.xxh3_128()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().contiguous().reshape(-1).cpu()
        digest.update(memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else b"")
    return digest.hexdigest()


def tokenizer_digest(tokenizer: Any) -> str:
    """Digest what a tokenizer does, without the padding and truncation it was stored with.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        With any backend.

    Returns
    -------
    str
        32 hexadecimal digits: of the fast backend's state; of another's class, settings and
        vocabulary.
    """
    if not getattr(tokenizer, "is_fast", False):
        settings = {k: v for k, v in tokenizer.init_kwargs.items() if k not in _OF_A_FILE}
        parts = [type(tokenizer).__name__, settings, sorted(tokenizer.get_vocab().items())]
        return text_digest(json.dumps(parts, sort_keys=True, default=str))
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["padding"] = state["truncation"] = None
    return text_digest(json.dumps(state, sort_keys=True))


def config_digest(config: Any) -> str:
    """Digest a model's configuration, without the fields that say where it came from.

    Parameters
    ----------
    config : transformers.PretrainedConfig
        Of the model.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    state = config.to_dict()
    for key in ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures"):
        state.pop(key, None)
    return text_digest(json.dumps(state, sort_keys=True, default=str))


def text_digest(text: str) -> str:
    """Digest a text.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    return xxhash.xxh3_128(text.encode("utf-8", "surrogatepass")).hexdigest()
