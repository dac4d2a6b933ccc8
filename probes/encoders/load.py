"""Loading of Hugging Face models, with one clear message where it fails."""

from __future__ import annotations

import inspect
import struct
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from probes.choices import Dtype
from probes.errors import InputError

_DAMAGED = (SafetensorError, UnpicklingError, EOFError, struct.error)


def load_model(
    name: str,
    where: dict[str, Any],
    *,
    dtype: Dtype,
    attention: str | None = None,
    random_weights: int | None = None,
    decodes: bool = False,
    with_head: bool = False,
) -> tuple[Any, Any, str]:
    """Load a model and its tokenizer.

    Parameters
    ----------
    name : str
        Folder or name on the hub.
    where : dict
        Its ``revision``, and whether to ``trust_remote_code``.
    dtype, attention : str
        In which to compute, and how.
    random_weights : int, optional
        A seed, to leave the pretrained weights out.
    decodes : bool
        Whether an encoder-decoder's decoder is read.
    with_head : bool
        Whether the head of a causal language model is loaded too.

    Returns
    -------
    model, tokenizer
        Of transformers.
    revision : str
        What was loaded.

    Raises
    ------
    InputError
        If one of them cannot be loaded.
    """
    config, tokenizer = load_config(name, where), load_tokenizer(name, where)
    options = model_options(config, dtype, attention)
    if random_weights is None:
        model = load_weights(
            name, config, {**where, **options}, decodes=decodes, with_head=with_head
        )
        return model, tokenizer, getattr(config, "_commit_hash", None) or where["revision"] or ""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_weights)
        model = model_class(config).from_config(
            config, trust_remote_code=where["trust_remote_code"], **options
        )
    return model, tokenizer, f"random weights, seed {random_weights}"


def read_config(name: str, where: dict[str, Any]) -> Any:
    """Load a model's configuration, of whatever kind, or say in one line why it cannot be."""
    path = Path(name)
    if path.is_dir() and not (path / "config.json").is_file():
        raise InputError(f"the folder {name!r} holds no config.json; give a Hugging Face model")
    try:
        return transformers.AutoConfig.from_pretrained(name, **where)
    except (OSError, ValueError, ImportError) as error:
        raise not_loaded(name, error) from error


def load_config(name: str, where: dict[str, Any]) -> Any:
    """Load a text model's configuration, or say in one line why it cannot be."""
    config = read_config(name, where)
    if not isinstance(getattr(config.get_text_config(), "vocab_size", None), int):
        raise InputError(
            f"the model {name!r} ({config.model_type}) states no vocabulary: it is no text model, "
            "or one of characters that shortens its texts; give one that reads text as it stands"
        )
    if not hasattr(config.get_text_config(), "pad_token_id"):
        # transformers 5.0 leaves it out of some families' (Phi), whose models then ask for it.
        config.get_text_config().pad_token_id = None
    if getattr(config, "attention_type", None) == "block_sparse":
        # BigBird leaves its sparse attention for good at the first short row: full for all rows.
        config.attention_type = "original_full"
    return config


def load_tokenizer(name: str, where: dict[str, Any]) -> Any:
    """Load a tokenizer, or say in one line why it cannot be."""
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **where)
    except Exception as error:
        # What `tokenizers` raises where a file is damaged has no class of its own; where one is
        # absent, transformers 5.0 may look for an attribute of None.
        if type(error) is not Exception and not isinstance(
            error, (OSError, ValueError, ImportError, KeyError, AttributeError)
        ):
            raise
        raise not_loaded(name, error, "tokenizer of the model") from error
    # Where there are no files, transformers makes one that knows its special tokens alone.
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise InputError(
            f"the model {name!r} comes without a tokenizer; give a folder with its "
            "tokenizer.json, as `tokenizer.save_pretrained` writes it"
        )
    return tokenizer


def load_weights(
    name: str,
    config: Any,
    options: dict[str, Any],
    *,
    decodes: bool = False,
    with_head: bool = False,
    tower: Any = None,
) -> Any:
    """Load a pretrained model, all of its weights.

    Parameters
    ----------
    name : str
        Folder or name on the hub.
    config : transformers.PretrainedConfig
        Of the model.
    options : dict
        Keyword arguments of ``AutoModel.from_pretrained``.
    decodes : bool
        Whether an encoder-decoder's decoder is read; the weights of one that is not may be absent.
    with_head : bool
        Whether the head of a causal language model is loaded too.
    tower : type, optional
        The class that loads it, where it is no model as ``AutoModel`` makes it.

    Returns
    -------
    transformers.PreTrainedModel
        Without a head, unless one is asked for.

    Raises
    ------
    InputError
        If it cannot be loaded, or the checkpoint lacks some of the weights.
    """
    quiet = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # its load report lists poolers left out
    whole: Any = transformers.AutoModelForCausalLM if with_head else model_class(config)
    try:
        model, info = (tower or whole).from_pretrained(
            name,
            config=config,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, by name
            **options,
        )
    except (OSError, ValueError, ImportError, *_DAMAGED) as error:
        raise not_loaded(name, error) from error
    finally:
        transformers.logging.set_verbosity(quiet)
    unused = config.is_encoder_decoder and not decodes
    missing = [
        key
        for key in info["missing_keys"]
        if "pooler" not in key and not (unused and key.startswith("decoder."))
    ]
    if missing:
        raise InputError(
            f"the checkpoint {name!r} lacks {len(missing)} weights of its model "
            f"({', '.join(sorted(missing)[:3])}, …), which would be random; check the folder, "
            "or give the model that the checkpoint was saved from"
        )
    for key, *shapes in sorted(info.get("mismatched_keys", ())):
        there, wanted = (" x ".join(map(str, shape)) for shape in shapes)
        raise InputError(
            f"the checkpoint {name!r} does not fit its config.json: {key} is {there} there, "
            f"{wanted} by the configuration; give the two that belong together"
        )
    return model


def not_loaded(name: str, error: Exception, what: str = "model") -> InputError:
    """Make the error for a model, or a part of it, that transformers cannot load."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    first = " ".join(lines) if lines[0].rstrip().endswith(":") else lines[0]
    if isinstance(error, UnpicklingError):
        first = "its file is damaged, or holds more than weights; give one saved as safetensors"
    elif isinstance(error, (KeyError, AttributeError, *_DAMAGED)) or type(error) is Exception:
        first = f"a file is damaged or incomplete ({first})"
    if Path(name).is_dir():
        return InputError(f"the {what} in the folder {name!r} cannot be loaded: {first}")
    return InputError(
        f"no model {name!r}: it is neither a folder with a Hugging Face model nor a name that "
        f"could be loaded from the hub or its cache ({first})"
    )


def model_class(config: Any) -> Any:
    """Choose the class that loads a model without a head, or the encoder of one that is only that.

    Parameters
    ----------
    config : transformers.PretrainedConfig
        Which says from which class the checkpoint was saved.

    Returns
    -------
    type
        ``AutoModel``, or ``AutoModelForTextEncoding`` (T5's encoder alone, say).
    """
    saved = next(iter(config.architectures or ()), "")
    is_encoder = saved.endswith("EncoderModel") and not saved.endswith("EncoderDecoderModel")
    return transformers.AutoModelForTextEncoding if is_encoder else transformers.AutoModel


def model_options(config: Any, dtype: Dtype, attention: str | None) -> dict[str, Any]:
    """Lay out the keyword arguments of a model: type, attention, and no pooler where it has one.

    Raises
    ------
    InputError
        If the attention asked for leaves out what the model needs.
    """
    options: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    if getattr(config.get_text_config(), "attn_logit_softcapping", None) is not None:
        # PyTorch's own attention caps no logits; transformers 5.0 takes it for Gemma 2 all the same
        if attention == "sdpa":
            raise InputError(
                "--attention sdpa: this model caps its attention's logits, and sdpa does not; "
                "choose --attention eager"
            )
        attention = attention or "eager"
    if attention is not None:
        options["attn_implementation"] = attention
    if dtype == "float64":  # the grouped kernel of mixtures of experts knows narrower types alone
        options["experts_implementation"] = "eager"
    cls = transformers.MODEL_MAPPING.get(type(config), None)
    if isinstance(cls, type) and "add_pooling_layer" in inspect.signature(cls).parameters:
        options["add_pooling_layer"] = False
    return options
