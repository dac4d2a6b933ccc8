"""Tokenizers of every kind that real models come with, trained on texts that a test gives.

Special tokens are named, ordered and placed as in the model that a kind is known from, and what a
real one lacks (GPT-2 and Llama: a padding token) is lacking here.
"""

import copy
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tokenizers
import transformers
from tokenizers import (
    AddedToken,
    Regex,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

SPACE = "▁"
SPACES = normalizers.Replace(Regex(" {2,}"), " ")
QUOTES = (normalizers.Replace("``", '"'), normalizers.Replace("''", '"'))
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+"
BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
ROBERTA |= {"cls": "<s>", "sep": "</s>"}
LLAMA = {"unk": "<unk>", "bos": "<s>", "eos": "</s>"}


@dataclass(frozen=True)
class Kind:
    """How to make a tokenizer: special tokens by role in the order of their ids, and its parts."""

    model: str
    specials: dict[str, str]
    template: str = ""
    normalizer: normalizers.Normalizer | None = None
    split: pre_tokenizers.PreTokenizer | None = None
    trained_split: pre_tokenizers.PreTokenizer | None = None  # where it differs from `split`
    processor: Callable[[tokenizers.Tokenizer], processors.PostProcessor] | None = None
    decoder: decoders.Decoder | None = None
    size: int = 150

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(self.specials.values()))


def _wordpiece(lowercase: bool, specials: dict[str, str], template: str) -> Kind:
    return Kind(
        "wordpiece",
        specials,
        template,
        normalizers.BertNormalizer(lowercase=lowercase),
        pre_tokenizers.BertPreTokenizer(),
        decoder=decoders.WordPiece(),
    )


def _byte_bpe(specials: dict[str, str], template: str = "", **parts) -> Kind:
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    parts = {"split": split, "decoder": decoders.ByteLevel(), "size": 330} | parts
    if not template:
        parts = {"processor": lambda raw: processors.ByteLevel(trim_offsets=False)} | parts
    return Kind("bpe", specials, template, **parts)


def _unigram(
    specials: dict[str, str], template: str, *steps: normalizers.Normalizer, split: bool = True
) -> Kind:
    metaspace = pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")
    words = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    return Kind(
        "unigram",
        specials,
        template,
        normalizers.Sequence([*steps, SPACES]),
        words if split else metaspace,
        decoder=decoders.Metaspace(),
    )


def _bpe_fallback(specials: dict[str, str], template: str, normalizer=None, split=None) -> Kind:
    parts = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    if normalizer is None or split is None:
        parts.append(decoders.Strip(" ", 1, 0))
    return Kind(
        "bpe-fallback",
        specials,
        template,
        normalizer,
        split,
        pre_tokenizers.Metaspace(SPACE, prepend_scheme="always"),
        decoder=decoders.Sequence(parts),
    )


def _roberta_processor(raw: tokenizers.Tokenizer) -> processors.PostProcessor:
    ends = [(token, raw.token_to_id(token)) for token in ("</s>", "<s>")]
    return processors.RobertaProcessing(*ends, trim_offsets=True, add_prefix_space=False)


END = "<|endoftext|>"
NMT_NFKC = (normalizers.Nmt(), normalizers.NFKC())
LOWER = (*QUOTES, normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase())
GEMMA = {"pad": "<pad>", "eos": "<eos>", "bos": "<bos>", "unk": "<unk>"}
ALBERT = {"pad": "<pad>", "unk": "<unk>", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
DEBERTA = {"pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "mask": "[MASK]"}
SPLIT = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
)
_KINDS = {
    # BERT, DistilBERT, ELECTRA; the cased BERT; MPNet
    "wordpiece": _wordpiece(True, BERT, "[CLS] $A [SEP]"),
    "wordpiece-cased": _wordpiece(False, BERT, "[CLS] $A [SEP]"),
    "wordpiece-mpnet": _wordpiece(True, ROBERTA | {"unk": "[UNK]"}, "<s> $A </s>"),
    # RoBERTa, BART, DeBERTa; GPT-2, Phi; OPT; ModernBERT; Qwen
    "byte-bpe": _byte_bpe(ROBERTA, "<s> $A </s>", processor=_roberta_processor),
    "byte-bpe-bare": _byte_bpe({"bos": END, "eos": END, "unk": END}),
    "byte-bpe-start": _byte_bpe({"bos": "</s>", "pad": "<pad>", "eos": "</s>"}, "</s> $A"),
    "byte-bpe-nfc": _byte_bpe(DEBERTA, "[CLS] $A [SEP]", normalizer=normalizers.NFC()),
    "byte-bpe-split": _byte_bpe(
        {"pad": END, "eos": END}, normalizer=normalizers.NFC(), split=SPLIT
    ),
    # XLM-RoBERTa; T5; ALBERT; DeBERTa v2 and v3
    "unigram": _unigram(ROBERTA, "<s> $A </s>", *NMT_NFKC),
    "unigram-end": _unigram({"pad": "<pad>", "eos": "</s>", "unk": "<unk>"}, "$A </s>", *NMT_NFKC),
    "unigram-lower": _unigram(ALBERT, "[CLS] $A [SEP]", *LOWER, *NMT_NFKC),
    "unigram-strip": _unigram(
        DEBERTA, "[CLS] $A [SEP]", normalizers.Strip(), *NMT_NFKC, split=False
    ),
    # Llama; the same as its older files have it, Mistral's too; Gemma
    "bpe-fallback": _bpe_fallback(
        LLAMA,
        "<s> $A",
        split=pre_tokenizers.Metaspace(SPACE, prepend_scheme="first", split=False),
    ),
    "bpe-prepend": _bpe_fallback(
        LLAMA,
        "<s> $A",
        normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]),
    ),
    "bpe-replace": _bpe_fallback(
        GEMMA,
        "<bos> $A",
        normalizers.Replace(" ", SPACE),
        pre_tokenizers.Split(" ", "merged_with_previous"),
    ),
    "character": Kind(
        "character",
        BERT,
        "[CLS] $A [SEP]",
        split=pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"),
        decoder=decoders.Fuse(),
        size=5000,
    ),
}
_PYTHON = {"byt5": transformers.ByT5Tokenizer, "canine": transformers.CanineTokenizer}
KINDS: tuple[str, ...] = (*_KINDS, *_PYTHON)

# A character span, as a broken tokenizer gives it. "empty" is huggingface/tokenizers#1688.
FAULTS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    "zero": lambda start, end: (0, 0),
    "empty": lambda start, end: (start, start),
    "shifted": lambda start, end: (start + 1, end + 1),
}


def train(kind: str, texts: Sequence[str], side: str = "right"):
    """A tokenizer whose sub-tokens come from the texts; `byt5` and `canine` need none."""
    if kind in _PYTHON:
        return _PYTHON[kind](padding_side=side)
    spec = _KINDS[kind]
    raw = tokenizers.Tokenizer(_model(spec))
    if spec.normalizer is not None and spec.model != "bpe-fallback":
        raw.normalizer = spec.normalizer
    raw.pre_tokenizer = spec.trained_split or spec.split
    raw.train_from_iterator(texts, _trainer(spec))
    if spec.model == "bpe-fallback":
        raw = _with_bytes(raw, spec)
    elif spec.model == "wordpiece":
        raw.model = _with_continuations(raw, spec)
    elif spec.model == "unigram":
        raw.model = _with_scores(raw, spec, texts)
    raw.decoder = spec.decoder
    _finish(raw, spec)
    roles = {f"{role}_token": token for role, token in spec.specials.items()}
    if "mask_token" in roles:
        roles["mask_token"] = AddedToken(roles["mask_token"], lstrip=True, special=True)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, padding_side=side, **roles)


def faulty(tokenizer, fault: str):
    """The same fast tokenizer, whose offsets of all but special tokens have a fault."""
    broken = copy.deepcopy(tokenizer)
    broken.__class__ = _Faulty
    broken.fault = fault
    return broken


class _Faulty(transformers.PreTrainedTokenizerFast):
    def __call__(self, text, **options):
        wanted = options.get("return_special_tokens_mask", False)
        answer = super().__call__(text, **{**options, "return_special_tokens_mask": True})
        masks = answer["special_tokens_mask"] if wanted else answer.pop("special_tokens_mask")
        if "offset_mapping" in answer:
            spoil = self._spoil
            rows = answer["offset_mapping"]
            answer["offset_mapping"] = (
                spoil(rows, masks)
                if isinstance(text, str)
                else [spoil(row, mask) for row, mask in zip(rows, masks, strict=True)]
            )
        return answer

    def _spoil(self, spans, mask):
        change = FAULTS[self.fault]
        return [s if special else change(*s) for s, special in zip(spans, mask, strict=True)]


def _model(spec: Kind) -> models.Model:
    if spec.model == "character":
        return models.WordLevel(unk_token=spec.specials["unk"])
    return models.BPE()


def _trainer(spec: Kind) -> trainers.Trainer:
    options = {"vocab_size": spec.size, "special_tokens": spec.names, "show_progress": False}
    if spec.model == "character":
        return trainers.WordLevelTrainer(**options)
    if spec.model == "bpe":
        options["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
    return trainers.BpeTrainer(**options)


def _learned(raw: tokenizers.Tokenizer, spec: Kind) -> list[str]:
    vocab = raw.get_vocab()
    return sorted(set(vocab) - set(spec.names), key=vocab.__getitem__)


def _with_continuations(raw: tokenizers.Tokenizer, spec: Kind) -> models.WordPiece:
    """WordPiece of the pieces that BPE finds: its own trainer answers differently in each run."""
    learned = _learned(raw, spec)
    tokens = (*spec.names, *learned, *(f"##{piece}" for piece in learned))
    return models.WordPiece({t: k for k, t in enumerate(tokens)}, unk_token=spec.specials["unk"])


def _with_scores(raw: tokenizers.Tokenizer, spec: Kind, texts: Sequence[str]) -> models.Unigram:
    """Unigram of the pieces that BPE finds, by how often it uses them; for the same reason."""
    uses = Counter(piece for text in texts for piece in raw.encode(text).tokens)
    learned = [(t, math.log((uses[t] + 0.1) / uses.total())) for t in _learned(raw, spec)]
    vocab = [*((name, 0.0) for name in spec.names), *learned]
    return models.Unigram(vocab, unk_id=spec.names.index(spec.specials["unk"]))


def _with_bytes(raw: tokenizers.Tokenizer, spec: Kind) -> tokenizers.Tokenizer:
    """Put the 256 bytes after the special tokens, as SentencePiece does; no trainer can."""
    pairs = json.loads(raw.to_str())["model"]["merges"]
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    tokens = (*spec.names, *byte_tokens, *_learned(raw, spec))
    vocab = {token: k for k, token in enumerate(tokens)}
    merges = [tuple(pair) for pair in pairs]
    full = tokenizers.Tokenizer(
        models.BPE(vocab, merges, unk_token=spec.specials["unk"], fuse_unk=True, byte_fallback=True)
    )
    full.add_special_tokens(spec.names)
    if spec.normalizer is not None:
        full.normalizer = spec.normalizer
    if spec.split is not None:
        full.pre_tokenizer = spec.split
    return full


def _finish(raw: tokenizers.Tokenizer, spec: Kind) -> None:
    if spec.processor is not None:
        raw.post_processor = spec.processor(raw)
    elif spec.template:
        tokens = {token for token in spec.template.split() if token != "$A"}
        raw.post_processor = processors.TemplateProcessing(
            single=spec.template,
            pair=_pair(spec.template),
            special_tokens=[(token, raw.token_to_id(token)) for token in sorted(tokens)],
        )


def _pair(template: str) -> str:
    """Join two texts as the models do: BERT's, RoBERTa's (two ends between), T5's, Llama's."""
    before, after = (side.strip() for side in template.split("$A"))
    if before == "[CLS]":
        return f"{before} $A {after} $B:1 {after}:1"
    if before and after:
        return f"{before} $A {after} {after} $B {after}"
    return f"$A {after} $B {after}" if after else f"{before} $A {before}:1 $B:1"
