"""Words' vectors at every layer are those of a plain forward pass, and what is left out is told."""

import functools
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from probes.analogy import layers as reading
from probes.analogy.candidates import candidates
from probes.analogy.contexts import draw_occurrences
from probes.analogy.questions import AnalogySet, Pair, Relation, every_question
from probes.analogy.states import TEMPLATE, model_vectors
from probes.encoders import TextEncoder
from probes.errors import InputError
from zoo import SENTENCES

# Some are single sub-tokens of some of the tokenizers, which know nothing but SENTENCES.
WORDS = ("the", "dog", "water", "unbelievably", "questions", "that", "internationalisation", "y")
FAMILIES = ("bert", "roberta", "gpt2", "llama", "qwen2", "albert", "t5")
CAUSAL = ("gpt2", "llama", "qwen2")


@functools.lru_cache(maxsize=16)
def plain_model(folder: str):
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float64).eval()
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    return transformers.AutoTokenizer.from_pretrained(folder), model


def plain_ids(folder: str, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """The ids of a text and the characters of each; GPT-2's tokenizer does not use its start."""
    tokenizer = plain_model(folder)[0]
    answer = tokenizer(text, padding=False, truncation=False, return_offsets_mapping=True)
    ids, offsets = answer["input_ids"], answer["offset_mapping"]
    if "gpt2" in folder:
        ids, offsets = [tokenizer.bos_token_id, *ids], [(0, 0), *offsets]
    return ids, offsets


def covering(folder: str, ids, offsets, start: int, end: int) -> list[int]:
    """The sub-tokens of some characters, with that of the space alone before them, if any."""
    inside = [k for k, (a, b) in enumerate(offsets) if a < end and b > start and b > a]
    before = plain_model(folder)[0].convert_ids_to_tokens(ids[inside[0] - 1])
    return [inside[0] - 1, *inside] if inside[0] and before in ("Ġ", "▁") else inside


def plain_vectors(folder: str, text: str, start: int, end: int) -> list[np.ndarray]:
    """The mean over the sub-tokens of some characters, at each of the model's hidden states.

    The last of them is after the final norm where there is one, so it is left out.
    """
    ids, offsets = plain_ids(folder, text)
    with torch.no_grad():
        states = plain_model(folder)[1](torch.tensor([ids]), output_hidden_states=True)
    inside = covering(folder, ids, offsets, start, end)
    return [h[0, inside].mean(dim=0).numpy() for h in states.hidden_states[:-1]]


def close(got: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.linalg.norm(got - wanted) <= 1e-5 * np.linalg.norm(wanted))


def told(progress: list[int]):
    """A progress that keeps the numbers of units that were encoded."""
    from contextlib import nullcontext

    def stage(title, total):
        progress.append(total)
        return nullcontext(lambda n: None)

    return SimpleNamespace(stage=stage, say=lambda line: None)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bare_word_is_the_plain_forward_of_the_word(tiny, tmp_path, family: str) -> None:
    folder = tiny(family)
    found = model_vectors(folder, WORDS, "bare", root=tmp_path)
    assert found.words == WORDS and not found.n_lost
    plain = [plain_vectors(folder, word, 0, len(word)) for word in WORDS]
    for layer in range(len(plain[0])):
        X = found.X(layer)
        assert X.shape == (len(WORDS), X.shape[1]) and X.dtype == np.float32
        for row, word in enumerate(WORDS):
            assert close(X[row], plain[row][layer]), (layer, word)


@pytest.mark.parametrize("template", [TEMPLATE, "she walks {}", 'a {brace} and "{}" : %s'])
@pytest.mark.parametrize("family", ["bert", "gpt2", "llama", "qwen2"])
def test_a_template_is_the_mean_of_the_words_sub_tokens_in_it(
    tiny, tmp_path, family: str, template: str
) -> None:
    folder = tiny(family)
    found = model_vectors(folder, WORDS, "template", root=tmp_path, template=template)
    for row, word in enumerate(WORDS):
        text = template.replace("{}", word)
        start = template.index("{}")
        for layer, wanted in enumerate(plain_vectors(folder, text, start, start + len(word))):
            assert close(found.X(layer)[row], wanted), (layer, word)


CORPUS = (
    "the dog sees the other dog",
    "A Dog barks at the water",
    "The dog that barks",
    "dog",
    "water",
    "hotdog and dog-tired and the dog's bone are no dog",
    "A Dog barks at the water",
)


def occurrences(causal: bool) -> dict[str, list[tuple[str, int, int]]]:
    """Where the words of CORPUS occur, found by another way than the library's."""
    found: dict[str, list[tuple[str, int, int]]] = {"the": [], "dog": [], "water": []}
    for text in dict.fromkeys(CORPUS):
        for match in re.finditer(r"[^ ]+", text):
            word = match.group().casefold()
            if word in found and text.casefold() != word and (match.start() > 0 or not causal):
                found[word].append((text, *match.span()))
    return found


@pytest.mark.parametrize("block", [1, 1 << 26])
@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_contexts_are_the_mean_of_single_contexts(
    tiny, tmp_path, monkeypatch, family: str, block: int
) -> None:
    monkeypatch.setattr(reading, "_BLOCK_BYTES", block)
    folder = tiny(family)
    found = model_vectors(
        folder, ("water", "zebra", "dog", "the"), "contexts", root=tmp_path, corpus=CORPUS
    )
    wanted = occurrences(family == "gpt2")
    assert found.words == ("water", "dog", "the")
    assert found.lost == ("zebra",) and found.n_lost == 1
    assert found.n_contexts.tolist() == [len(wanted[word]) for word in found.words]
    for row, word in enumerate(found.words):
        each = [plain_vectors(folder, *place) for place in wanted[word]]
        for layer, singles in enumerate(zip(*each, strict=True)):
            assert close(found.X(layer)[row], np.mean(singles, axis=0)), (layer, word)
    assert found.notes == (
        "1 of 4 words occur nowhere in the corpus beside other words, and are left out",
        "3 of 3 words have fewer than 10 contexts",
    )


def test_a_file_of_sentences_is_a_corpus(tiny, tmp_path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(CORPUS) + "\n\n", encoding="utf-8")
    both = [
        model_vectors(tiny("bert"), ["dog", "the"], "contexts", root=tmp_path / "store", corpus=c)
        for c in (CORPUS, path)
    ]
    assert both[0].fingerprint == both[1].fingerprint
    assert (both[0].X(1) == both[1].X(1)).all()


def test_a_word_goes_by_its_own_spelling_first() -> None:
    def drawn(words, text):
        places = draw_occurrences(words, [text], 10, seed=0, after_others=False)
        rows = zip(places.text_index, places.spans, strict=True)
        spelt = [places.texts[t][a:b] for t, (a, b) in rows]
        return sorted(zip((words[row] for row in places.word), spelt, strict=True))

    text = "Some Polish polish POLISH things in the U.S. and in New York's New York"
    assert drawn(["polish", "Polish"], text) == [
        ("Polish", "Polish"),
        ("polish", "POLISH"),
        ("polish", "polish"),
    ]
    assert drawn(["new york", "u.s.", "s", "York"], text) == [
        ("York", "York"),
        ("new york", "New York"),
        ("u.s.", "U.S."),
    ]
    assert drawn(["u.s"], text) == [("u.s", "U.S")]
    assert drawn(["strasse", "°"], "Die STRAẞE und 5 °") == [("strasse", "STRAẞE")]


def test_no_more_contexts_are_drawn_than_asked_for_by_seed_alone() -> None:
    texts = [f"the dog number {k} is a dog" for k in range(200)]

    def drawn(words, texts, seed=0):
        places = draw_occurrences(words, texts, 7, seed=seed, after_others=False)
        index, word = places.text_index, places.word
        rows = np.flatnonzero(word == words.index("dog"))
        assert len(rows) == 7 and (np.diff(index) >= 0).all()
        return {(places.texts[index[row]], *places.spans[row].tolist()) for row in rows}

    one = drawn(["dog"], texts)
    assert drawn(["the", "dog", "is"], texts[::-1]) == one
    assert drawn(["dog"], texts, seed=1) != one
    starts = [start for seed in range(100) for _, start, _ in drawn(["dog"], texts, seed)]
    assert 270 < starts.count(4) < 430  # half of 700: both dogs of a text are alike likely


@pytest.mark.parametrize("family", FAMILIES)
def test_single_sub_tokens_are_told(tiny, tmp_path, family: str) -> None:
    folder = tiny(family)
    tokenizer = plain_model(folder)[0]

    def is_single(text: str, start: int, end: int) -> bool:
        ids, offsets = plain_ids(folder, text)
        mine = covering(folder, ids, offsets, start, end)
        return len(mine) == 1 and ids[mine[0]] != tokenizer.unk_token_id

    bare = model_vectors(folder, WORDS, "bare", root=tmp_path)
    assert bare.single.dtype == bool
    assert bare.single.tolist() == [is_single(word, 0, len(word)) for word in WORDS]
    assert bare.single.any() and not bare.single.all()
    filled = model_vectors(folder, WORDS, "template", root=tmp_path, template="see {} .")
    assert filled.single.tolist() == [is_single(f"see {w} .", 4, 4 + len(w)) for w in WORDS]
    corpus = [f"see {w} ." for w in WORDS] + [f"the:{w}" for w in WORDS]
    both = model_vectors(folder, WORDS, "contexts", root=tmp_path, corpus=corpus)
    rows = both.words.index("water")
    assert both.single[rows] == (is_single("see water .", 4, 9) and is_single("the:water", 4, 9))


def test_a_word_that_the_tokenizer_does_not_know_is_no_single_piece(tiny, tmp_path) -> None:
    found = model_vectors(tiny("bert"), ["dog", "王"], "bare", root=tmp_path)
    assert found.words == ("dog", "王") and not found.single[1]
    assert found.notes == ("1 words hold characters that the tokenizer does not know",)


def test_a_word_without_sub_tokens_is_left_out_and_counted(tiny, tmp_path) -> None:
    blank = "\u0301"  # an accent alone, which BERT's normaliser drops
    found = model_vectors(tiny("bert"), ["dog", blank, "water"], "bare", root=tmp_path)
    assert found.words == ("dog", "water") and found.lost == (blank,)
    assert found.X(0).shape[0] == len(found.single) == 2 and np.isfinite(found.X(0)).all()
    assert found.notes == ("1 of 3 words have no sub-token of their own, and are left out",)
    with pytest.raises(InputError, match="covers any of the 1 words; check that they are words of"):
        model_vectors(tiny("bert"), [blank], "bare", root=tmp_path)


@pytest.mark.parametrize(
    ("how", "options"),
    [("bare", {}), ("template", {}), ("contexts", {"corpus": CORPUS, "n_contexts": 2})],
)
def test_a_second_call_encodes_nothing(tiny, tmp_path, how, options) -> None:
    counts: list[int] = []
    encoder = TextEncoder.from_pretrained(tiny("bert"))
    words = ["dog", "the"]
    first, second = (
        model_vectors(encoder, words, how, root=tmp_path, progress=told(counts), **options)
        for _ in range(2)
    )
    assert len(counts) == 1
    assert first.fingerprint == second.fingerprint == second.store.layout.digest
    for layer in first.layers:
        assert (first.X(layer) == second.X(layer)).all()
    few = model_vectors(
        encoder, words, how, root=tmp_path, layers="0-1", progress=told(counts), **options
    )
    assert few.layers == ("0", "1") and len(counts) == 1
    assert few.vectors(1).words == few.words and (first.X(1) == few.vectors(1).X).all()
    assert few.vectors(1).name == "layer 1"


@pytest.mark.parametrize("family", CAUSAL)
def test_a_bare_word_of_a_decoder_stands_after_the_beginning_where_there_is_one(
    tiny, tmp_path, family: str
) -> None:
    encoder = TextEncoder.from_pretrained(tiny(family))
    pieces = encoder.tokenize(WORDS)
    stands_first = pieces.content[pieces.content_bounds[:-1]] == pieces.bounds[:-1]
    has_none = encoder.tokenizer.bos_token_id is None
    assert has_none == (family == "qwen2") == stands_first.all() == stands_first.any()
    notes = " ".join(model_vectors(encoder, WORDS, "bare", root=tmp_path).notes)
    assert ("has no beginning-of-sequence token" in notes) == has_none
    assert ("that the tokenizer itself does not add" in notes) == (family == "gpt2")
    assert not model_vectors(encoder, WORDS, "template", root=tmp_path).notes


def test_words_that_are_cut_otherwise_within_a_text_are_told(tiny, tmp_path) -> None:
    tokenizer = plain_model(tiny("gpt2"))[0]
    known = tokenizer.get_vocab()
    spaced = sorted(t[1:] for t in known if t[:1] == "Ġ" and t[1:].isalpha())
    words = [word for word in spaced if len(word) > 1]
    notes = model_vectors(tiny("gpt2"), words, "bare", root=tmp_path).notes
    n_bare, n_within = (
        sum(len(tokenizer.tokenize(space + word)) == 1 for word in words) for space in ("", " ")
    )
    assert n_bare < n_within
    told = f"{n_bare} of {len(words)} bare words are single sub-tokens, within a text {n_within}: "
    assert notes[-1].startswith(told)
    assert not model_vectors(tiny("bert"), words, "bare", root=tmp_path).notes


def test_long_sentences_are_read_in_windows_and_counted(tiny, tmp_path) -> None:
    corpus = [" ".join(SENTENCES * 3) + " the dog", "a dog"]
    found = model_vectors(tiny("bert"), ["dog"], "contexts", root=tmp_path, corpus=corpus)
    assert "1 texts are longer than the model allows, and were read in windows" in found.notes


@pytest.mark.parametrize(
    ("how", "options", "message"),
    [
        ("bear", {}, "unknown way from a word to a vector 'bear' (nearest: 'bare')"),
        ("template", {"template": "a word"}, "template 'a word' has 0 places for the word; expect"),
        ("template", {"template": "{} {}"}, "template '{} {}' has 2 places for the word; expected"),
        ("contexts", {}, "contexts are drawn from a corpus; give one, or how='template'"),
        ("contexts", {"corpus": []}, "the corpus holds no texts; give sentences in which"),
        ("contexts", {"corpus": "missing.txt"}, "missing.txt cannot be read: No such file"),
        (
            "contexts",
            {"corpus": ["dog", "hotdog stands"]},
            "none of the 2 words occurs in the corpus (2 texts) beside other words",
        ),
        ("contexts", {"corpus": CORPUS, "n_contexts": 0}, "n_contexts 0, seed 0: expected n_cont"),
        ("bare", {"seed": -1}, "n_contexts 10, seed -1: expected n_contexts of 1 or more, a seed"),
        ("bare", {"layers": "9"}, "unknown layer '9'; layers of this model: 0-3"),
        ("bare", {"words": []}, "no list of words to encode; give at least one"),
        ("bare", {"words": "dog"}, "no list of words to encode; give at least one"),
        ("bare", {"words": ["dog", ""]}, "word 1 is ''; expected no blank at its edges"),
        ("bare", {"words": [" dog"]}, "word 0 is ' dog'; expected no blank at its edges"),
        ("bare", {"words": ["a", "b", "a"]}, "word 2, 'a', is word 0 already; give each once"),
    ],
)
def test_what_cannot_be_used_is_named(tiny, tmp_path, how, options, message) -> None:
    options = {"words": ["dog", "the"], "how": how, "root": tmp_path, **options}
    with pytest.raises(InputError, match=re.escape(message)):
        model_vectors(tiny("bert"), **options)


def test_a_layer_that_was_not_asked_for_is_named(tiny, tmp_path) -> None:
    found = model_vectors(tiny("bert"), WORDS, "bare", root=tmp_path, layers="0-1")
    with pytest.raises(InputError, match=r"unknown layer '2'.*known: 0, 1"):
        found.X(2)


@pytest.mark.parametrize("family", CAUSAL)
def test_a_template_of_a_decoder_puts_words_before(tiny, tmp_path, family: str) -> None:
    with pytest.raises(InputError, match=r"is causal and sees only what stands before a word"):
        model_vectors(tiny(family), WORDS, "template", root=tmp_path, template=" {} is a word")
    model_vectors(tiny("bert"), WORDS, "template", root=tmp_path, template="{} is a word")


def test_a_place_that_is_no_folder_is_named(tiny, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"no folder can be made at .*choose another root"):
        model_vectors(tiny("bert"), WORDS, "bare", root=tmp_path / "file")


def test_candidates_of_a_file_are_its_words_and_those_of_the_questions(tmp_path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("the\nathens\nit's\n42\ncafé\nthe\npolish\nlast\nover\n", encoding="utf-8")
    assert candidates(5, path) == ("the", "athens", "café", "polish", "last")
    assert candidates(99, path) == ("the", "athens", "café", "polish", "last", "over")
    pairs = (
        Pair("Greece", ("Athens",)),
        Pair("Poland", ("Polish", "polish")),
        Pair("e", ("it's",)),
    )
    relations = (Relation("made", "", pairs),)
    questions = AnalogySet("made", relations, every_question(relations))
    listed = candidates(5, path, also=questions.words)
    assert listed[:5] == ("the", "Athens", "café", "polish", "last")
    assert listed[5:] == ("Greece", "Poland", "Polish", "e", "it's")
    assert set(questions.words) <= set(listed) and len(set(listed)) == len(listed)


def test_candidates_that_cannot_be_listed_are_named(tmp_path, monkeypatch) -> None:
    with pytest.raises(InputError, match="0 candidate words; expected at least 1"):
        candidates(0)
    with pytest.raises(InputError, match=r"none\.txt cannot be read: No such file"):
        candidates(5, tmp_path / "none.txt")
    path = tmp_path / "counts.txt"
    path.write_text("")
    with pytest.raises(InputError, match=r"counts\.txt is empty; give a word a line"):
        candidates(5, path)
    path.write_text("the 220386\nof 131506\n")
    with pytest.raises(InputError, match="holds no word that is letters alone; expected a word a"):
        candidates(5, path)
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(InputError, match=re.escape('pip install "layerprobes[analogy]"')):
        candidates()


def test_the_list_of_frequent_words_is_as_long_as_asked() -> None:
    pytest.importorskip("wordfreq")
    words = candidates(also=["Athens", "zyzzyvas"])
    assert len(words) == 20_001 and words[:3] == ("the", "to", "and")
    assert all(word.isalpha() for word in words) and words[-1] == "zyzzyvas"
    assert "Athens" in words and "athens" not in words
    assert candidates(1000) == candidates(2000)[:1000]
