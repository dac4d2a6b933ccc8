"""Words that are passed over by bounds: no answer changes, and most words are."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from analogy_definitions import KINDS, OF_WORDS, asked, first_best, normal, unit
from probes.analogy import kept as keeping
from probes.analogy import solve as solving
from probes.analogy.solve import Space, solve
from probes.analogy.summands import BLOCK, Summands, peaks_of
from probes.analogy.words import CosAdd, Cosines


def answers(X: np.ndarray, questions: np.ndarray) -> np.ndarray:
    space = Space(X)
    (found,) = solve(space, [CosAdd(Cosines(space, questions))])
    return np.stack([found.filtered, found.honest, found.last_filtered, found.last_honest])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [2, 5, 20])
@pytest.mark.parametrize(
    ("first", "run", "at_once"), [(64, 128, 512), (64, 1 << 14, 7), (1, 64, 1)]
)
def test_answers_are_those_of_the_definition_where_blocks_are_passed_over(
    kind: Callable, width: int, first: int, run: int, at_once: int, monkeypatch
) -> None:
    rng = np.random.default_rng([width, KINDS.index(kind)])
    X, questions = kind(5 * BLOCK + 9, width, rng), asked(5 * BLOCK + 9, 90, rng)
    questions[40:, :2] = questions[40, :2]  # many of one pair, and few of many
    questions = questions[[len(set(q)) == 3 for q in questions.tolist()]]
    every = answers(X, questions)
    monkeypatch.setattr(solving, "FIRST", first)
    monkeypatch.setattr(solving, "RUN", run)
    monkeypatch.setattr(keeping, "AT_ONCE", at_once)
    monkeypatch.setattr(keeping, "BLOCKS", 3)
    passed = answers(X, questions)
    np.testing.assert_array_equal(passed, every)
    U = unit(X.astype(np.float64))
    for k, question in enumerate(questions.tolist()):
        scores = OF_WORDS[CosAdd](U, *question)
        assert passed[:2, k].tolist() == [
            first_best(scores, tuple(question)),
            first_best(scores),
        ]


def test_a_sum_never_exceeds_the_bound_of_its_block() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(6, 4 * BLOCK), torch.randn(3, 4 * BLOCK)
    first_of, second_of = torch.tensor([5, 0, 0, 2]), torch.tensor([0, 0, 1, 2])
    summands = Summands(first, peaks_of(first), first_of, second, second_of)
    sums = (first[first_of] + second[second_of]).view(4, 4, BLOCK)
    for least in (-10.0, 0.0, 2.5, 4.0, 20.0):
        question, block = summands.reaching(torch.full((4,), least))
        found = set(zip(question.tolist(), block.tolist(), strict=True))
        needed = {(q, b) for q, b in (sums.amax(2) >= least).nonzero().tolist()}
        assert needed <= found
        values = summands.sums(question, block)
        assert torch.equal(values, sums[question, block])
    assert len(found) == 0


def test_most_blocks_are_passed_over_where_answers_stand_among_the_first_words(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    offset = rng.normal(size=30)
    sources = rng.normal(size=(20, 30))
    related = np.concatenate([sources, sources + offset])
    X = np.concatenate([related, normal(64 * BLOCK - 40, 30, rng)])
    pairs = [(i, j) for i in range(20) for j in range(20) if i != j]
    questions = np.array([[i, 20 + i, j] for i, j in pairs])
    looked = []
    sums = Summands.sums

    def counted(self: Summands, question: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
        looked.append(len(question))
        return sums(self, question, block)

    monkeypatch.setattr(Summands, "sums", counted)
    monkeypatch.setattr(solving, "FIRST", BLOCK)
    found = answers(X, questions)
    assert (found[0] == 20 + questions[:, 2]).all()
    assert 0 < sum(looked) < 0.2 * len(questions) * 63


def test_runs_cover_all_words_once_and_all_but_two_are_whole_blocks() -> None:
    for n in (1, 63, 64, 65, 4096, 4097, 4096 + 64, 50_001, 400_000):
        for run in (1, 17, 64, 4096, 1 << 14):
            if n / run > 10_000:
                continue
            runs = solving._runs(n, run)
            assert [low for low, _ in runs] == [0, *(high for _, high in runs[:-1])]
            assert runs[-1][1] == n and all(low < high <= low + run for low, high in runs)
            if run % BLOCK == 0:
                assert sum((high - low) % BLOCK > 0 for low, high in runs) <= 1
