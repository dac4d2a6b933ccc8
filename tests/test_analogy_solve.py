"""Answers to analogies: equal to plain loops over the definitions, ties and all."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from analogy_definitions import (
    EQUAL,
    KINDS,
    OF_PAIRS,
    OF_WORDS,
    WIDTHS,
    asked,
    copied,
    cos,
    dense_grid,
    first_best,
    holed,
    normal,
    of_pairs,
    of_words,
    related,
    unit,
)
from probes.analogy import solve as solving
from probes.analogy.pairs import CosAvg, Procrustes
from probes.analogy.solve import Space, solve
from probes.analogy.words import (
    CosAdd,
    Cosines,
    CosMul,
    OfWords,
    OnlyB,
)
from probes.errors import InputError


def by_definition(X: np.ndarray, questions: np.ndarray) -> Iterator[np.ndarray]:
    U = unit(X.astype(np.float64))
    for scored in OF_WORDS.values():
        found = []
        for question in questions.tolist():
            scores = scored(U, *question)
            found.append([first_best(scores, tuple(question)), first_best(scores)])
        yield np.array(found).T


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", WIDTHS)
def test_answers_are_those_of_the_definitions(kind: Callable, width: int) -> None:
    rng = np.random.default_rng([width, KINDS.index(kind)])
    for n_words, n, dtype in ((3, 15, np.float64), (4, 25, np.float64), (80, 60, np.float32)):
        X, questions = kind(n_words, width, rng).astype(dtype), asked(n_words, n, rng)
        expected = list(by_definition(X, questions))
        for run in (None, 2 if n_words < 5 else 33):
            for method, got, by in zip(
                OF_WORDS, of_words(X, questions, run), expected, strict=True
            ):
                np.testing.assert_array_equal(got, by, err_msg=f"{method.__name__} {n_words}")


@pytest.mark.parametrize("spread", (0, 1e-3, 1, 1e3))
@pytest.mark.parametrize("width", (2, 300, 4096))
def test_cosines_in_float32_are_as_exact_as_methods_take_them_to_be(
    width: int, spread: float
) -> None:
    rng = np.random.default_rng(0)
    X = spread * rng.normal(size=(150, width)) + rng.uniform(0.9, 1.1, width)
    space = Space(X)
    cosines = Cosines(space, np.arange(150).reshape(50, 3))
    cosines.begin(0, 150)
    U = unit(X)
    assert np.abs(cosines.table.numpy() - U @ U.T).max() < solving.ROUNDING


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_a_tile_are_as_exact_as_a_method_says(kind: Callable) -> None:
    """So that little but the answer is kept, and the answer is."""
    rng = np.random.default_rng(0)
    space = Space(kind(200, 20, rng))
    cosines = Cosines(space, asked(200, 40, rng))
    pairs, relations = related(200, rng)
    scores = [
        *(method(cosines) for method in OF_WORDS),
        *(method(space, pairs, relations) for method in OF_PAIRS),
    ]
    for score in scores:
        assert score.tolerance < 5e-3
        score.begin(0, 200)
        for rows in score.groups:
            n = rows.stop - rows.start
            question, word = np.repeat(np.arange(n), 200), np.tile(np.arange(200), n)
            exact = score.exact_in_parts(question + rows.start, word).reshape(n, 200)
            if isinstance(score, CosMul):
                exact = np.log(np.maximum(exact, 1e-11))
            tile = score.tile(rows).numpy()
            compared = np.isfinite(tile)  # without an offset, most words are none
            assert (np.abs(tile - exact)[compared] <= score.tolerance / 2).all(), type(score)


@pytest.mark.parametrize("kind", (normal, copied, holed, dense_grid))
@pytest.mark.parametrize("width", WIDTHS)
def test_each_pair_is_answered_from_the_others_of_its_relation(kind: Callable, width: int) -> None:
    rng = np.random.default_rng([width, KINDS.index(kind)])
    X = kind(60, width, rng)
    pairs, relations = related(60, rng)
    U = unit(X)
    for method, (filtered, honest) in zip(OF_PAIRS, of_pairs(X, pairs, relations), strict=True):
        for k, (b, b_star) in enumerate(pairs.tolist()):
            others = pairs[(relations == relations[k]) & (np.arange(len(pairs)) != k)]
            scores = OF_PAIRS[method](U, others, b, b_star) if len(others) else cos(U, U[b])
            for answer, left_out in ((filtered[k], (b,)), (honest[k], ())):
                # Fits differ in their last digits, and with them what lies between two words.
                best = first_best(scores, left_out)
                assert scores[answer] >= scores[best] - 1e-7, method
                alike = np.flatnonzero((np.abs(U - U[answer]) < EQUAL).all(axis=1))
                assert answer == np.setdiff1d(alike, left_out)[0], method


def test_a_rotation_is_found_where_the_pairs_determine_it() -> None:
    rng = np.random.default_rng(0)
    R = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    sources = rng.normal(size=(30, 10))
    X = np.vstack([sources, sources @ R, rng.normal(size=(400, 10))])
    pairs = np.column_stack([np.arange(30), np.arange(30, 60)])
    space = Space(X)
    (answers,) = solve(space, [Procrustes(space, pairs, np.zeros(30, int))])
    assert answers.filtered.tolist() == answers.honest.tolist() == pairs[:, 1].tolist()
    U = unit(X)
    for k in range(30):
        rest = np.delete(np.arange(30), k)
        x, y = U[rest], U[rest + 30]
        found, _ = orthogonal_procrustes(x - x.mean(axis=0), y - y.mean(axis=0))
        assert first_best(cos(U, y.mean(axis=0) + (U[k] - x.mean(axis=0)) @ found)) == 30 + k


def test_what_was_learned_to_be_zero_has_no_direction() -> None:
    """By a rotation of half the source on half the target, which it is then subtracted from."""
    for seed in range(10):
        X = normal(20, 6, np.random.default_rng(seed))
        X[[1, 2]] = 0
        space = Space(X)
        method = Procrustes(space, [[1, 2], [3, 4], [2, 5]], [0, 0, 0])
        (answers,) = solve(space, [method])
        assert answers.filtered[2] == answers.honest[2] == 0


def test_only_b_is_right_by_leaving_words_out_alone() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 50))
    X[50:100] = X[:50] + 0.01 * rng.normal(size=50)
    pairs = np.column_stack([np.arange(50), np.arange(50, 100)])
    given, wanted = (k.reshape(-1) for k in np.meshgrid(np.arange(50), np.arange(50)))
    given, wanted = given[given != wanted], wanted[given != wanted]
    order = np.lexsort((wanted, given))
    questions = np.column_stack([pairs[given], pairs[wanted]])[order]
    right = {
        method: (answers == questions[:, 3]).mean(axis=1).tolist()
        for method, answers in zip(OF_WORDS, of_words(X, questions[:, :3]), strict=True)
    }
    assert right[OnlyB] == [1, 0]
    assert right[CosAdd][0] == 1 and right[CosAdd][1] > 0.95


def test_no_questions_have_no_answers() -> None:
    X = np.eye(5)
    for questions in (np.empty((0, 3), np.int64), []):
        assert np.shape(of_words(X, questions)) == (5, 2, 0)
    assert np.shape(of_pairs(X, [], [])) == (4, 2, 0)
    assert solve(Space(X), []) == []


@pytest.mark.parametrize("word", (-1, 5))
def test_a_word_that_is_not_there_is_named(word: int) -> None:
    space = Space(np.eye(5))
    with pytest.raises(InputError, match=f"word {word} of 5 words"):
        Cosines(space, [[0, 1, 2], [0, word, 3]])
    with pytest.raises(InputError, match=f"word {word} of 5 words"):
        CosAvg(space, [[0, 1], [word, 3]], [0, 0])


@pytest.mark.parametrize("method", OF_WORDS)
def test_there_is_a_filtered_answer_where_there_is_another_word(method: type[OfWords]) -> None:
    """Though it be the worst there is: opposite to a* and b, or a zero vector."""
    for X in ([[1, 0], [1, 0], [-1, 0], [-1, 0]], np.zeros((4, 2))):
        space = Space(np.array(X, np.float32))
        (answers,) = solve(space, [method(Cosines(space, [[2, 0, 1], [0, 1, 0]]))])
        assert answers.filtered.tolist() == [3, 2]
        assert (answers.honest >= 0).all()
    space = Space(np.eye(3))
    (answers,) = solve(space, [method(Cosines(space, [[0, 1, 2]]))])
    assert answers.filtered.tolist() == [-1]
