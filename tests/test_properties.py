"""Laws of text, spans and batches, on generated cases: any Unicode, any corpus, any budget."""

import functools
import itertools
import tempfile

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kinds
import zoo
from probes.doctor.text import hard_strings
from probes.encoders import TextEncoder
from probes.encoders.align import Pieces
from probes.encoders.characters import align_characters
from probes.encoders.tokens import Tokens
from probes.errors import InputError
from probes.states import extract
from probes.task import Task

pytestmark = pytest.mark.filterwarnings("ignore:This sequence already has")  # ByT5, of "</s>"

EMOJI = ("👩‍💻", "🇩🇪", "👍🏽", "☺\ufe0f", "e\u0301", "ﬁ", "ß", "İ", "ﷺ", "한", "각", "क्षि")
BLANK = (" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2028", "\u200b", "\ufeff", "\x00")
MARKS = ("▁", "Ġ", "##", "@@", "</w>", "<0x41>", "[CLS]", "[MASK]", "[UNK]", "<s>", "</s>", "<unk>")
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
known = st.sampled_from((*hard_strings(), *EMOJI, *BLANK, *MARKS, "<|endoftext|>"))
texts = st.lists(anything | known | st.sampled_from(BLANK), max_size=5).map("".join)
any_kind = st.sampled_from(kinds.KINDS)


def cases(quick: int, many: int):
    """Run a law on few cases, the same each time, or on many, others each time."""
    more = pytest.param(many, False, id="many", marks=pytest.mark.slow)
    return pytest.mark.parametrize(("n", "same"), [pytest.param(quick, True, id="quick"), more])


def check(law, n: int, same: bool, *strategies) -> None:
    calm = [HealthCheck.too_slow, HealthCheck.data_too_large]
    options = {"deadline": None, "print_blob": True, "suppress_health_check": calm}
    settings(max_examples=n, derandomize=same, **options)(given(*strategies)(law))()


# Text and spans.


@functools.cache
def tokens_of(kind: str, knows_much: bool = True) -> Tokens:
    known_texts = [*zoo.SENTENCES, *(hard_strings() if knows_much else ())]
    tokenizer = kinds.train(kind, known_texts)
    return Tokens(tokenizer, name="tiny", n_ids=1 << 40, is_causal=False)


def places(pieces: Pieces, text: int) -> np.ndarray:
    """Start and end of each sub-token, in characters of its text."""
    here = slice(*pieces.content_bounds[text : text + 2])
    return np.stack([pieces.starts[here], pieces.ends[here]], axis=1) - pieces.text_starts[text]


def cover(pieces: Pieces, *spans) -> list[tuple[int, int]]:
    index, at = np.zeros(len(spans), dtype=np.int64), np.array(spans, dtype=np.int64)
    return [tuple(pair) for pair in pieces.cover(index, at).tolist()]


@cases(400, 3000)
def test_a_sub_token_covers_something_inside_the_text_and_they_are_in_order(n, same):
    def law(kind, knows_much, text):
        pieces, _ = tokens_of(kind, knows_much).pieces([text])
        starts, ends = places(pieces, 0).T
        assert (starts >= 0).all() and (starts < ends).all() and (ends <= len(text) + 1).all()
        assert (starts[ends > len(text)] >= len(text.rstrip())).all()  # of trailing white space
        assert (np.diff(starts) >= 0).all() and (np.diff(ends) >= 0).all()

    check(law, n, same, any_kind, st.booleans(), texts)


@cases(200, 1500)
def test_tokenising_a_text_does_not_depend_on_its_neighbours(n, same):
    def law(kind, knows_much, several):
        tokens = tokens_of(kind, knows_much)
        together, _ = tokens.pieces(several)
        for k, text in enumerate(several):
            alone, _ = tokens.pieces([text])
            assert together.ids[slice(*together.bounds[k : k + 2])].tolist() == alone.ids.tolist()
            assert np.array_equal(places(together, k), places(alone, 0))

    check(law, n, same, any_kind, st.booleans(), st.lists(texts, min_size=1, max_size=4))


@cases(300, 1500)
def test_the_whole_text_is_all_sub_tokens_but_those_of_trailing_white_space(n, same):
    def law(kind, text):
        pieces, _ = tokens_of(kind).pieces([text])
        (whole,) = cover(pieces, (0, len(text)))
        starts = places(pieces, 0)[:, 0]
        left = starts[whole[1] :] if whole[1] > whole[0] else starts
        assert whole[0] == 0 or whole[0] == whole[1]
        assert (left >= len(text.rstrip())).all()

    check(law, n, same, any_kind, texts)


@cases(300, 2000)
def test_a_span_inside_another_is_covered_by_some_of_its_sub_tokens(n, same):
    def law(kind, text, data):
        a, b, c, d = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 4)))
        pieces, _ = tokens_of(kind).pieces([text])
        inner, outer = cover(pieces, (b, c), (a, d))
        assert inner[0] >= inner[1] or (outer[0] <= inner[0] and inner[1] <= outer[1])
        for start, end in places(pieces, 0)[slice(*inner)] if b < c else ():
            assert start < c and end > b  # each overlaps the span

    check(law, n, same, any_kind, texts, st.data())


@cases(300, 1500)
def test_a_word_with_letters_of_a_known_script_is_never_lost(n, same):
    letters = sorted({c for text in hard_strings() for c in text if c.isalnum()})
    words = st.lists(st.text(st.sampled_from(letters), min_size=1, max_size=6), min_size=1)

    def law(kind, forms, between):
        text = between.join(forms)
        pieces, _ = tokens_of(kind).pieces([text])
        start = 0
        for form in forms:
            ((first, end),) = cover(pieces, (start, start + len(form)))
            assert first < end, form
            start += len(form) + len(between)

    check(law, n, same, any_kind, words, st.sampled_from((" ", "\t", "\u3000", " \u200b ")))


# The character aligner.


@cases(300, 3000)
def test_the_character_aligner_answers_any_text_and_any_spelling(n, same):
    def law(text, spelled):
        spans = align_characters(text, spelled)
        assert len(spans) == len(spelled)
        assert all(0 <= start < end <= len(text) + 1 for start, end in spans)

    spelling = st.none() | st.binary(max_size=6) | texts.map(str.encode)
    check(law, n, same, texts, st.lists(spelling, max_size=8))


@cases(300, 1500)
def test_bytes_cut_anywhere_stand_where_their_characters_do(n, same):
    def law(text, data):
        whole = text.encode()
        owner = [k for k, char in enumerate(text) for _ in char.encode()]
        cuts = data.draw(st.sets(st.integers(1, max(len(whole) - 1, 1)), max_size=8))
        edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
        ranges = list(itertools.pairwise(edges))
        spans = align_characters(text, [whole[a:b] for a, b in ranges])
        for (a, b), span in zip(ranges, spans, strict=True):
            solid = [k for k in owner[a:b] if not text[k].isspace()]
            assert not solid or span == (solid[0], solid[-1] + 1)

    check(law, n, same, texts, st.data())


# Batches.

POOLINGS = ("first", "last", "mean", "max", "cls")
READ = {"bert": None, "gpt2": None, "t5": "both"}
short = st.sampled_from((*zoo.SENTENCES, *hard_strings()[::7])) | anything
few = st.sampled_from(zoo.SENTENCES) | anything
corpora = st.lists(short, min_size=1, max_size=8)


@pytest.fixture(scope="module")
def encoder_of(tiny):
    @functools.cache
    def load(family: str, part: str | None = None, max_tokens: int | None = None) -> TextEncoder:
        return TextEncoder.from_pretrained(tiny(family), part=part, max_tokens=max_tokens)

    return load


def units(corpus, unit: str) -> Task | None:
    """Words, whole texts, or pairs of words of some texts; None where there is none."""
    rows = []
    for k, text in enumerate(corpus):
        at, words = 0, []
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            words.append((start, at))
        if unit == "sentence":
            rows.append((k, 0, len(text)))
        elif unit == "pair":
            rows += [(k, *a, *b) for a, b in zip(words, words[::-1], strict=True)]
        else:
            rows += [(k, *word) for word in words]
    if not rows:
        return None
    table, n = np.array(rows, dtype=np.int64), len(rows)
    return Task(
        name="generated",
        labelling="x",
        unit=unit,
        kind="class",
        texts=tuple(corpus),
        text_index=table[:, 0],
        spans=table[:, 1:],
        labels=np.array(["x"] * n, dtype=object),
        splits=np.array(["train"] * n),
        groups=table[:, 0].astype(str),
    )


def vectors(task: Task, encoder: TextEncoder, **options) -> tuple[list[np.ndarray], list[int]]:
    """Of each layer, and the units that were lost."""
    with tempfile.TemporaryDirectory() as folder:
        store = extract(task, encoder, folder, lost="skip", **options)
        return [np.array(store.X(layer)) for layer in encoder.layers], store.lost.tolist()


def apart(encoder: TextEncoder, corpus, unit: str, **options) -> list[np.ndarray]:
    """The same vectors, of each text in a corpus of its own, one after the other."""
    alone = [units([text], unit) for text in corpus]
    found = [vectors(task, encoder, **options)[0] for task in alone if task is not None]
    return [np.concatenate(layer) for layer in zip(*found, strict=True)]


unit_kinds = st.sampled_from(("word", "sentence", "pair"))
families, limits = st.sampled_from(tuple(READ)), st.sampled_from((6, 9, 17))


def check_apart(encoder: TextEncoder, corpus, unit: str, budget: int, pooling: str) -> None:
    """The vectors of a corpus are, but for rounding, those of each of its texts alone."""
    task, options = units(corpus, unit), {"pooling": pooling, "truncation": "window"}
    if task is None:
        return
    if pooling == "cls" and encoder.tokens.beginning == "none":
        read = corpus[task.text_index[0] : task.text_index[-1] + 1]
        if len(encoder.tokenize(read).content):
            with pytest.raises(InputError, match="special token before the text"):
                vectors(task, encoder, budget=budget, **options)
        return
    together, lost = vectors(task, encoder, budget=budget, **options)
    for crowd, alone in zip(together, apart(encoder, corpus, unit, **options), strict=True):
        assert np.flatnonzero(np.isnan(alone).any(axis=1)).tolist() == lost
        error, size = (np.linalg.norm(X, axis=1) for X in (crowd - alone, alone))
        assert (np.delete(error, lost) <= 1e-5 * np.delete(size, lost)).all()


@pytest.mark.parametrize("unit", ["word", "sentence", "pair"])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("family", READ)
def test_every_pooling_answers_every_kind_of_unit(family, pooling, unit, encoder_of):
    check_apart(encoder_of(family, READ[family]), zoo.SENTENCES[:4], unit, 64, pooling)


@cases(60, 400)
def test_a_vector_does_not_depend_on_budget_order_or_neighbours(n, same, encoder_of):
    def law(family, corpus, unit, budget, pooling):
        check_apart(encoder_of(family, READ[family]), corpus, unit, budget, pooling)

    budgets = st.integers(1, 5000)
    check(law, n, same, families, corpora, unit_kinds, budgets, st.sampled_from(POOLINGS))


@cases(40, 200)
def test_with_deterministic_a_vector_does_not_depend_on_neighbours_by_a_bit(n, same, encoder_of):
    def law(family, corpus, unit):
        encoder, task = encoder_of(family, READ[family]), units(corpus, unit)
        options = {"truncation": "window", "deterministic": True}
        if task is not None:
            together, _ = vectors(task, encoder, **options)
            for crowd, alone in zip(together, apart(encoder, corpus, unit, **options), strict=True):
                assert crowd.tobytes() == alone.tobytes()

    check(law, n, same, families, corpora, unit_kinds)


@cases(60, 250)
def test_windows_answer_every_word_whatever_their_stride(n, same, encoder_of):
    def law(family, corpus, unit, max_tokens, data):
        encoder, task = encoder_of(family, READ[family], max_tokens), units(corpus, unit)
        if task is None:
            return
        pieces = encoder.tokenize(task.texts)
        covered = pieces.cover(
            np.repeat(task.text_index, task.spans.shape[1] // 2), task.spans.reshape(-1, 2)
        )
        empty = (covered[:, 1] <= covered[:, 0]).reshape(task.n_units, -1).any(axis=1)
        special = (pieces.lengths - np.diff(pieces.content_bounds)).max()
        stride = data.draw(st.none() | st.integers(1, max(int(max_tokens - special) - 1, 1)))
        X, lost = vectors(task, encoder, truncation="window", stride=stride)
        assert lost == np.flatnonzero(empty).tolist()
        assert all(np.isfinite(np.delete(layer, lost, axis=0)).all() for layer in X)

    check(law, n, same, families, corpora, unit_kinds, limits, st.data())


def in_windows(encoder: TextEncoder, text: str, stride: int):
    """First and end content token of each window over a text, and its states by layer."""
    pieces = encoder.tokenize([text])
    n = len(pieces.content)
    room = encoder.max_tokens - (len(pieces.ids) - n)
    head, tail = pieces.ids[: pieces.content[0]], pieces.ids[pieces.content[-1] + 1 :]
    firsts = {min(first, max(n - room, 0)) for first in range(0, n, stride)}
    for first in sorted(firsts):
        inner = pieces.ids[pieces.content[first : first + room]]
        ids = torch.from_numpy(np.concatenate([head, inner, tail]))[None]
        states = encoder.states_of(ids, torch.ones_like(ids), encoder.layers)
        at = {k: len(head) + k.startswith("decoder") for k in states}  # after its start token
        yield first, first + len(inner), {k: h[0, at[k] :] for k, h in states.items()}


@cases(12, 250)
def test_a_word_has_the_vector_of_a_window_that_holds_it(n, same, encoder_of):
    def law(family, text, max_tokens, stride):
        encoder, task = encoder_of(family, READ[family], max_tokens), units([text], "word")
        if task is None or not len(encoder.tokenize([text]).content):
            return
        X, _ = vectors(task, encoder, truncation="window", stride=stride, pooling="mean")
        read = list(in_windows(encoder, text, stride))
        for unit, (first, end) in enumerate(cover(encoder.tokenize([text]), *task.spans)):
            held = [(low, states) for low, high, states in read if low <= first < end <= high]
            for layer, vector in zip(encoder.layers, (x[unit] for x in X), strict=True):
                means = [s[layer][first - low : end - low].mean(0).numpy() for low, s in held]
                near = [np.linalg.norm(vector - m) <= 1e-5 * np.linalg.norm(m) for m in means]
                assert any(near) or not held, (unit, layer)

    check(law, n, same, families, few, limits, st.integers(2, 3))


@cases(60, 250)
def test_own_states_put_in_at_any_layer_give_the_own_output_bit_for_bit(n, same, encoder_of):
    members = [(family, None) for family in zoo.FAMILIES]
    members += [(family, part) for family in ("t5", "bart") for part in ("decoder", "both")]

    def law(member, corpus, data):
        encoder = encoder_of(*member)
        lengths = encoder.tokenize(corpus).lengths
        limit = encoder.max_tokens or 64
        fit = [text for text, m in zip(corpus, lengths, strict=True) if 0 < m <= limit] or ["a"]
        layer = data.draw(st.sampled_from(encoder.layers))
        states = encoder.hidden_states(fit, encoder.layers)
        assert torch.equal(encoder.run_from(layer, states[layer], fit), states[encoder.layers[-1]])

    check(
        law, n, same, st.sampled_from(members), st.lists(short, min_size=1, max_size=3), st.data()
    )
