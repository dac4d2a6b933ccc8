"""A vocabulary: words are found but for case, merged, and taken from the first on."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.analogy.vectors import Vectors, checked, folded
from probes.errors import InputError
from vector_files import assert_same, matrix


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
