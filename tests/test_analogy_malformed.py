"""Files of word vectors that are malformed: one error, which names the place."""

import gzip
import pickle
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.vectors import Vectors as SpacyVectors

from probes.analogy.read import from_keyed_vectors, from_spacy, read_vectors
from probes.errors import InputError
from vector_files import SPACED, WORDS, binary, matrix, parquet, put, saved, text

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
        {"v.npy": saved(X2), "v.parquet": parquet(pd.DataFrame({"w": ["a", None, "c"]}))},
        r"v\.parquet, row 2: no word",
    ),
    "index-other-order": (
        {"v.npy": saved(X2), "v.csv": b"word,row\na,2\nb,0\nc,1\n"},
        r"the column 'row' numbers the rows in another order",
    ),
    "index-no-text": (
        {"v.npy": saved(X2), "v.parquet": parquet(pd.DataFrame({"n": [0, 1, 2]}))},
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
