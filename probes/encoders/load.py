"""Loading of Hugging Face models, with one clear message where it fails."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
import transformers

from probes.choices import Dtype
from probes.errors import InputError


def load_config(name: str, where: dict[str, Any]) -> Any:
    """Load a model's configuration, or say in one line why it cannot be."""
    path = Path(name)
    if path.is_dir() and not (path / "config.json").is_file():
        raise InputError(f"the folder {name!r} holds no config.json; give a Hugging Face model")
    try:
        return transformers.AutoConfig.from_pretrained(name, **where)
    except (OSError, ValueError, ImportError) as error:
        raise _not_loaded(name, error) from error


def load_tokenizer(name: str, where: dict[str, Any]) -> Any:
    """Load a tokenizer, or say in one line why it cannot be."""
    try:
        return transformers.AutoTokenizer.from_pretrained(name, **where)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise _not_loaded(name, error) from error


def load_weights(name: str, config: Any, options: dict[str, Any]) -> Any:
    """Load a pretrained model, all of its weights.

    Parameters
    ----------
    name : str
        Folder or name on the hub.
    config : transformers.PretrainedConfig
        Of the model.
    options : dict
        Keyword arguments of ``AutoModel.from_pretrained``.

    Returns
    -------
    transformers.PreTrainedModel
        Without a head.

    Raises
    ------
    InputError
        If it cannot be loaded, or the checkpoint lacks some of the weights.
    """
    quiet = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # its load report lists poolers left out
    try:
        model, info = transformers.AutoModel.from_pretrained(
            name, config=config, output_loading_info=True, **options
        )
    except (OSError, ValueError, ImportError) as error:
        raise _not_loaded(name, error) from error
    finally:
        transformers.logging.set_verbosity(quiet)
    missing = [key for key in info["missing_keys"] if "pooler" not in key]
    if missing:
        raise InputError(
            f"the checkpoint {name!r} lacks {len(missing)} weights of its model "
            f"({', '.join(sorted(missing)[:3])}, …), which would be random; check the folder, "
            "or give the model that the checkpoint was saved from"
        )
    return model


def _not_loaded(name: str, error: Exception) -> InputError:
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return InputError(
        f"no model {name!r}: it is neither a folder with a Hugging Face model nor a name that "
        f"could be loaded from the hub or its cache ({first})"
    )


def model_options(config: Any, dtype: Dtype, attention: str | None) -> dict[str, Any]:
    """Lay out the keyword arguments of a model: type, attention, and no pooler where it has one."""
    options: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    if attention is not None:
        options["attn_implementation"] = attention
    cls = transformers.MODEL_MAPPING.get(type(config), None)
    if isinstance(cls, type) and "add_pooling_layer" in inspect.signature(cls).parameters:
        options["add_pooling_layer"] = False
    return options
