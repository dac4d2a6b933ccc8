"""Word vectors: every format reads to the same, what is malformed is named, transforms are laws."""

import gzip
import io
import pickle
import re
import struct
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.vectors import Vectors as SpacyVectors

from probes.analogy.read import from_keyed_vectors, from_spacy, read_vectors
from probes.analogy.space import (
    SPACES,
    all_but_the_top,
    anisotropy,
    centred,
    unit,
    whitened,
    without_leading,
)
from probes.analogy.vectors import Vectors, checked, folded
from probes.errors import InputError

WORDS = (
    "the",
    '"',
    '""',
    "#",
    "'s",
    "nan",
    "null",
    "NA",
    "1",
    "1.5e3",
    ",",
    "\\",
    "new\u00a0york",  # a no-break space
    "a\u2028b",  # a line separator of Unicode
    "a\u0085b",
    "Straße",
    "王",
    "👑",
    "naïve",
)
SPACED = (*WORDS, ". . .", "at name@domain.com")  # as in GloVe 840B
WIDTH = 7


def matrix(n: int, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def text(words, X, *, header=False, end="\n", after="") -> bytes:
    lines = [f"{len(X)} {X.shape[1]}"] if header else []
    lines += [
        f"{word} {' '.join(map(str, row))}{after}" for word, row in zip(words, X, strict=True)
    ]
    return "".join(line + end for line in lines).encode()


def binary(words, X, *, feed=b"\n", n=None) -> bytes:
    head = f"{len(X) if n is None else n} {X.shape[1]}\n".encode()
    return head + b"".join(
        word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + feed
        for word, row in zip(words, X, strict=True)
    )


def saved(X: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, X)
    return file.getvalue()


def put(folder: Path, content: dict[str, bytes]) -> Path:
    for name, raw in content.items():
        (folder / name).write_bytes(raw)
    return folder / next(iter(content))


def assert_same(vectors: Vectors, words: tuple[str, ...], X: np.ndarray) -> None:
    assert vectors.words == words
    assert vectors.X.dtype == np.float32
    np.testing.assert_array_equal(vectors.X, X)


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
    "parquet": lambda words: _parquet(pd.DataFrame({"index": words})),
    "parquet-two": lambda words: _parquet(
        pd.DataFrame({"word": words, "language": "en", "row": range(len(words))})
    ),
    "parquet-categories": lambda words: _parquet(pd.DataFrame({"w": pd.Categorical(words)})),
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


def _parquet(table: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


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


X2 = np.float32([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
AB = binary(["a", "b", "c"], X2)
MALFORMED = {
    "empty": ({"v.txt": b""}, r"v\.txt is empty"),
    "blank": ({"v.txt": b" \n\n"}, r"v\.txt is empty"),
    "no-numbers": ({"v.txt": b"once upon\na time\n"}, r"line 1: 'once upon'; expected a word"),
    "short": ({"v.txt": b"a 1 2 3\nb 1 2\nc 1 2 3\n"}, r"v\.txt, line 2: 3 fields, came 'b 1 2'"),
    "short-first": ({"v.txt": b"a 1 2\nb 1 2 3\nc 1 2 3\n"}, r"line 1: 3 fields, came 'a 1 2'"),
    "short-spaced": ({"v.txt": b"a 1 2 3\nb c 1 2\n"}, r"line 2: value 1, 'c', is no number"),
    "long": ({"v.txt": b"a 1 2 3\nb 1 2 3 4\n"}, r"line 2: 4 numbers .* a word and 3 finite"),
    "long-header": ({"v.txt": b"1 2\na 1 2 3\n"}, r"line 2: 3 numbers .* as the header says"),
    "no-word": ({"v.txt": b"a 1 2\n 1 2\n"}, r"line 2: it begins with a space, no word"),
    "gap": ({"v.txt": b"a 1 2\n\nb 1 2\n"}, r"line 2: it is empty"),
    "text": ({"v.txt": b"a 1 2\nb 1 2\nc 1 x2\n"}, r"line 3: value 2, 'x2', is no number"),
    "comma": ({"v.txt": b"2 2\na 1 2\nb 1,5 2\n"}, r"line 3: value 1, '1,5', is no number"),
    "hex": ({"v.txt": b"a 1 2\nb 0x1 2\n"}, r"line 2: value 1, '0x1', is no number"),
    "underscore": ({"v.txt": b"a 1 2\nb 1_0 2\n"}, r"line 2: value 1, '1_0', is no number"),
    "carriage": ({"v.txt": b"a 1 2\nb 1\r2 3\n"}, r"line 2: value 1, '1\\r2', is no number"),
    "nan": ({"v.txt": b"a 1 2\nb nan 2\n"}, r"line 2: value 1, 'nan', is no finite float32"),
    "inf": ({"v.txt": b"a 1 2\nb 1 -inf\n"}, r"line 2: value 2, '-inf', is no finite"),
    "huge": ({"v.txt": b"a 1 2\nb 1 1e39\n"}, r"line 2: value 2, '1e39', is no finite float32"),
    "few": ({"v.txt": b"3 2\na 1 2\nb 1 2\n"}, r"line 1: the header promises 3 .* holds 2"),
    "many": ({"v.txt": b"1 2\na 1 2\nb 1 2\n"}, r"line 1: the header promises 1 .* holds 2"),
    "none-promised": ({"v.txt": b"0 50\n"}, r"line 1: the header promises 0 words of 50"),
    "twice": ({"v.txt": b"a 1 2\nb 1 2\na 3 4\n"}, r"line 3: the word 'a' .* first in line 1"),
    "twice-header": ({"v.txt": b"2 2\na 1 2\na 3 4\n"}, r"line 3: the word 'a' .* in line 2"),
    "latin-1": (
        {"v.txt": b"a 1 2\nna\xefve 1 2\n"},
        r"line 2: the word 'na\\\\xefve' is not UTF-8",
    ),
    "utf-16": ({"v.txt": "a 1 2\n".encode("utf-16")}, r"v\.txt is UTF-16"),
    "gz-cut": ({"v.gz": gzip.compress(b"a 1 2\n" * 99)[:-9]}, r"v\.gz cannot be unpacked"),
    "gz-flipped": ({"v.gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xff\xff"}, r"unpacked"),
    "gz-npy": ({"v.npy.gz": gzip.compress(saved(X2))}, r"v\.npy\.gz is packed around"),
    "pickle": ({"v.kv": pickle.dumps({"a": 1})}, r"v\.kv is a pickle.*save_word2vec_format"),
    "zip": ({"v.zip": b"PK\x03\x04" + bytes(20)}, r"v\.zip is a zip archive; unpack it"),
    "fasttext": ({"v.bin": b"\xba\x16\x4f\x2f" + bytes(20)}, r"fastText's own .* \.vec"),
    "bin-no-header": ({"v.bin": bytes(range(100))}, r"v\.bin begins with .* header of word2vec"),
    "bin-cut": ({"v.bin": AB[:-3]}, r"ends within word 3 of the 3 .*last whole one is 'b'"),
    "bin-cut-first": ({"v.bin": AB[:9]}, r"ends within word 1 of the 3 that its header promises;"),
    "bin-few": ({"v.bin": binary(["a", "b", "c"], X2, n=4)}, r"ends within word 4 of the 4"),
    "bin-many": ({"v.bin": binary(["a", "b", "c"], X2, n=2)}, r"goes on after word 2, 'b'"),
    "bin-latin-1": ({"v.bin": AB.replace(b"b ", b"\xef ")}, r"word 2: '\\\\xef' is not UTF-8"),
    "bin-twice": ({"v.bin": binary(["a", "b", "a"], X2)}, r"word 3: .* 'a' .* first in word 1"),
    "bin-nan": ({"v.bin": binary(["a", "b", "c"], X2 * np.nan)}, r"word 1: value 1 .* is nan"),
    "bin-empty-word": ({"v.bin": binary(["a", "", "c"], X2)}, r"word 2: the word is empty"),
    "bin-no-space": ({"v.bin": b"9 2\n" + b"\x01" * 99999}, r"word 1 of 9: no space within 65536"),
    "npy-cut": ({"v.npy": saved(X2)[:-4], "v.txt": b"a\nb\nc"}, r"v\.npy is no whole matrix"),
    "npy-object": ({"v.npy": saved(np.array([{}], object))}, r"v\.npy is no whole matrix"),
    "npy-flat": ({"v.npy": saved(np.ones(3))}, r"array of shape \(3,\) and type float64"),
    "npy-text": ({"v.npy": saved(np.array([["a"]]))}, r"array of shape \(1, 1\) and type <U1"),
    "npy-none": ({"v.npy": saved(np.ones((0, 3)))}, r"array of shape \(0, 3\)"),
    "npy-inf": (
        {"v.npy": saved(np.array([[1.0], [1e300]])), "v.txt": b"a\nb"},
        r"v\.txt, row 2: value 1 of the word 'b' is inf",
    ),
    "no-index": ({"v.npy": saved(X2)}, r"beside it is no file of them; name a file .*words="),
    "indices": (
        {"v.npy": saved(X2), "index.txt": b"", "vocab.txt": b""},
        r"several files that may hold them \(index\.txt, vocab\.txt\)",
    ),
    "index-short": ({"v.npy": saved(X2), "v.txt": b"a\nb\n"}, r"v\.txt holds 2 words, and .* 3 v"),
    "index-long": (
        {"v.npy": saved(X2), "v.csv": b"a\nb\nc\nd\ne\n"},
        r"v\.csv holds 5 words, and .*v\.npy 3 vectors",
    ),
    "index-twice": (
        {"v.npy": saved(X2), "v.txt": b"a\nb\na\n"},
        r"v\.txt, row 3: .* first in row 1",
    ),
    "index-empty-word": ({"v.npy": saved(X2), "v.txt": b"a\n\nc\n"}, r"row 2: the word is empty"),
    "index-latin-1": (
        {"v.npy": saved(X2), "v.txt": b"a\n\xef\nc"},
        r"v\.txt, line 2: byte 2 \(0xef\) is not UTF-8",
    ),
    "index-ragged": ({"v.npy": saved(X2), "v.csv": b"a\nb,c\nd\n"}, r"v\.csv, row 2: 2 fields"),
    "index-empty": ({"v.npy": saved(X2), "v.csv": b""}, r"v\.csv is empty, or no table"),
    "index-no-parquet": ({"v.npy": saved(X2), "v.parquet": b"PAR1"}, r"no whole parquet file"),
    "index-two-texts": (
        {"v.npy": saved(X2), "v.csv": b"x,y\na,b\nc,d\ne,f\n"},
        r"2 columns may hold the words \(x, y\); expected one column of text, or one named",
    ),
    "index-null": (
        {"v.npy": saved(X2), "v.parquet": _parquet(pd.DataFrame({"w": ["a", None, "c"]}))},
        r"v\.parquet, row 2: no word",
    ),
    "index-other-order": (
        {"v.npy": saved(X2), "v.csv": b"word,row\na,2\nb,0\nc,1\n"},
        r"the column 'row' numbers the rows in another order",
    ),
    "index-no-text": (
        {"v.npy": saved(X2), "v.parquet": _parquet(pd.DataFrame({"n": [0, 1, 2]}))},
        r"0 columns may hold the words \(none\)",
    ),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_one_error_that_names_its_place(tmp_path, content, message) -> None:
    path = put(tmp_path, content)
    with pytest.raises(InputError) as error:
        read_vectors(path)
    assert re.search(message, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("n_bytes", [1, 6, 1000])
def test_a_line_has_its_number_in_whatever_block_it_is(tmp_path, monkeypatch, n_bytes) -> None:
    monkeypatch.setattr("probes.analogy.lines._N_BYTES", n_bytes)
    for content, number in ((b"a 1 2\nb 1 2\nc 1 x\n", 3), (b"a 1 2\n\n\nb 1 2\n", 2)):
        with pytest.raises(InputError, match=f"line {number}:"):
            read_vectors(put(tmp_path, {"v.txt": content}))


WHOLE = {
    "v.txt": text(SPACED, matrix(len(SPACED))),
    "w.txt": text(SPACED, matrix(len(SPACED)), header=True),
    "v.bin": binary(WORDS, matrix(len(WORDS))),
    "v.npy": saved(matrix(len(WORDS))),
    "v.gz": gzip.compress(text(WORDS, matrix(len(WORDS)))),
}


@settings(deadline=None)
@given(name=st.sampled_from(list(WHOLE)), data=st.data())
def test_damage_anywhere_is_an_input_error_or_finite_vectors(tmp_path_factory, name, data) -> None:
    raw = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        how = data.draw(st.sampled_from(["flip", "cut", "remove", "double"]))
        if how == "flip":
            raw[at] = data.draw(st.integers(0, 255))
        elif how == "cut":
            raw = raw[: at + 1]
        else:
            raw[at : at + 9] = raw[at : at + 9] * (0 if how == "remove" else 2)
        raw = raw or bytearray(b"a")
    folder = tmp_path_factory.mktemp("v")
    path = put(folder, {name: bytes(raw), "words.txt": "\n".join(WORDS).encode()})
    try:
        vectors = read_vectors(path)
    except InputError:
        return
    assert len(vectors.words) == len(set(vectors.words)) == len(vectors.X) > 0
    assert np.isfinite(vectors.X).all()


def test_a_place_that_holds_no_vectors_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match=r"no file .*none\.txt of word vectors"):
        read_vectors(tmp_path / "none.txt")
    with pytest.raises(InputError, match="pipeline 'numpy' cannot be loaded"):
        read_vectors("numpy")
    with pytest.raises(InputError, match="cannot be loaded"):
        read_vectors(tmp_path)
    spacy.blank("en").to_disk(tmp_path / "en_none")
    with pytest.raises(InputError, match="'en_none' has no word vectors; choose"):
        read_vectors(tmp_path / "en_none")
    floret = spacy.blank("en")
    floret.vocab.vectors = SpacyVectors(mode="floret", data=matrix(4), hash_count=2)
    with pytest.raises(InputError, match=r"vectors of pieces of words \(floret\)"):
        from_spacy(floret)
    with pytest.raises(InputError, match=r"v\.txt holds its own words"):
        read_vectors(put(tmp_path, {"v.txt": b"a 1 2\n"}), words="index.txt")
    path = put(tmp_path, {"v.npy": saved(X2), "v.doc": b""})
    with pytest.raises(InputError, match=r"no file none\.txt of words"):
        read_vectors(path, words="none.txt")
    with pytest.raises(InputError, match=r"v\.doc: expected words in a file \.parquet"):
        read_vectors(path, words=tmp_path / "v.doc")


def test_what_is_no_keyed_vectors_is_named() -> None:
    with pytest.raises(InputError, match="expected gensim's KeyedVectors"):
        from_keyed_vectors({"a": 1})  # type: ignore[arg-type]
    for words, X, message in (
        (["a"], matrix(2), "1 words for 2 vectors"),
        ([], matrix(0), "holds no words"),
        (["a", 3], matrix(2), "row 2: the word is 3, no text"),
        (["a"], np.array([["x"]]), "an array of type <U1"),
        (["a"], np.ones(1), r"an array of shape \(1,\)"),
    ):
        with pytest.raises(InputError, match=message):
            from_keyed_vectors(SimpleNamespace(index_to_key=words, vectors=X))


def test_a_zero_vector_is_read_and_counted(tmp_path) -> None:
    vectors = read_vectors(put(tmp_path, {"v.txt": b"a 0 0\nb 1 0\nc -0.0 0\n"}))
    assert len(vectors) == 3
    assert vectors.n_zero == 2


def of(*words: str) -> Vectors:
    return checked(words, matrix(len(words)), name="made")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("queen", "QUEEN"),
        ("Straße", "STRASSE"),
        ("STRASSE", "straße"),
        ("ẞ", "ß"),
        ("ﬁre", "FIRE"),
        ("ΟΔΥΣΣΕΥΣ", "Οδυσσεύς".replace("ύ", "υ")),
        ("σ", "ς"),
        ("İstanbul", "i̇stanbul"),
        ("naïve", unicodedata.normalize("NFD", "NAÏVE")),
        ("ᾳ", unicodedata.normalize("NFD", "ᾼ")),
    ],
)
def test_words_equal_but_for_case_are_found(one, other) -> None:
    assert one != other
    assert of("x", one).place(other) == of("x", other).place(one) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("İstanbul", "istanbul"),
        ("ı", "i"),
        ("ı", "I"),
        ("resume", "résumé"),
        ("ss", "s"),
        ("Å", "A"),
    ],
)
def test_words_that_differ_in_more_than_case_are_not(one, other) -> None:
    assert of(one).place(other) is None
    assert of(other).place(one) is None


def test_the_very_word_is_found_before_one_of_other_case() -> None:
    vectors = of("US", "us", "Us")
    assert [vectors.place(word) for word in ("us", "US", "Us", "uS", "it")] == [1, 0, 2, 0, None]


def test_folding_keeps_the_first_and_counts_the_rest() -> None:
    vectors = of("Queen", "straße", "queen", "king", "STRASSE", "QUEEN")
    merged = vectors.fold()
    assert merged.words == ("Queen", "straße", "king")
    assert merged.n_folded == 3
    np.testing.assert_array_equal(merged.X, vectors.X[[0, 1, 3]])
    assert merged.fold() is merged
    assert merged.place("queen") == 0
    assert vectors.n_folded == 0


@given(st.lists(st.text(min_size=1), unique=True, min_size=1))
def test_folding_loses_no_word_that_is_asked(words) -> None:
    merged = of(*words).fold()
    assert len(merged) + merged.n_folded == len(words)
    for word in words:
        place = merged.place(word)
        assert place is not None
        assert folded(merged.words[place]) == folded(word) == folded(folded(word))


def test_the_first_words_are_taken() -> None:
    vectors = of("a", "b", "c")
    assert_same(vectors.take(2), ("a", "b"), vectors.X[:2])
    assert np.shares_memory(vectors.take(2).X, vectors.X)
    assert vectors.take(2).place("c") is None
    assert vectors.take(9) is vectors
    with pytest.raises(InputError, match="a vocabulary of 0 words"):
        vectors.take(0)


def skewed(n=300, width=12, seed=1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, width)) * np.geomspace(10, 0.1, width) + rng.normal(size=width) * 5
    return X.astype(np.float32)


def rotation(width: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(2).normal(size=(width, width)))[0]


def cosines(X: np.ndarray) -> np.ndarray:
    U = unit(X).astype(np.float64)
    return U @ U.T


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_rotating_all_vectors_changes_no_cosine(space) -> None:
    X = skewed()
    turned = (X.astype(np.float64) @ rotation(X.shape[1])).astype(np.float32)
    np.testing.assert_allclose(cosines(space(turned)), cosines(space(X)), atol=2e-4)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_space_leaves_its_vectors_alone_and_keeps_shape_and_type(space) -> None:
    X = skewed()
    before = X.copy()
    Y = space(X)
    assert Y.shape == X.shape
    assert Y.dtype == np.float32
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_space_is_that_of_the_rows_it_is_fitted_on(space, monkeypatch) -> None:
    X = skewed()
    np.testing.assert_array_equal(space(X, X), space(X))
    np.testing.assert_allclose(space(X[:50], X), space(X)[:50], rtol=1e-6)
    whole = space(X)
    monkeypatch.setattr("probes.analogy.vectors.BLOCK", 7)
    np.testing.assert_allclose(space(X), whole, atol=1e-4)


@pytest.mark.parametrize("space", [centred, all_but_the_top, whitened])
def test_moving_all_vectors_changes_nothing_once_they_are_centred(space) -> None:
    X = skewed()
    np.testing.assert_allclose(space(X).mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(space(X + np.float32(3)), space(X), atol=5e-4)


@pytest.mark.parametrize("k", [0, 1, 3, 12])
def test_leading_components_leave_none_of_their_variance(k) -> None:
    X = skewed()
    variances, directions = np.linalg.eigh(np.cov(X.T.astype(np.float64), bias=True))
    left = np.cov(without_leading(X, k).T.astype(np.float64), bias=True)
    along = np.diag(directions.T @ left @ directions)
    np.testing.assert_allclose(along[12 - k :], 0, atol=1e-9)
    np.testing.assert_allclose(along[: 12 - k], variances[: 12 - k], rtol=1e-5)


def test_as_many_components_are_removed_as_advised() -> None:
    for width, k in ((5, 1), (100, 1), (199, 1), (200, 2), (300, 3)):
        X = matrix(320, width)
        np.testing.assert_array_equal(all_but_the_top(X), without_leading(X, k))
    with pytest.raises(InputError, match="6 leading components of vectors of width 5"):
        without_leading(matrix(9, 5), 6)
    with pytest.raises(InputError, match="the mean of no vectors"):
        centred(matrix(0))


def test_whitened_vectors_have_the_identity_as_their_covariance() -> None:
    Y = whitened(skewed()).astype(np.float64)
    np.testing.assert_allclose(np.cov(Y.T, bias=True), np.eye(Y.shape[1]), atol=1e-5)


def test_whitening_removes_directions_without_variance_rather_than_blow_them_up() -> None:
    base = skewed(width=4)
    mixing = np.random.default_rng(3).normal(size=(4, 12))
    X = (base.astype(np.float64) @ mixing).astype(np.float32)  # of rank 4, but for rounding
    C = np.cov(whitened(X).T.astype(np.float64), bias=True)
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(C)), [0] * 8 + [1] * 4, atol=1e-4)
    constant = np.full((9, 3), 0.1, dtype=np.float32)
    np.testing.assert_array_equal(whitened(constant), 0)
    few = whitened(skewed(n=5))  # five points span four directions
    assert np.linalg.matrix_rank(few.astype(np.float64), tol=1e-3) == 4


def test_unit_rows_have_length_one_and_zero_stays_zero() -> None:
    X = skewed()
    X[3] = 0
    X[4] *= 1e-30
    X[5] *= 1e30
    lengths = np.linalg.norm(unit(X).astype(np.float64), axis=1)
    np.testing.assert_allclose(np.delete(lengths, 3), 1, rtol=1e-6)
    assert lengths[3] == 0


def test_anisotropy_is_the_mean_cosine_of_all_pairs() -> None:
    X = skewed()
    C = cosines(X)
    assert anisotropy(X) == pytest.approx(C[~np.eye(len(X), dtype=bool)].mean(), abs=1e-6)
    with_zeros = np.vstack([X, np.zeros((4, X.shape[1]), np.float32)])
    assert anisotropy(with_zeros) == anisotropy(X)
    assert anisotropy(np.ones((5, 3), np.float32)) == pytest.approx(1)
    assert anisotropy(np.float32([[1, 0], [-1, 0]])) == pytest.approx(-1)
    with pytest.raises(InputError, match="anisotropy of 1 vectors that are not zero"):
        anisotropy(np.float32([[1, 0], [0, 0]]))


def test_centring_makes_vectors_less_anisotropic() -> None:
    X = skewed() + np.float32(20)
    assert anisotropy(X) > 0.8
    assert abs(anisotropy(centred(X))) < 0.02
