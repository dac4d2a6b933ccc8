"""Answers to analogies: equal to plain loops over the definitions, ties and all, in any cut."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import LogisticRegression, Ridge

from probes.analogy import solve as solving
from probes.analogy.pairs import CosAvg, LinearMap, LRCos, OfPairs, Procrustes
from probes.analogy.solve import Space, solve
from probes.analogy.words import (
    CosAdd,
    Cosines,
    CosMul,
    OfWords,
    OnlyB,
    PairDirection,
    SimilarToAny,
)
from probes.errors import InputError

WIDTHS = (2, 5, 50)
EQUAL = 1e-12
"""Scores of the reference that differ by less are equal, and vectors that are shorter are zero."""


def unit(x: np.ndarray) -> np.ndarray:
    length = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    return np.where(length < EQUAL, 0, x / np.where(length < EQUAL, 1, length))


def cos(words: np.ndarray, x: np.ndarray) -> np.ndarray:
    return unit(words) @ unit(x)


def cos_add(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    return cos(U, U[a_star] - U[a] + U[b])


def cos_mul(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    of_a, of_a_star, of_b = ((cos(U, U[word]) + 1) / 2 for word in (a, a_star, b))
    return of_a_star * of_b / (of_a + 1e-3)


def pair_direction(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    return cos(U - U[b], U[a_star] - U[a])


def only_b(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    return cos(U, U[b])


def similar_to_any(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    return np.max([cos(U, U[word]) for word in (a, a_star, b)], axis=0)


OF_WORDS: dict[type[OfWords], Callable[..., np.ndarray]] = {
    CosAdd: cos_add,
    CosMul: cos_mul,
    PairDirection: pair_direction,
    OnlyB: only_b,
    SimilarToAny: similar_to_any,
}


def cos_avg(U: np.ndarray, others: np.ndarray, b: int, b_star: int) -> np.ndarray:
    return cos(U, U[b] + U[others[:, 1]].mean(axis=0) - U[others[:, 0]].mean(axis=0))


def linear_map(U: np.ndarray, others: np.ndarray, b: int, b_star: int) -> np.ndarray:
    X, Y = U[others[:, 0]], U[others[:, 1]] - U[others[:, 0]]
    if len(X) < 3:
        return cos(U, U[b] + Y.mean(axis=0))
    errors = {}
    for penalty in 10.0 ** np.arange(-3, 3.25, 0.5):
        errors[penalty] = 0.0
        for k in range(len(X)):
            rest = np.arange(len(X)) != k
            fit = Ridge(alpha=penalty).fit(X[rest], Y[rest])
            errors[penalty] += float(((fit.predict(X[k : k + 1]) - Y[k]) ** 2).sum())
    fit = Ridge(alpha=min(errors, key=errors.__getitem__)).fit(X, Y)
    return cos(U, U[b] + fit.predict(U[b : b + 1])[0])


def procrustes(U: np.ndarray, others: np.ndarray, b: int, b_star: int) -> np.ndarray:
    X, Y = U[others[:, 0]], U[others[:, 1]]
    pull = 1e-3 * np.eye(U.shape[1])  # the square of it is the weight of being the identity
    R, _ = orthogonal_procrustes(
        np.vstack([X - X.mean(axis=0), pull]), np.vstack([Y - Y.mean(axis=0), pull])
    )
    found = Y.mean(axis=0) + (U[b] - X.mean(axis=0)) @ R
    return cos(U, found * (np.linalg.norm(found) > 1e-5))  # shorter is what the pull leaves of 0


def lr_cos(U: np.ndarray, others: np.ndarray, b: int, b_star: int) -> np.ndarray:
    n = len(others)
    random = np.random.default_rng([0, b, b_star]).integers(0, len(U), 4 * n)
    X = np.vstack([U[others[:, 1]], *[U[others[:, 0]]] * 4, U[random]])
    y = [1] * n + [0] * 8 * n
    fit = LogisticRegression(solver="liblinear", class_weight="balanced", C=1).fit(X, y)
    return fit.predict_proba(U)[:, 1] * cos(U, U[b])


OF_PAIRS: dict[type[OfPairs], Callable[..., np.ndarray]] = {
    CosAvg: cos_avg,
    LinearMap: linear_map,
    Procrustes: procrustes,
    LRCos: lr_cos,
}


def first_best(scores: np.ndarray, left_out: tuple[int, ...] = ()) -> int:
    left_in = np.setdiff1d(np.arange(len(scores)), left_out)
    if not len(left_in):
        return -1
    top = scores[left_in].max()
    return int(left_in[scores[left_in] >= top - EQUAL * max(top, 1)][0])


def normal(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(n, width))


def cone(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(n, width)) + 3


def needle(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """All words within the rounding of a cosine in float32."""
    return rng.normal(size=(n, width)) * 1e-4 + rng.normal(size=width)


def copied(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Each word four times on average, at places and of lengths of their own."""
    of = rng.normal(size=(max(n // 4, 1), width))
    return of[rng.integers(0, len(of), n)] * rng.uniform(0.1, 10, (n, 1))


def holed(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the words zero."""
    return rng.normal(size=(n, width)) * (rng.random((n, 1)) > 0.25)


def grid(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Integers, with exact ties, opposites, parallels and zeros."""
    return rng.integers(-1, 2, (n, width)).astype(float)


def dense_grid(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-3, 4, (n, width)).astype(float)


def pairwise_near(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Each word with others at all distances from 1e-6 to 1."""
    of = unit(rng.normal(size=(max(n // 6, 1), width)))[rng.integers(0, max(n // 6, 1), n)]
    return of + 10 ** rng.uniform(-6, 0, (n, 1)) * unit(rng.normal(size=(n, width)))


def opposed(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """One line, seen from both sides: cosines near 1 and -1 alone."""
    side = rng.choice([-1.0, 1.0], (n, 1))
    return side * (10 ** rng.uniform(-6, -1, (n, 1)) * rng.normal(size=(n, width)) + 1)


KINDS = (
    normal,
    cone,
    needle,
    copied,
    holed,
    grid,
    dense_grid,
    pairwise_near,
    opposed,
)


def asked(n_words: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Questions in pairs' order, every eighth of which says a word twice or three times."""
    questions = rng.integers(0, n_words, (n, 3))
    questions[:, :2] = questions[rng.integers(0, n, n), :2]  # pairs that are given again and again
    same = questions[::8]
    for k, (to, come) in enumerate(((2, 0), (1, 2), (1, 0), ([1, 2], [0]))):
        same[k::4, to] = same[k::4, come]
    return questions[np.lexsort(questions.T[::-1])]


def of_words(X: np.ndarray, questions: np.ndarray, run: int | None = None) -> list[np.ndarray]:
    """Give filtered and honest answers of all methods, shape (2, n)."""
    space = Space(X)
    cosines = Cosines(space, questions)
    answers = solve(space, [method(cosines) for method in OF_WORDS], run=run)
    return [np.stack([answer.filtered, answer.honest]) for answer in answers]


def of_pairs(X: np.ndarray, pairs: np.ndarray, relations: np.ndarray) -> list[np.ndarray]:
    space = Space(X)
    answers = solve(space, [method(space, pairs, relations) for method in OF_PAIRS])
    return [np.stack([answer.filtered, answer.honest]) for answer in answers]


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


def related(n_words: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of relations of 6, 4, 2 and 1, not in their order."""
    relations = rng.permutation(np.repeat(np.arange(4), (6, 4, 2, 1)))
    return rng.integers(0, n_words, (len(relations), 2)), relations


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


def rotated(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return X @ np.linalg.qr(rng.normal(size=(X.shape[1], X.shape[1])))[0]


def scaled(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return X * 10 ** rng.uniform(-3, 3)


def stretched(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return X * 10 ** rng.uniform(-3, 3, (len(X), 1))


@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from((normal, cone, copied, holed)),
    st.sampled_from((rotated, scaled, stretched)),
)
def test_turning_and_stretching_change_no_answer(
    seed: int, kind: Callable, changed: Callable
) -> None:
    rng = np.random.default_rng(seed)
    X, questions = kind(50, 6, rng), asked(50, 60, rng)
    other = changed(X, rng)
    np.testing.assert_array_equal(of_words(X, questions), of_words(other, questions))
    pairs, relations = related(50, rng)
    # LRCos is left out: its solver stops at 1e-4.
    np.testing.assert_array_equal(
        of_pairs(X, pairs, relations)[:3], of_pairs(other, pairs, relations)[:3]
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_words_changes_no_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, questions = normal(50, 6, rng), asked(50, 60, rng)
    pairs, relations = rng.permutation(50)[:26].reshape(13, 2), related(50, rng)[1]
    order = rng.permutation(50)
    place = np.argsort(order)

    def back(answers: list[np.ndarray]) -> np.ndarray:
        return np.where(np.array(answers) < 0, -1, order[answers])

    got, expected = back(of_words(X[order], place[questions])), np.array(of_words(X, questions))
    # Where words are equal by definition, the first is the answer: any, without an offset, and
    # a, a* and b, where they may answer what is similar to one of them.
    offset = questions[:, 0] != questions[:, 1]
    np.testing.assert_array_equal(got[:4, :, offset], expected[:4, :, offset])
    np.testing.assert_array_equal(got[4, 0], expected[4, 0])
    got = back(of_pairs(X[order], place[pairs], relations)[:3])
    np.testing.assert_array_equal(got, of_pairs(X, pairs, relations)[:3])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from((grid, copied, normal)))
def test_what_is_asked_beside_changes_no_answer(seed: int, kind: Callable) -> None:
    rng = np.random.default_rng(seed)
    X, questions = kind(40, 5, rng), asked(40, 40, rng)
    some = rng.permutation(40)[:15]
    np.testing.assert_array_equal(
        np.array(of_words(X, questions))[:, :, some], of_words(X, questions[some])
    )
    pairs, relations = related(40, rng)
    mine = relations == 0
    np.testing.assert_array_equal(
        np.array(of_pairs(X, pairs, relations))[:, :, mine],
        of_pairs(X, pairs[mine], relations[mine]),
    )


@pytest.mark.parametrize("kind", (grid, copied, holed, normal))
def test_little_room_for_what_may_be_best_changes_no_answer(
    kind: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    X, questions = kind(60, 3, rng), asked(60, 60, rng)
    expected = of_words(X, questions)
    for name, value in (("KEPT", 0), ("EXACT", 10), ("TABLE", 200), ("TOGETHER", 2)):
        monkeypatch.setattr(solving, name, value)
    np.testing.assert_array_equal(of_words(X, questions), expected)


def test_how_vectors_lie_in_memory_changes_no_answer(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, questions = dense_grid(60, 5, rng).astype(np.float32), asked(60, 60, rng)
    wide = np.zeros((120, 10), np.float32)
    wide[::2, 9:4:-1] = X
    np.save(tmp_path / "X.npy", X)
    expected = of_words(X, questions)
    for same in (
        np.asfortranarray(X),
        wide[::2, 9:4:-1],
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        X.astype(np.float16),
        X.astype(np.float64),
        X.astype(np.int64),
    ):
        np.testing.assert_array_equal(of_words(same, questions), expected)
    narrow = questions.astype(np.int32)
    for same in (narrow, np.asfortranarray(questions), questions.tolist()):
        np.testing.assert_array_equal(of_words(X, same), expected)
    pairs, relations = related(60, rng)
    expected = of_pairs(X, pairs, relations)
    for got in (
        of_pairs(np.asfortranarray(X), pairs.astype(np.int32), relations.astype(np.int32)),
        of_pairs(X, pairs.tolist(), relations.tolist()),
    ):
        np.testing.assert_array_equal(got, expected)


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


def test_many_equal_words_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """All words are equal: kept together, 2 million would take 40 MB."""
    monkeypatch.setattr(solving, "KEPT", 1 << 15)
    monkeypatch.setattr(solving, "RUN", 1 << 9)
    space = Space(np.zeros((4_000, 2), np.float32))
    cosines = Cosines(space, np.arange(1_500).reshape(500, 3))
    tracemalloc.start()
    try:
        (answers,) = solve(space, [OnlyB(cosines)])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answers.filtered.tolist() == [3] + [0] * 499
    assert most < 15e6


MEMORY = """
import resource
import numpy as np
from probes.analogy.solve import Space, solve
from probes.analogy.words import CosAdd, Cosines, CosMul, OnlyB, PairDirection, SimilarToAny

METHODS = (CosAdd, CosMul, PairDirection, OnlyB, SimilarToAny)


def answer(n_words, n):
    rng = np.random.default_rng(0)
    space = Space(rng.normal(size=(n_words, 8)).astype(np.float32))
    cosines = Cosines(space, np.sort(rng.integers(0, 150, (n, 3)), axis=0))
    solve(space, [method(cosines) for method in METHODS])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


print(answer(150, 100), answer(16_000, 5_000))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
def test_memory_does_not_grow_with_questions_by_words() -> None:
    """Of 5,000 questions by 16,000 words, one method's scores alone are 320 MB."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert (after - before) * 1024 < 160e6
