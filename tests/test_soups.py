"""Soups: the mean of the weights of several models; a greedy one is never worse than its best."""

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.errors import InputError
from probes.transfer.soups import greedy_soup, uniform_soup
from probes.transfer.weights import interpolate


def members(n, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        {
            "weight": torch.randn(4, 3, generator=generator).to(dtype),
            "mask": torch.tensor([-torch.inf, 0.0]),
            "n_batches": torch.tensor(k),
            "ids": torch.arange(5),
        }
        for k in range(n)
    ]


def near(target):
    """A validation score: how near the weights lie to a target."""
    return lambda state: -float((state["weight"].double() - target).square().sum())


def test_a_uniform_soup_is_the_mean_of_the_weights():
    drawn = members(5)
    soup = uniform_soup(drawn)
    mean = np.mean([m["weight"].double().numpy() for m in drawn], axis=0)
    np.testing.assert_allclose(soup["weight"].numpy(), mean, rtol=1e-7)
    assert soup["n_batches"] == 2 and soup["n_batches"].dtype == torch.int64
    assert torch.equal(soup["mask"], drawn[0]["mask"])
    assert torch.equal(soup["ids"], torch.arange(5))


def test_the_order_of_members_changes_no_mean():
    drawn = members(5, torch.float64)
    there, back = uniform_soup(drawn), uniform_soup(drawn[::-1])
    torch.testing.assert_close(there["weight"], back["weight"], rtol=1e-14, atol=1e-15)
    assert there["n_batches"] == back["n_batches"] == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float8_e5m2])
def test_a_soup_of_one_or_of_equals_is_that_model_bit_for_bit(dtype):
    (one,) = members(1, dtype)
    for soup in (uniform_soup([one]), uniform_soup([one] * 7), greedy_soup([one], near(0)).state):
        for name in one:
            a, b = (s[name].reshape(-1).view(torch.uint8) for s in (soup, one))
            assert soup[name].dtype == one[name].dtype and torch.equal(a, b)


def test_a_soup_of_two_lies_in_the_middle_of_their_line():
    one, other = members(2)
    soup, middle = uniform_soup([one, other]), interpolate(one, other, 0.5)
    assert all(torch.equal(soup[name], middle[name]) for name in soup)


def test_files_make_the_same_soup_as_states_do(tmp_path):
    drawn = members(4, torch.bfloat16)
    paths = [tmp_path / f"{k}.safetensors" for k in range(4)]
    for path, state in zip(paths, drawn, strict=True):
        safetensors.torch.save_file(state, path)
    evaluate = near(torch.zeros(4, 3))
    pairs = [
        (uniform_soup(drawn), uniform_soup(paths)),
        (greedy_soup(drawn, evaluate).state, greedy_soup(paths, evaluate).state),
    ]
    for of_states, of_files in pairs:
        assert all(torch.equal(of_states[name], of_files[name]) for name in of_states)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 7), seed=st.integers(0, 10_000))
def test_a_greedy_soup_follows_its_recipe_and_is_never_worse_than_its_best_member(n, seed):
    drawn = members(n, torch.float64, seed)
    evaluate = near(torch.zeros(4, 3, dtype=torch.float64))
    soup = greedy_soup(drawn, evaluate)

    scores = [evaluate(member) for member in drawn]
    kept, best = [], -np.inf
    for k in np.argsort(scores)[::-1]:  # the recipe, with means made anew
        mean = torch.stack([drawn[i]["weight"] for i in [*kept, k]]).mean(0)
        if (score := evaluate({"weight": mean})) > best:
            kept, best = [*kept, k], score
    assert soup.kept == tuple(kept)
    assert soup.score == pytest.approx(best, rel=1e-12)
    assert soup.score == evaluate(soup.state) >= max(scores)
    assert [trial.alone for trial in soup.trials] == sorted(scores, reverse=True)


def test_a_member_that_changes_no_score_is_left_out():
    drawn = members(3)
    assert greedy_soup(drawn, lambda state: 0.7).kept == (0,)
    assert greedy_soup(drawn, lambda state: 0.7, scores=[0.1, 0.3, 0.3]).kept[0] == 1


def test_known_scores_are_not_measured_again():
    drawn = members(3)
    asked = []
    evaluate = near(torch.zeros(4, 3))
    scores = [evaluate(member) for member in drawn]
    soup = greedy_soup(drawn, lambda s: asked.append(1) or evaluate(s), scores=scores)
    assert len(asked) == 2  # two means; the best member alone is known
    assert soup.kept == greedy_soup(drawn, evaluate).kept


def test_an_evaluation_that_spoils_its_weights_spoils_no_soup():
    drawn = members(4, torch.float64)
    evaluate = near(torch.zeros(4, 3))

    def spoil(state):
        score = evaluate(state)
        state["weight"].fill_(9.0)
        return score

    clean = greedy_soup(drawn, evaluate)
    scores = [evaluate(member) for member in drawn]
    assert torch.equal(
        greedy_soup(drawn, spoil, scores=scores).state["weight"], clean.state["weight"]
    )


def test_members_that_differ_are_refused_before_any_is_evaluated():
    drawn = members(3)
    drawn[2]["weight"] = torch.zeros(4, 2)
    for soup in (uniform_soup, lambda m: greedy_soup(m, lambda state: 1 / 0)):
        with pytest.raises(InputError, match=r"'weight' has shape \(4, 3\) in member 0 .*member 2"):
            soup(drawn)
        with pytest.raises(InputError, match="no members"):
            soup([])


def test_a_score_is_a_number_and_there_is_one_a_member():
    drawn = members(2)
    with pytest.raises(InputError, match="score of member 0 is nan"):
        greedy_soup(drawn, lambda state: float("nan"))
    with pytest.raises(InputError, match="1 scores of 2 members"):
        greedy_soup(drawn, lambda state: 0.0, scores=[0.5])


def test_integers_that_differ_make_no_soup():
    drawn = members(3)
    drawn[1]["ids"] = torch.zeros(5, dtype=torch.int64)
    with pytest.raises(InputError, match="'ids' holds 5 numbers"):
        uniform_soup(drawn)
