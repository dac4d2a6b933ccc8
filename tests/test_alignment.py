"""Each word's sub-tokens are those that spell it: on hard strings and real text, by every kind."""

import functools
import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pytest
from probes_tasks.words import occurrence

import kinds
from probes.doctor.text import align_words, hard_strings
from probes.encoders.batches import plan_batches
from probes.encoders.tokens import Tokens

PYTHON = ("byt5", "canine")
FAST = tuple(kind for kind in kinds.KINDS if kind not in PYTHON)
N_QUICK, N_SLOW = 200, 2000  # sentences of UD English EWT dev, which has 2,001
FEW = 6  # texts to train on, such that most of EWT's words are cut, and some characters unknown
ANY = 1 << 40


@dataclass(frozen=True)
class Aligned:
    """A tokenizer without a model, which `align_words` does not use."""

    tokens: Tokens


def aligned(tokenizer) -> Tokens:
    return Tokens(tokenizer, name="tiny", n_ids=ANY, is_causal=False)


@functools.cache
def trained_on_hard_strings(kind: str, every: int = 1):
    return kinds.train(kind, hard_strings()[::every])


@functools.cache
def sentences(data) -> tuple[str, ...]:
    """Of EWT's dev split: the words of each sentence, with spaces between."""
    content = (data / "ud_en_ewt" / "en_ewt-ud-dev.conllu").read_text(encoding="utf-8")
    blocks = ([row.split("\t") for row in b.splitlines()] for b in content.split("\n\n"))
    found = [" ".join(row[1] for row in rows if row[0].isdecimal()) for rows in blocks]
    return tuple(sentence for sentence in found if sentence)


def words_of(texts) -> tuple[np.ndarray, np.ndarray]:
    found = [(k, *m.span()) for k, text in enumerate(texts) for m in re.finditer(r"\S+", text)]
    table = np.array(found, dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1:]


def covers(tokens: Tokens, texts) -> np.ndarray:
    return tokens.pieces(texts)[0].cover(*words_of(texts))


def by_characters(tokenizer) -> Tokens:
    tokens = aligned(tokenizer)
    tokens.aligner.method = "characters"
    return tokens


def may_be_dropped(character: str) -> bool:
    """Whether some tokenizer's normaliser leaves it out: what is no letter, number or sign."""
    return unicodedata.category(character)[0] in "MC" or character in "\ufffd▁"


# Hard strings.


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_word_of_a_hard_string_has_a_sub_token_or_only_what_tokenizers_drop(kind):
    strings = hard_strings()
    found = align_words(Aligned(aligned(trained_on_hard_strings(kind))), strings)
    assert found.n_words == sum(len(string.split()) for string in strings) > 1800
    for text, word in found.lost:
        assert word in strings[text].split()
        assert all(map(may_be_dropped, word)), ascii(word)
    assert len(found.lost) <= 12
    assert len(found.misspelt) <= 5
    if kind in PYTHON or kind.startswith(("byte", "bpe", "character")):  # nothing is dropped
        assert not found.lost


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_a_lost_word_is_named_and_no_other(kind):
    texts = ["she \u200b walks", "▁", "a \x00\u200d dog \ufffd"]
    tokens = aligned(trained_on_hard_strings(kind))
    named = align_words(Aligned(tokens), texts).lost
    index, spans = words_of(texts)
    empty = [(int(k), texts[k][a:b]) for k, (a, b) in zip(index, spans, strict=True)]
    ranges = covers(tokens, texts)
    assert list(named) == [w for w, (a, b) in zip(empty, ranges, strict=True) if a == b]
    assert not {word for _, word in named} & {"she", "walks", "a", "dog"}


@pytest.mark.parametrize("every", [1, 2])  # the others have characters that it does not know
@pytest.mark.parametrize("kind", FAST)
def test_the_character_aligner_agrees_with_the_offsets_on_hard_strings(kind, every):
    strings, tokenizer = hard_strings(), trained_on_hard_strings(kind, every)
    same = (covers(aligned(tokenizer), strings) == covers(by_characters(tokenizer), strings)).all(1)
    assert same.mean() >= 0.99


# Real text.


def by_concatenation(tokenizer, text: str, ids: list[int]) -> list[tuple[int, int]] | None:
    """Tokenise the words one at a time; None where their sub-tokens are not those of the text."""
    ranges, at = [], 0
    for k, word in enumerate(text.split()):
        for form in (word, " " + word) if k == 0 else (" " + word, word):
            own = tokenizer(form, add_special_tokens=False)["input_ids"]
            if own and ids[at : at + len(own)] == own:
                break
        else:
            return None
        ranges.append((at, at + len(own)))
        at += len(own)
    return ranges if at == len(ids) else None


def check_concatenation(kind: str, texts) -> None:
    tokenizer = kinds.train(kind, texts[:FEW])
    tokens = aligned(tokenizer)
    pieces, n_mended = tokens.pieces(texts)
    index, spans = words_of(texts)
    ranges = pieces.cover(index, spans) - pieces.content_bounds[index][:, None]
    comparable = 0
    for k, text in enumerate(texts):
        low, high = pieces.content_bounds[k : k + 2]
        ids = pieces.ids[pieces.content[low:high]].tolist()
        expected = by_concatenation(tokenizer, text, ids)
        comparable += expected is not None
        assert expected is None or ranges[index == k].tolist() == list(map(list, expected)), text
    assert comparable >= 0.99 * len(texts)
    assert n_mended == 0


@pytest.mark.parametrize("kind", FAST)
def test_words_stand_where_tokenising_them_one_by_one_puts_them(kind, data):
    check_concatenation(kind, sentences(data)[:N_QUICK])


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds.KINDS)
def test_words_of_2000_sentences_stand_where_tokenising_them_one_by_one_puts_them(kind, data):
    texts = sentences(data)[:N_SLOW]
    assert len(texts) == N_SLOW
    check_concatenation(kind, texts)


def check_closed_form(kind: str, texts) -> None:
    """A word's sub-tokens are its bytes or characters, after those of the space before it."""
    size = {"byt5": lambda text: len(text.encode()), "canine": len}[kind]
    tokens = aligned(kinds.train(kind, ()))
    index, spans = words_of(texts)
    pieces, _ = tokens.pieces(texts)
    ranges = pieces.cover(index, spans) - pieces.content_bounds[index][:, None]
    expected = []
    for text in texts:
        last = 0
        for match in re.finditer(r"\S+", text):
            expected.append([last, size(text[: match.end()])])
            last = expected[-1][1]
    assert ranges.tolist() == expected


@pytest.mark.parametrize("kind", PYTHON)
def test_bytes_and_code_points_stand_where_they_are_counted(kind, data):
    check_closed_form(kind, [*sentences(data)[:N_QUICK], *hard_strings()])


@pytest.mark.slow
@pytest.mark.parametrize("kind", PYTHON)
def test_bytes_and_code_points_of_2000_sentences_stand_where_they_are_counted(kind, data):
    check_closed_form(kind, sentences(data)[:N_SLOW])


def check_characters(kind: str, texts, n_texts: int) -> None:
    tokenizer = kinds.train(kind, texts[:n_texts])
    tokens = aligned(tokenizer)
    assert tokens.aligner.method == "offsets"
    same = (covers(tokens, texts) == covers(by_characters(tokenizer), texts)).all(axis=1)
    unknown = tokenizer.unk_token_id in tokens.pieces(texts)[0].ids  # it spells nothing
    assert unknown or n_texts > 1 or kind.startswith(("byte", "bpe"))
    assert same.mean() >= (0.999 if unknown else 1)


@pytest.mark.parametrize("n_texts", [1, 40])
@pytest.mark.parametrize("kind", FAST)
def test_the_character_aligner_agrees_with_the_offsets_on_real_text(kind, n_texts, data):
    check_characters(kind, sentences(data)[:N_QUICK], n_texts)


@pytest.mark.slow
@pytest.mark.parametrize("n_texts", [1, 40])
@pytest.mark.parametrize("kind", FAST)
def test_the_character_aligner_agrees_with_the_offsets_on_2000_sentences(kind, n_texts, data):
    check_characters(kind, sentences(data)[:N_SLOW], n_texts)


def check_fault(kind: str, fault: str, texts) -> None:
    tokenizer = kinds.train(kind, texts[:40])
    broken = aligned(kinds.faulty(tokenizer, fault))
    assert (covers(aligned(tokenizer), texts) == covers(broken, texts)).all()


@pytest.mark.parametrize("fault", kinds.FAULTS)
@pytest.mark.parametrize("kind", FAST)
def test_wrong_offsets_change_nothing(kind, fault, data):
    check_fault(kind, fault, sentences(data)[: N_QUICK // 2])


@pytest.mark.slow
@pytest.mark.parametrize("fault", kinds.FAULTS)
@pytest.mark.parametrize("kind", FAST)
def test_wrong_offsets_change_nothing_in_2000_sentences(kind, fault, data):
    check_fault(kind, fault, sentences(data)[:N_SLOW])


# Spans inside words, phrases, pairs and whole texts, by hand.

PARTS = (
    "the un happy dog s saw two un seen dog s",
    "собак а вид ит собак у и кот а",
    "老狗 看见 一只 狗 和 两只 猫",
    "हाथी ने हाथ ियों को देख ा",
)
DOGS = "the unhappy dogs saw two unseen dogs"
CATS = "собака видит собаку и кота"
FOXES = "老狗看见一只狗 和两只猫"
TUSKS = "हाथी ने हाथियों को देखा"
WHOLE = {  # sub-tokens by WordPiece and Unigram; by bytes, how many
    DOGS: (
        "the un ##happy dog ##s saw two un ##seen dog ##s",
        "▁the ▁un hap py ▁dog s ▁saw ▁two ▁un s ee n ▁dog s",
        16,  # the| un hap py| dog s| s aw| tw o| un s ee n| dog s
    ),
    CATS: ("собак ##а вид ##ит собак ##у и кот ##а", "▁собак а ▁вид и т ▁собак у ▁и ▁кот а", 16),
    FOXES: ("老 狗 看 见 一 只 狗 和 两 只 猫", "▁老狗 看 见 一 只 狗 ▁和 两 只 猫", 13),
    TUSKS: ("हाथी ने हाथ ##ियों को देख ##ा", "▁हाथी ▁ने ▁हाथ ियो ं ▁को ▁देख ा", 22),
}
# A text; a phrase and which of its occurrences, or characters of it; and the sub-tokens, counted
# from 0, end exclusive: of WordPiece, of Unigram, of byte-level BPE.
SPANS = [
    (DOGS, "dogs", 1, (3, 5), (4, 6), (4, 6)),
    (DOGS, "dogs", 2, (9, 11), (12, 14), (14, 16)),
    (DOGS, "unhappy dogs", None, (1, 5), (1, 6), (1, 6)),
    (DOGS, "saw two", None, (5, 7), (6, 8), (6, 10)),
    (DOGS, 6, 11, (2, 3), (2, 4), (2, 4)),  # happy
    (DOGS, 4, 6, (1, 2), (1, 2), (1, 2)),  # un
    (DOGS, 10, 13, (2, 4), (3, 5), (3, 5)),  # y d
    (CATS, "собаку", None, (4, 6), (5, 7), (9, 11)),
    (CATS, "и", None, (6, 7), (7, 8), (11, 12)),
    (CATS, "и кота", None, (6, 9), (7, 10), (11, 16)),
    (CATS, 10, 12, (3, 4), (3, 5), (6, 9)),  # ит
    (FOXES, "和两只猫", None, (7, 11), (6, 10), (7, 13)),
    (FOXES, 1, 2, (1, 2), (0, 1), (1, 2)),  # 狗 of 老狗
    (FOXES, 4, 5, (4, 5), (3, 4), (4, 6)),  # 一, whose last bytes are in one token with 只
    (FOXES, 6, 7, (6, 7), (5, 6), (6, 7)),  # 狗
    (TUSKS, "ने", None, (1, 2), (1, 2), (5, 7)),
    (TUSKS, "देखा", None, (5, 7), (6, 8), (18, 22)),
    (TUSKS, 11, 15, (3, 4), (3, 5), (10, 15)),  # ियों
]
BY_HAND = ("wordpiece-cased", "unigram", "byte-bpe")


def place_of(text: str, what: str | int, which: int | None) -> tuple[int, int]:
    return occurrence(text, what, which) if isinstance(what, str) else (what, which)


def read_in_batches(kind: str, text: str, spans) -> tuple[list[str], list[list[str]]]:
    """The sub-tokens of a text, and those that a batch reads for each of some spans or pairs."""
    tokenizer = kinds.train(kind, PARTS * 5)
    pieces, _ = aligned(tokenizer).pieces([text])
    how = {"pooling": "mean", "limit": None, "truncation": "error", "budget": 1, "pad_id": 0}
    at = np.array(spans, dtype=np.int64)
    (batch,) = plan_batches([text], pieces, np.zeros(len(at), dtype=np.int64), at, **how).batches
    ids = batch.input_ids.flatten()[batch.segments.positions]
    parts = ids.split(batch.segments.lengths.tolist())
    name = tokenizer.convert_ids_to_tokens
    return name(pieces.ids[pieces.content].tolist()), [name(part.tolist()) for part in parts]


@pytest.mark.parametrize("text", WHOLE, ids=("Latin", "Cyrillic", "Han", "Devanagari"))
@pytest.mark.parametrize("number", range(3), ids=BY_HAND)
def test_spans_phrases_and_whole_texts_end_up_where_a_hand_puts_them(text, number):
    rows = [row for row in SPANS if row[0] == text]
    spans = [place_of(*row[:3]) for row in rows]
    whole, found = read_in_batches(BY_HAND[number], text, [*spans, (0, len(text))])
    expected = WHOLE[text][number]
    assert whole == expected.split() if isinstance(expected, str) else len(whole) == expected
    assert found == [*(whole[slice(*row[3 + number])] for row in rows), whole]


@pytest.mark.parametrize("text", WHOLE, ids=("Latin", "Cyrillic", "Han", "Devanagari"))
@pytest.mark.parametrize("number", range(3), ids=BY_HAND)
def test_pairs_of_spans_end_up_where_a_hand_puts_each_of_them(text, number):
    rows = [row for row in SPANS if row[0] == text]
    pairs = [(a, b) for a in rows for b in rows]  # overlapping, equal and backward ones too
    spans = [(*place_of(*a[:3]), *place_of(*b[:3])) for a, b in pairs]
    whole, found = read_in_batches(BY_HAND[number], text, spans)
    assert found == [whole[slice(*row[3 + number])] for pair in pairs for row in pair]
