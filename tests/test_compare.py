"""Schemes compared: the planted one is selected, and equal divisions are tied."""

from __future__ import annotations

import numpy as np
import pytest

from planted import draw_digits, halves, plant
from probes.errors import InputError
from probes.roles.naming import SIX, parse_scheme
from probes.roles.schemes import LeftToRight, RoleScheme
from probes.roles.tpdn.additive import AdditiveTPDN
from probes.roles.tpdn.compare import compare, hold_out_pairs
from probes.roles.tpdn.lowrank import TPDN

SEEDS = [pytest.param(range(1), id="1"), pytest.param(range(50), id="50", marks=pytest.mark.slow)]


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("scheme", SIX, ids=lambda s: s.name)
def test_the_planted_scheme_is_selected_among_all(scheme: RoleScheme, seeds: range) -> None:
    for seed in seeds:
        sequences = draw_digits(4000, seed)
        data = halves(sequences, plant(sequences, scheme, seed, r2=0.95), 3000)
        selected = [standing for standing in compare(SIX, *data) if standing.selected]
        assert [standing.scheme for standing in selected] == [scheme.name], f"seed {seed}"
        assert selected[0].r2 > 0.85


def test_schemes_that_divide_the_items_alike_are_tied() -> None:
    sequences = draw_digits(600, 1, shortest=4, longest=4)
    found = compare(SIX, *halves(sequences, plant(sequences, LeftToRight(), 1, r2=0.9), 500))
    tied = {standing.scheme: standing.tied for standing in found}
    assert tied["ltr"] == ("rtl", "bi")
    assert tied["bow"] == ()
    mixed = draw_digits(600, 1)
    found = compare(SIX, *halves(mixed, plant(mixed, LeftToRight(), 1, r2=0.9), 500))
    assert all(standing.tied == () for standing in found)


def test_the_shortest_description_is_that_of_the_planted_scheme() -> None:
    for scheme in SIX[:3]:
        sequences = draw_digits(3000, 2)
        found = compare(SIX, *halves(sequences, plant(sequences, scheme, 2, r2=0.95), 2500))
        assert min(found, key=lambda standing: standing.bits).scheme == scheme.name


def test_the_interval_of_the_best_is_zero_and_of_a_wrong_one_is_above_it() -> None:
    sequences = draw_digits(1500, 3)
    found = compare(SIX, *halves(sequences, plant(sequences, LeftToRight(), 3, r2=0.9), 1200))
    by_name = {standing.scheme: standing for standing in found}
    assert by_name["ltr"].behind.value == 0
    assert (by_name["bow"].behind.low or 0) > 0


def test_only_a_product_of_embeddings_answers_for_pairs_that_were_held_out() -> None:
    sequences = draw_digits(4000, 4, shortest=2, longest=4)
    scheme = LeftToRight()
    Z = plant(sequences, scheme, 4, dims=(2, 2))
    without, with_ = hold_out_pairs(sequences, scheme, 0.1)
    assert not (without & with_).any()
    train = [s for s, kept in zip(sequences, without, strict=True) if kept], Z[without]
    test = [s for s, kept in zip(sequences, with_, strict=True) if kept], Z[with_]
    low = TPDN(scheme, 2, 2, penalty=1e-10, tolerance=1e-10).fit(*train)
    assert low.unseen(test[0]).roles == 0
    assert low.score(*test) > 1 - 1e-6
    assert AdditiveTPDN(scheme).fit(*train).score(*test) < 0.9


def test_what_cannot_be_compared_is_refused() -> None:
    sequences = draw_digits(50, 5)
    data = sequences, np.zeros((50, 3))
    with pytest.raises(InputError, match="each once"):
        compare([LeftToRight(), parse_scheme("ltr")], data, data)
    with pytest.raises(InputError, match=r"share 1\.5"):
        hold_out_pairs(sequences, LeftToRight(), 1.5)
