"""Tiny models of every family, from their configurations and a fixed seed alone."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers

import kinds

SENTENCES = (
    "the old sailors watched a light on the water .",
    "unbelievably , nobody answered the unanswerable questions",
    "she walks",
    "do n't stop — naïve café owners can't re-open it !",
    "a dog that the children like barks at every passer-by near the station in the morning",
    "yes",
    "the reports that he wrote were never read by those who needed them most , were they ?",
    "internationalisation of multilingual tokenisation",
)
WINDOW = 8  # tokens that a layer with a sliding window sees; SENTENCES have longer texts

DEBERTA_V3 = {"share_att_key": True, "norm_rel_ebd": "layer_norm", "position_buckets": 8}


@dataclass(frozen=True)
class Family:
    """The kind of its tokenizer, its configuration's class, and the fields: (layers, positions)."""

    kind: str
    config: str
    fields: Callable[[int, int], dict]
    n_layers: int = 3


def _bert(n: int, positions: int, **more) -> dict:
    sizes = {"hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 64}
    return sizes | {"num_hidden_layers": n, "max_position_embeddings": positions} | more


def _roberta(n: int, positions: int) -> dict:
    return _bert(n, positions + 2)  # ids of positions begin after that of padding


def _llama(n: int, positions: int, **more) -> dict:
    return _bert(n, positions, num_key_value_heads=2, **more)


def _distilbert(n: int, positions: int) -> dict:
    sizes = {"dim": 48, "n_heads": 4, "hidden_dim": 64, "n_layers": n}
    return sizes | {"max_position_embeddings": positions}


def _deberta(n: int, positions: int, **more) -> dict:
    relative = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
    return _bert(n, positions, **relative, position_biased_input=False, **more)


def _modernbert(n: int, positions: int) -> dict:
    types = ["sliding_attention" if k % 3 else "full_attention" for k in range(n)]
    return _bert(n, positions, local_attention=WINDOW, layer_types=types)


def _gpt2(n: int, positions: int) -> dict:
    return {"n_embd": 48, "n_head": 4, "n_layer": n, "n_positions": positions}


def _gpt_neox(n: int, positions: int) -> dict:
    return _bert(n, positions, hidden_size=64)  # a quarter of a head is rotated: an even number


def _opt(n: int, positions: int, **more) -> dict:
    sizes = {"hidden_size": 48, "num_attention_heads": 4, "ffn_dim": 64, "num_hidden_layers": n}
    return sizes | {"max_position_embeddings": positions} | more


def _opt_projected(n: int, positions: int) -> dict:
    return _opt(n, positions, word_embed_proj_dim=32, do_layer_norm_before=False)


def _gemma2(n: int, positions: int) -> dict:
    return _llama(n, positions, head_dim=12, query_pre_attn_scalar=12, sliding_window=WINDOW)


def _mixtral(n: int, positions: int) -> dict:
    return _llama(n, positions, num_local_experts=4, num_experts_per_tok=2)


def _mamba(n: int, positions: int) -> dict:
    return {"hidden_size": 48, "state_size": 8, "num_hidden_layers": n}


def _t5(n: int, positions: int) -> dict:
    sizes = {"d_model": 48, "d_kv": 12, "d_ff": 64, "num_heads": 4, "num_layers": n}
    return sizes | {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 16}


def _bart(n: int, positions: int) -> dict:
    sizes = {"d_model": 48, "max_position_embeddings": positions, "forced_eos_token_id": None}
    for part in ("encoder", "decoder"):
        sizes |= {f"{part}_layers": n, f"{part}_attention_heads": 4, f"{part}_ffn_dim": 64}
    return sizes


_FAMILIES = {
    "bert": Family("wordpiece", "BertConfig", _bert),
    "roberta": Family("byte-bpe", "RobertaConfig", _roberta),
    "distilbert": Family("wordpiece", "DistilBertConfig", _distilbert),
    "albert": Family("unigram-lower", "AlbertConfig", lambda *of: _bert(*of, embedding_size=16)),
    "electra": Family("wordpiece", "ElectraConfig", lambda *of: _bert(*of, embedding_size=24)),
    "deberta": Family("byte-bpe", "DebertaConfig", _deberta),
    "deberta-v2": Family(
        "unigram-strip",
        "DebertaV2Config",
        # as version 3 has them
        lambda *of: _deberta(
            *of, share_att_key=True, norm_rel_ebd="layer_norm", position_buckets=8
        ),
    ),
    "mpnet": Family("wordpiece-mpnet", "MPNetConfig", _roberta),
    "xlm-roberta": Family("unigram", "XLMRobertaConfig", _roberta),
    "modernbert": Family("byte-bpe-nfc", "ModernBertConfig", _modernbert, n_layers=4),
    "gpt2": Family("byte-bpe-bare", "GPT2Config", _gpt2),
    "gpt-neox": Family("byte-bpe-bare", "GPTNeoXConfig", _gpt_neox),
    "opt": Family("byte-bpe-start", "OPTConfig", _opt),
    "opt-projected": Family("byte-bpe-start", "OPTConfig", _opt_projected),  # as OPT-350m
    "llama": Family("bpe-fallback", "LlamaConfig", _llama),
    "mistral": Family(
        "bpe-prepend", "MistralConfig", lambda *of: _llama(*of, sliding_window=WINDOW)
    ),
    "qwen2": Family("byte-bpe-split", "Qwen2Config", _llama),
    "qwen3": Family("byte-bpe-split", "Qwen3Config", lambda *of: _llama(*of, head_dim=12)),
    "gemma2": Family("bpe-replace", "Gemma2Config", _gemma2, n_layers=4),
    "phi": Family("byte-bpe-bare", "PhiConfig", _bert),
    "mixtral": Family("bpe-prepend", "MixtralConfig", _mixtral),
    "mamba": Family("byte-bpe-bare", "MambaConfig", _mamba),
    "t5": Family("unigram-end", "T5Config", _t5),
    "bart": Family("byte-bpe", "BartConfig", _bart),
}
FAMILIES: tuple[str, ...] = tuple(_FAMILIES)
KIND: dict[str, str] = {name: family.kind for name, family in _FAMILIES.items()}


def save(
    family: str,
    folder: str | Path,
    side: str = "right",
    n_layers: int | None = None,
    positions: int = 64,
    auto: str = "AutoModel",
    **more,
) -> None:
    """Write a model and its tokenizer, which pads on a side, in the form of Hugging Face.

    `auto` names the class that decides whether it has a head; `more` are fields of its
    configuration.
    """
    spec = _FAMILIES[family]
    tokenizer = kinds.train(spec.kind, [s for s in SENTENCES[:5] for _ in range(3)], side)
    fields = spec.fields(n_layers or spec.n_layers, positions) | more
    with torch.random.fork_rng(devices=[]):
        model = getattr(transformers, auto).from_config(_config(spec.config, fields, tokenizer))
    _draw(model)
    model.save_pretrained(folder)
    _store_padding(tokenizer, side)
    tokenizer.save_pretrained(folder)


def _config(name: str, fields: dict, tokenizer):
    roles = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")
    ids = {role: getattr(tokenizer, role) for role in roles}
    if name != "ModernBertConfig":  # the only one that names these two
        ids = {role: ids[role] for role in roles[:3]}
    if name in ("T5Config", "BartConfig"):
        ids["decoder_start_token_id"] = tokenizer.eos_token_id
    return getattr(transformers, name)(vocab_size=len(tokenizer), **fields, **ids)


def _draw(model: torch.nn.Module) -> None:
    """Draw each parameter by its name, large enough that layers and inputs differ.

    transformers 5.0 and 5.23 draw in another order, so nothing is left to its own drawing.
    """
    generator = torch.Generator()
    for name, parameter in model.named_parameters():
        generator.manual_seed(zlib.crc32(name.encode()))
        noise = torch.randn(parameter.shape, generator=generator)
        with torch.no_grad():
            if name.endswith("A_log"):  # Mamba's decay: a constant, and stable as it is
                continue
            if name.endswith("dt_proj.bias"):  # Mamba's steps: about 0.05, as it draws them
                parameter.copy_(noise / 2 - 3)
            elif parameter.ndim > 1:
                parameter.copy_(0.2 * noise)
            else:  # biases around nought, weights of norms around one (Gemma's: nought)
                parameter.add_(0.1 * noise)


def _store_padding(tokenizer, side: str) -> None:
    """Store padding and truncation in its file, which real ones hold too, and none may trust."""
    raw = tokenizer.backend_tokenizer
    if tokenizer.pad_token is not None:
        pad = {"pad_id": tokenizer.pad_token_id, "pad_token": tokenizer.pad_token}
        raw.enable_padding(length=50, direction=side, **pad)
    raw.enable_truncation(max_length=50)
