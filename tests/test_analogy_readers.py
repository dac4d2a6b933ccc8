"""Word vectors: every format reads to the same."""

import gzip
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.vectors import Vectors as SpacyVectors

from probes.analogy.read import from_keyed_vectors, from_spacy, read_vectors
from vector_files import SPACED, WORDS, assert_same, binary, matrix, parquet, put, saved, text


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("glove.txt", text(SPACED, matrix(len(SPACED)))),
        ("glove-crlf.txt", text(SPACED, matrix(len(SPACED)), end="\r\n")),
        ("glove-no-end.txt", text(SPACED, matrix(len(SPACED))).rstrip(b"\n")),
        ("glove-blank-end.txt", text(SPACED, matrix(len(SPACED))) + b"\n \n"),
        ("glove-bom.txt", b"\xef\xbb\xbf" + text(SPACED, matrix(len(SPACED)))),
        ("w2v.txt", text(SPACED, matrix(len(SPACED)), header=True)),
        ("w2v-of-the-c-program.txt", text(SPACED, matrix(len(SPACED)), header=True, after=" ")),
        ("w2v-text.bin", text(SPACED, matrix(len(SPACED)), header=True)),
        ("w2v-bom.vec", b"\xef\xbb\xbf" + text(SPACED, matrix(len(SPACED)), header=True)),
    ],
)
def test_text_is_read_whatever_its_words_hold(tmp_path, name, content, packed) -> None:
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(content) if packed else content)
    vectors = read_vectors(path)
    assert_same(vectors, SPACED, matrix(len(SPACED)))
    assert vectors.name == path.name


def test_tabs_and_runs_of_spaces_separate_too(tmp_path) -> None:
    path = put(tmp_path, {"v.txt": b"a\t1\t2\nb  3   4\nc d +5 6e0\n"})
    assert_same(read_vectors(path), ("a", "b", "c d"), np.float32([[1, 2], [3, 4], [5, 6]]))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("feed", [b"", b"\n"], ids=["gensim", "c"])
@pytest.mark.parametrize("suffix", ["bin", "w2v"])
def test_binary_is_read_with_feeds_and_without(tmp_path, packed, feed, suffix) -> None:
    X = matrix(len(WORDS))
    raw = binary(WORDS, X, feed=feed)
    path = put(tmp_path, {f"v.{suffix}": gzip.compress(raw) if packed else raw})
    assert_same(read_vectors(path), WORDS, X)


def test_blocks_meet_without_a_seam(tmp_path, monkeypatch) -> None:
    words, X = tuple(f"w{i}" for i in range(50)), matrix(50)
    for n_bytes in (1, 3, 64, 1000):
        monkeypatch.setattr("probes.analogy.lines._N_BYTES", n_bytes)
        monkeypatch.setattr("probes.analogy.binary._N_BYTES", n_bytes)
        monkeypatch.setattr("probes.analogy.vectors.BLOCK", n_bytes)
        assert_same(read_vectors(put(tmp_path, {"v.txt": text(words, X)})), words, X)
        assert_same(read_vectors(put(tmp_path, {"w.txt": text(words, X, header=True)})), words, X)
        assert_same(read_vectors(put(tmp_path, {"v.bin": binary(words, X)})), words, X)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2))
def test_numbers_of_text_are_read_to_the_last_bit(tmp_path_factory, values) -> None:
    X = np.float32([values])
    path = put(tmp_path_factory.mktemp("v"), {"v.txt": text(["w"], X)})
    assert_same(read_vectors(path), ("w",), X)
    line = text(["w"], X) + b"v" + b" +0" * X.shape[1]  # read one by one, since the sign is unusual
    assert_same(read_vectors(put(path.parent, {"v.txt": line})), ("w", "v"), np.vstack([X, X * 0]))


INDICES = {
    "parquet": lambda words: parquet(pd.DataFrame({"index": words})),
    "parquet-two": lambda words: parquet(
        pd.DataFrame({"word": words, "language": "en", "row": range(len(words))})
    ),
    "parquet-categories": lambda words: parquet(pd.DataFrame({"w": pd.Categorical(words)})),
    "csv": lambda words: pd.Series(words, name="w").to_csv(index=False).encode(),
    "csv-bare": lambda words: pd.Series(words).to_csv(index=False, header=False).encode(),
    "csv-numbered": lambda words: pd.Series(words, name="w").to_csv().encode(),
    "tsv": lambda words: pd.Series(words, name="w").to_csv(index=False, sep="\t").encode(),
    "tsv-unquoted": lambda words: ("\n".join(words) + "\n").encode(),
    "tsv-named": lambda words: (
        "\n".join(["word\tcount", *(f"{word}\t7" for word in words)]) + "\n"
    ).encode(),
    "txt": lambda words: ("\n".join(words) + "\n").encode(),
    "txt-crlf": lambda words: ("\r\n".join(words)).encode(),
}


@pytest.mark.parametrize("index", INDICES)
def test_a_matrix_is_read_with_its_index(tmp_path, index) -> None:
    X = matrix(len(WORDS))
    name = f"v_index.{index.partition('-')[0]}"
    path = put(tmp_path, {"v_emb.npy": saved(X), name: INDICES[index](WORDS)})
    assert_same(read_vectors(path), WORDS, X)
    assert_same(read_vectors(path, words=tmp_path / name), WORDS, X)
    assert isinstance(read_vectors(path).X, np.memmap)


@pytest.mark.parametrize("dtype", ["<f2", "<f8", ">f4", "i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_of_another_type_becomes_float32(tmp_path, dtype, order) -> None:
    X = np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype, order=order)
    path = put(tmp_path, {"v.npy": saved(X), "v.txt": b"a\nb\n", "words.txt": b"c\nd\n"})
    assert_same(read_vectors(path), ("a", "b"), X.astype(np.float32))


def test_vectors_in_memory_are_taken_as_they_are() -> None:
    X = matrix(len(WORDS))
    assert_same(from_keyed_vectors(SimpleNamespace(index_to_key=list(WORDS), vectors=X)), WORDS, X)


def pipeline(words=WORDS, X=None) -> spacy.language.Language:
    nlp = spacy.blank("en")
    X = matrix(len(words)) if X is None else X
    nlp.vocab.vectors = SpacyVectors(
        strings=nlp.vocab.strings, data=X, keys=[nlp.vocab.strings.add(word) for word in words]
    )
    return nlp


def test_spacy_has_the_same_vectors_in_memory_and_in_its_folder(tmp_path) -> None:
    nlp = pipeline()
    assert_same(from_spacy(nlp), WORDS, matrix(len(WORDS)))
    nlp.to_disk(tmp_path / "en_tiny")
    vectors = read_vectors(tmp_path / "en_tiny")
    assert_same(vectors, WORDS, matrix(len(WORDS)))
    assert vectors.name == "en_tiny"


def test_words_that_share_a_vector_in_spacy_are_all_there() -> None:
    nlp = pipeline(("a", "b"), matrix(2))
    nlp.vocab.vectors.add("c", row=0)
    nlp.vocab.strings.add("c")
    assert_same(from_spacy(nlp), ("a", "b", "c"), matrix(2)[[0, 1, 0]])


def test_a_zero_vector_is_read_and_counted(tmp_path) -> None:
    vectors = read_vectors(put(tmp_path, {"v.txt": b"a 0 0\nb 1 0\nc -0.0 0\n"}))
    assert len(vectors) == 3
    assert vectors.n_zero == 2
