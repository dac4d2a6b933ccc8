"""What changes no answer to an analogy, and how much memory answers take."""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analogy_definitions import OF_WORDS as METHODS
from analogy_definitions import (
    asked,
    cone,
    copied,
    dense_grid,
    grid,
    holed,
    normal,
    of_pairs,
    of_words,
    related,
)
from probes.analogy import kept as keeping
from probes.analogy import solve as solving
from probes.analogy.solve import Space, solve
from probes.analogy.words import (
    Cosines,
    OnlyB,
    PairDirection,
    SimilarToAny,
)

LEVEL = (PairDirection, SimilarToAny)
"""Methods that let words tie whose vectors do not: without an offset, and each of a, a* and b."""


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


@pytest.mark.parametrize("room", (None, 0))
@pytest.mark.parametrize("kind", (grid, copied, holed, normal))
def test_the_last_of_equals_is_the_first_of_them_backwards(
    kind: Callable, room: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if room is not None:
        monkeypatch.setattr(keeping, "KEPT", room)
    rng = np.random.default_rng(1)
    X, questions = kind(60, 3, rng), asked(60, 60, rng)
    spaces = (Space(X), questions), (Space(X[::-1].copy()), 59 - questions)
    for method in METHODS:
        there, back = (solve(space, [method(Cosines(space, q))], run=17)[0] for space, q in spaces)
        np.testing.assert_array_equal(there.last_filtered, 59 - back.filtered, method.__name__)
        np.testing.assert_array_equal(there.last_honest, 59 - back.honest, method.__name__)
        np.testing.assert_array_equal(there.filtered, 59 - back.last_filtered, method.__name__)
        assert (there.last_filtered >= there.filtered).all()
        assert (there.last_honest > there.honest).any() == (kind is not normal or method in LEVEL)


def test_pairs_of_few_questions_are_scored_together_and_those_of_many_apart() -> None:
    n_questions = np.array([1, 2, 7, 200, 8, *[1] * 100])
    pairs = np.repeat(np.arange(len(n_questions)), n_questions)
    questions = np.column_stack([pairs, pairs, np.arange(len(pairs)) % 50])
    groups = Cosines(Space(np.eye(len(n_questions))), questions).groups
    assert [one for group in groups for one in range(group.start, group.stop)] == [
        *range(len(pairs))
    ]
    assert all(group.stop - group.start <= solving.TOGETHER for group in groups)
    together = [set(pairs[group].tolist()) for group in groups]
    assert together[0] == {0, 1, 2}
    assert together[1:6] == [{3}] * 4 + [{4}]
    assert [len(one) for one in together[6:]] == [64, 36]


@pytest.mark.parametrize("kind", (grid, copied, holed, normal))
def test_little_room_for_what_may_be_best_changes_no_answer(
    kind: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    X, questions = kind(60, 3, rng), asked(60, 60, rng)
    expected = of_words(X, questions)
    for name, value in (("EXACT", 10), ("TABLE", 200), ("TOGETHER", 2)):
        monkeypatch.setattr(solving, name, value)
    monkeypatch.setattr(keeping, "KEPT", 0)
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


@pytest.mark.usefixtures("one_thread")  # each thread keeps some of its own
def test_many_equal_words_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """All words are equal: kept together, 2 million would take 40 MB."""
    monkeypatch.setattr(keeping, "KEPT", 1 << 15)
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
