"""Digit networks: what the encoders and decoders compute, teaching them, and what is published."""

import itertools
import random
import shutil

import numpy as np
import pytest
import torch
from torch.nn.functional import linear

from probes.errors import InputError
from probes.roles.digits import kept
from probes.roles.digits.batches import batch_of
from probes.roles.digits.kept import Order, taught
from probes.roles.digits.networks import (
    TASKS,
    Network,
    load_published,
    renumbered_accuracy,
    substitution_accuracy,
)
from probes.roles.digits.training import Recipe, teach
from probes.roles.trees import right_branching, smallest_first

SHAPES = ("uni", "bi", "tree")
DRAW = random.Random(0)
SEQUENCES = [tuple(DRAW.randrange(10) for _ in range(DRAW.randint(1, 6))) for _ in range(60)]
PAIRS = [(a, b) for a in range(10) for b in range(10)]
QUICK = Recipe(learning_rate=1e-2, batch=10, dev_every=5, most_epochs=4)

pytestmark = pytest.mark.usefixtures("one_thread")


def encoded_by_definition(encoder, sequence):
    """The Tree-GRU of Chen et al. (2017), node by node, as its equations have it."""
    width = encoder.left.in_features
    (wz, wq, wh), (lz, lq, lh), (rz, rq, rh) = (
        [
            (lambda x, w=w, b=b: linear(x, w, b))
            for w, b in zip(m.weight.split(width), m.bias.split(width), strict=True)
        ]
        for m in (encoder.word, encoder.left, encoder.right)
    )

    def node(word, left, right):
        z = (wz(word) + lz(left) + rz(right)).sigmoid()
        q = (wq(word) + lq(left) + rq(right)).sigmoid()
        h = (wh(word) + lh(q * left) + rh(q * right)).tanh()
        return z * left + z * right + (1 - z) * h

    nothing = torch.zeros(width)
    nodes = [node(encoder.embedding.weight[digit], nothing, nothing) for digit in sequence]
    for left, right in smallest_first(sequence):
        nodes.append(node(torch.zeros(encoder.embedding.embedding_dim), nodes[left], nodes[right]))
    return nodes[-1]


def decoded_by_definition(decoder, encoding, sequence):
    """One GRU to each left child and one to each right child, which read zeros."""
    width = decoder.out.in_features

    def child(state, side):
        rows = slice(3 * width * side, 3 * width * (side + 1))
        maps = linear(state, decoder.divide.weight[rows], decoder.divide.bias[rows]).split(width)
        read = decoder.read[rows].split(width)
        reset, update = ((m + x).sigmoid() for m, x in zip(maps[:2], read[:2], strict=True))
        proposal = (read[2] + reset * maps[2]).tanh()
        return (1 - update) * proposal + update * state

    tree, n = smallest_first(sequence), len(sequence)
    states = {n + len(tree) - 1: encoding.relu()}
    for k in range(len(tree) - 1, -1, -1):
        for side, node in enumerate(tree[k]):
            states[node] = child(states[n + k], side)
    return torch.stack([decoder.out(states[leaf]) for leaf in range(n)])


@pytest.mark.parametrize("shape", [*SHAPES, "bi-published"])
def test_what_else_is_encoded_does_not_change_an_encoding(shape):
    network = Network(shape, "uni", "autoencode")
    together = network.encode(SEQUENCES)
    alone = np.concatenate([network.encode([sequence]) for sequence in SEQUENCES])
    assert together.shape == (len(SEQUENCES), 60)
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(network.encode(SEQUENCES[::-1])[::-1], together, atol=1e-6)


def test_the_published_bidirectional_encoder_mixes_sequences_while_it_is_taught_and_no_longer():
    encoder = Network("bi-published", "uni", "autoencode").encoder
    batch = batch_of([(1, 2, 3), (4, 5, 6), (7, 8, 9)], 10)
    with torch.no_grad():
        after, during = encoder(batch), encoder.train()(batch)
    assert torch.equal(during[:, :30], after[:, :30])
    assert torch.equal(during[:, 30:], after[:, 30:].flip(0))
    assert not Network("bi-published", "uni", "autoencode").training
    network = Network("bi-published", "uni", "autoencode")
    teach(network, PAIRS, PAIRS, QUICK)
    assert not network.training


def test_the_tree_encoder_is_the_tree_gru_of_its_equations():
    network = Network("tree", "uni", "autoencode")
    falling = (6, 5, 4, 3, 2, 1)
    assert smallest_first(falling) == right_branching(falling)
    with torch.no_grad():
        for sequence in (falling, *SEQUENCES):
            expected = encoded_by_definition(network.encoder, sequence).numpy()
            np.testing.assert_allclose(network.encode([sequence])[0], expected, atol=1e-6)


def test_the_tree_decoder_goes_down_the_tree_of_the_input():
    network = Network("uni", "tree", "autoencode")
    with torch.no_grad():
        for sequence in SEQUENCES:
            encoding = torch.randn(1, 60)
            found = network.decoder(encoding, batch_of([sequence], 10))[:, 0]
            expected = decoded_by_definition(network.decoder, encoding[0], sequence)
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_decoder_reads_zeros_from_the_relu_of_the_encoding_on():
    uni, bi = (Network("uni", shape, "autoencode").decoder for shape in ("uni", "bi"))
    encoding, batch = torch.randn(1, 60), batch_of([(7, 7, 7, 7)], 10)
    with torch.no_grad():
        state, expected = encoding.relu()[None], []
        for _ in range(4):
            _, state = uni.gru(torch.zeros(1, 1, 10), state)
            expected.append(uni.out(state[0]))
        np.testing.assert_allclose(uni(encoding, batch), torch.stack(expected), atol=1e-6)
        halves = torch.nn.GRU(10, 30), torch.nn.GRU(10, 30)
        steps = []
        for half, suffix in zip(halves, ("", "_reverse"), strict=True):
            for name, _ in list(half.named_parameters()):
                getattr(half, name).copy_(getattr(bi.gru, name + suffix))
            first = bi.squeeze(encoding.relu())[None]
            steps.append(half(torch.zeros(4, 1, 10), first)[0])
        both = torch.cat((steps[0], steps[1].flip(0)), 2)
        np.testing.assert_allclose(bi(encoding, batch), bi.out(both), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_decoder_gives_as_many_digits_as_the_sequence_has(shape):
    network = Network("uni", shape, "sort")
    decoded = network.decode(network.encode(SEQUENCES), SEQUENCES)
    assert [len(digits) for digits in decoded] == [len(sequence) for sequence in SEQUENCES]
    assert set(itertools.chain(*decoded)) <= set(range(10))
    lengths = [len(sequence) for sequence in SEQUENCES]
    if shape == "tree":
        with pytest.raises(InputError, match="give it the sequences"):
            network.decode(network.encode(SEQUENCES), lengths)
    else:
        assert network.decode(network.encode(SEQUENCES), lengths) == decoded


def test_every_task_answers_with_the_same_digits_in_an_order_of_its_own():
    asked = (3, 1, 4, 1, 5, 9)
    answers = {task: Network("uni", "uni", task).right(asked) for task in TASKS}
    assert answers == {
        "autoencode": (3, 1, 4, 1, 5, 9),
        "reverse": (9, 5, 1, 4, 1, 3),
        "sort": (1, 1, 3, 4, 5, 9),
        "interleave": (3, 9, 1, 5, 4, 1),
    }
    for sequence, task in itertools.product(SEQUENCES, TASKS):
        assert sorted(TASKS[task](sequence)) == sorted(sequence)


def test_what_is_no_digit_and_what_is_no_network_is_refused():
    network = Network("uni", "uni", "autoencode")
    with pytest.raises(InputError, match=r"item 10 of the sequence .* 0 to 9"):
        network.encode([(1, 2), (3, 10)])
    with pytest.raises(InputError, match="item '1'"):
        network.encode([("1", "2")])
    with pytest.raises(InputError, match="sequence 1 is empty"):
        network.encode([(1, 2), ()])
    with pytest.raises(InputError, match="expected \\(1, 60\\)"):
        network.decode(np.zeros((2, 60)), [(1, 2)])
    with pytest.raises(InputError, match="unknown encoder 'tri'"):
        Network("tri", "uni", "autoencode")
    with pytest.raises(InputError, match="nearest: 'reverse'"):
        Network("uni", "uni", "revers")


def test_a_decomposition_that_is_the_encoder_loses_nothing():
    class Itself:
        def predict(self, sequences):
            return network.encode(sequences)

    class Nothing:
        def predict(self, sequences):
            return np.zeros((len(sequences), 60))

    network = Network("uni", "uni", "autoencode")
    teach(network, PAIRS, PAIRS, Recipe(learning_rate=1e-2, batch=10, most_epochs=40))
    assert network.accuracy(PAIRS) > 0.9  # it learns
    assert substitution_accuracy(network, Itself(), PAIRS) == network.accuracy(PAIRS)
    assert substitution_accuracy(network, Nothing(), PAIRS) == 0.01  # one answer for all


def test_a_tree_of_other_digits_leads_a_tree_decoder_astray():
    class Itself:
        def predict(self, sequences):
            return network.encode(sequences)

    network = Network("tree", "tree", "autoencode")
    triples = [(*pair, digit) for pair in PAIRS[::3] for digit in (2, 7)]
    teach(network, triples, triples, Recipe(learning_rate=1e-2, batch=17, most_epochs=60))
    own = network.accuracy(triples)
    assert own > 0.9
    # Of three digits there are two trees, and the smaller of the first two decides between them.
    assert renumbered_accuracy(network, Itself(), triples) < 0.8 * own


@pytest.mark.parametrize("shape", SHAPES)
def test_teaching_that_was_interrupted_ends_with_the_same_weights_bit_for_bit(shape, tmp_path):
    whole, first, second = (Network(shape, shape, "reverse") for _ in range(3))
    course = teach(whole, PAIRS, PAIRS, QUICK, seed=1)
    state = tmp_path / "state"
    begun = Recipe(learning_rate=1e-2, batch=10, dev_every=5, most_epochs=2)
    teach(first, PAIRS, PAIRS, begun, seed=1, state=state)
    assert teach(second, PAIRS, PAIRS, QUICK, seed=1, state=state) == course
    assert course.epochs == 4
    for a, b in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    state.write_bytes(b"\0" * 100)
    with pytest.raises(InputError, match="damaged"):
        teach(second, PAIRS, PAIRS, QUICK, seed=1, state=state)


def test_teaching_keeps_the_weights_that_were_best_on_dev():
    network = Network("uni", "uni", "autoencode")
    course = teach(network, PAIRS, PAIRS, QUICK)
    batch = batch_of(PAIRS, 10)
    with torch.no_grad():
        logs = network(batch).log_softmax(2).gather(2, batch.digits[..., None])
    assert float(-logs.sum() / len(PAIRS)) == pytest.approx(min(course.dev), abs=1e-5)
    assert course.left_out == 0


def test_teaching_stops_after_an_epoch_that_was_nowhere_better():
    still = Recipe(learning_rate=0.0, batch=10, dev_every=3)
    course = teach(Network("uni", "uni", "autoencode"), PAIRS, PAIRS, still)
    assert course.epochs == 2  # the first measure of all is better than none
    assert len(set(course.dev)) == 1


def test_sequences_that_fill_no_batch_are_counted_or_refused():
    network = Network("uni", "uni", "autoencode")
    course = teach(network, [*PAIRS, (1,), (2,), (1, 2, 3)], PAIRS, QUICK)
    assert course.left_out == 3
    with pytest.raises(InputError, match="3 sequences of dev fill no batch of 10"):
        teach(network, PAIRS, PAIRS[:3], QUICK)


def test_a_network_is_taught_once_and_read_ever_after(tmp_path, monkeypatch):
    order = Order("bi", "uni", "sort", 0, QUICK)
    network, folder = taught(order, PAIRS, PAIRS, tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == ["network.json", "weights.safetensors"]
    monkeypatch.setattr(kept, "teach", None)
    again, same = taught(order, PAIRS, PAIRS, tmp_path)
    assert same == folder
    for a, b in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    for other in (
        Order("bi", "uni", "sort", 1, QUICK),
        Order("bi", "uni", "sort", 0, Recipe(batch=10)),
        Order("bi", "uni", "reverse", 0, QUICK),
    ):
        with pytest.raises(TypeError):  # it asks to be taught
            taught(other, PAIRS, PAIRS, tmp_path)
    with pytest.raises(TypeError):
        taught(order, PAIRS[::-1], PAIRS, tmp_path)
    weights = folder / "weights.safetensors"
    spoilt = bytearray(weights.read_bytes())
    spoilt[-1] ^= 1
    weights.write_bytes(spoilt)
    with pytest.raises(InputError, match=r"weights\.safetensors is damaged"):
        taught(order, PAIRS, PAIRS, tmp_path)


def test_a_network_that_was_killed_in_an_epoch_goes_on_from_the_last_whole_one(
    tmp_path, monkeypatch
):
    order = Order("tree", "tree", "autoencode", 0, QUICK)
    whole, folder = taught(order, PAIRS, PAIRS, tmp_path / "whole")

    writes = []

    def killed(path, content):
        if len(writes) == 2:
            raise KeyboardInterrupt
        writes.append(path)
        path.write_bytes(content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("probes.roles.digits.training.write_whole", killed)
        taught(order, PAIRS, PAIRS, tmp_path / "killed")
    left = tmp_path / "killed" / folder.name
    assert [path.name for path in left.iterdir()] == ["state.safetensors"]
    shutil.copytree(left, tmp_path / "copy" / folder.name)
    resumed, _ = taught(order, PAIRS, PAIRS, tmp_path / "copy")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_published_weights_give_the_published_encodings(data):
    network = load_published(data / "tpdn")
    sequences, Z = [], []
    for line in (data / "tpdn" / "example.data_from_test").read_text().splitlines():
        digits, vector = line.split("\t")
        sequences.append(tuple(map(int, digits.split())))
        Z.append([float(x) for x in vector.split()])
    assert len(sequences) == 5000
    np.testing.assert_allclose(network.encode(sequences), Z, atol=1e-5)
    assert network.accuracy(sequences) == 1.0


def test_a_folder_without_the_published_weights_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"encoder_example\.weights"):
        load_published(tmp_path)
    torch.save({"embedding.weight": torch.zeros(10, 10)}, tmp_path / "encoder_example.weights")
    with pytest.raises(InputError, match="holds other weights"):
        load_published(tmp_path)
