"""What makes two encoders the same: digests of weights, tokenizer and configuration."""

from __future__ import annotations

import inspect
import json
from typing import Any

import torch
import transformers
import xxhash
from torch import nn

_OF_A_FILE = ("name_or_path", "vocab_file", "merges_file", "tokenizer_file", "padding_side")


def model_fingerprint(model: Any) -> dict[str, str]:
    """Say what of a model decides its vectors, besides its weights.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        What is run.

    Returns
    -------
    dict of str to str
        Configuration, types, implementations, code, and versions.
    """
    config = model.config.get_text_config()
    return {
        "configuration": config_digest(config),
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "attention": str(getattr(config, "_attn_implementation", "none")),
        "experts": str(getattr(config, "_experts_implementation", None) or "none"),
        "code": code_digest(model),
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }


def module_fingerprint(module: nn.Module) -> dict[str, str]:
    """Say the same of a module of torch that is no model of transformers."""
    return {
        "configuration": text_digest(str(module)),
        "dtype": str(next(module.parameters()).dtype).removeprefix("torch."),
        "attention": "none",
        "code": code_digest(module),
        "torch": torch.__version__,
    }


def tokenizer_fingerprint(tokenizer: Any, used: dict[str, int | None]) -> dict[str, str]:
    """Say what of a tokenizer decides a vector: what it does, and which ids are special.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        With any backend.
    used : dict of str to int or None
        What an encoder takes for padding, and to begin a decoder's text.

    Returns
    -------
    dict of str to str
        A digest, and ids by role: a tokenizer's file may be the same where these are not.
    """
    names = ("bos", "eos", "unk", "cls", "sep")
    ids = {name: getattr(tokenizer, f"{name}_token_id", None) for name in names}
    return {"tokenizer": tokenizer_digest(tokenizer), "special tokens": str({**ids, **used})}


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


def code_digest(model: nn.Module) -> str:
    """Say which code a model runs: transformers' own, or a digest of the file that came with it.

    Parameters
    ----------
    model : torch.nn.Module
        The model that is run.

    Returns
    -------
    str
        The class, and for code from elsewhere 32 hexadecimal digits.
    """
    cls = type(model)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if name.startswith("transformers.models."):
        return name
    try:
        source = inspect.getsource(inspect.getmodule(cls) or cls)
    except (OSError, TypeError):
        return f"{cls.__qualname__}, without source"
    return f"{cls.__qualname__} {text_digest(source)}"


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
