"""Where units stand among sub-tokens, windows and layers: by hand, without a model."""

import numpy as np
import pytest
import torch

from probes.encoders import parse_layers
from probes.encoders.align import Pieces, place, windows
from probes.encoders.pooling import Segments, pool
from probes.errors import InputError


def test_the_mean_over_one_sub_token_is_that_sub_token():
    hidden = torch.randn(2, 5, 7)
    segments = Segments(torch.tensor([3, 0, 1, 9]), torch.tensor([1, 2, 1]))
    pooled = pool(hidden, segments, "mean")
    flat = hidden.reshape(10, 7)
    assert torch.equal(pooled[0], flat[3])
    assert torch.equal(pooled[2], flat[9])
    assert torch.allclose(pooled[1], flat[:2].mean(0))


@pytest.mark.parametrize(("n", "room"), [(10, 8), (16, 8), (17, 8), (31, 7), (9, 8)])
def test_windows_cover_all_tokens_and_units_lie_in_the_best_one(n, room):
    cuts = windows(n + 2, n, room + 2, "window")
    assert all(b - a == room for a, b in cuts)
    assert {t for a, b in cuts for t in range(a, b)} == set(range(n))
    for t in range(n):
        rows, tokens = place(cuts, t, t + 1)
        context = [min(t - a, b - 1 - t) for a, b in cuts]
        assert tokens.tolist() == [t]
        assert context[rows[0]] == max(context)
    rows, tokens = place(cuts, 0, n)
    assert tokens.tolist() == list(range(n))


def test_a_token_over_the_edge_of_two_words_belongs_to_both():
    pieces = Pieces.build(["ab cd"], [[1, 2]], [[(0, 4), (4, 5)]], [[0, 0]])
    spans = np.array([[0, 2], [3, 5]])
    assert pieces.cover(np.array([0, 0]), spans).tolist() == [[0, 1], [0, 2]]


def test_unordered_offsets_are_searched_one_by_one():
    pieces = Pieces.build(["ab cd"], [[1, 2]], [[(3, 5), (0, 2)]], [[0, 0]])
    spans = np.array([[0, 2], [3, 5]])
    assert pieces.cover(np.array([0, 0]), spans).tolist() == [[1, 2], [0, 1]]


def test_useless_offsets_are_an_error():
    with pytest.raises(ValueError, match="covers zero characters"):
        Pieces.build(["ab cd"], [[1, 2]], [[(0, 0), (0, 0)]], [[0, 0]])


@pytest.mark.parametrize(
    ("spec", "chosen"),
    [
        ("all", "0 1 2 3 final"),
        ("0-2", "0 1 2"),
        ("3,0", "0 3"),
        ("-1", "3"),
        ("1,final", "1 final"),
    ],
)
def test_layers_are_chosen_by_numbers_and_ranges(spec, chosen):
    assert parse_layers(spec, ["0", "1", "2", "3", "final"]) == tuple(chosen.split())


@pytest.mark.parametrize("spec", ["4", "2-9", "x", "", "final", "3-1", "-5"])
def test_a_layer_that_is_not_there_names_the_valid_range(spec):
    with pytest.raises(InputError, match=r"layers of this model: 0-3"):
        parse_layers(spec, ["0", "1", "2", "3"])


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("final", "unknown layer 'final'; layers of this model: 0-3"),
        ("0,final", "unknown layer 'final' in '0,final'; layers of this model: 0-3"),
        ("al", "unknown layer 'al' (nearest: 'all'); layers of this model: 0-3"),
        ("9", "unknown layer '9'; layers of this model: 0-3"),
        ("decoder.1", "unknown layer 'decoder.1'; layers of this model: 0-3"),
    ],
)
def test_a_layer_that_is_not_there_is_one_sentence(spec, said):
    with pytest.raises(InputError) as caught:
        parse_layers(spec, ["0", "1", "2", "3"])
    assert str(caught.value) == said


def test_a_marker_of_white_space_begins_the_next_word_of_its_own_text():
    texts = ["ab  cd ", "ef"]
    ids = [[1, 9, 2, 9], [3]]
    offsets = [[(0, 2), (2, 4), (4, 6), (6, 7)], [(0, 2)]]
    pieces = Pieces.build(texts, ids, offsets, [[0] * 4, [0]], np.array([9]))
    covered = pieces.cover(np.array([0, 0, 1]), np.array([[0, 2], [4, 6], [0, 2]]))
    assert covered.tolist() == [[0, 1], [1, 3], [4, 5]]
