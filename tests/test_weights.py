"""WiSE-FT: every tensor is averaged, the ends are exact, and only like is averaged with like."""

import copy
import json
import struct

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification

import zoo
from benchmarks.memory import peak
from probes.errors import InputError
from probes.transfer.layouts import CODES, layout_in, layout_of
from probes.transfer.weights import BLOCK, interpolate, interpolate_files

FLOATS = [dtype for dtype in CODES if dtype.is_floating_point]


def states(dtype=torch.float32, seed=0, n=2):
    """Weights of a model with batch normalisation, which counts its batches in an integer."""
    generator = torch.Generator().manual_seed(seed)
    drawn = []
    for k in range(n):
        model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.BatchNorm1d(7))
        state = model.state_dict()
        for name, tensor in state.items():
            if tensor.is_floating_point():
                state[name] = torch.randn(tensor.shape, generator=generator).to(dtype)
            else:
                state[name] = torch.tensor(10 * k)
        drawn.append({**state, "table": torch.arange(6)})
    return drawn


def assert_same_bits(one, other):
    assert one.keys() == other.keys()
    for name in one:
        a, b = (state[name].reshape(-1).view(torch.uint8) for state in (one, other))
        assert one[name].dtype == other[name].dtype and one[name].shape == other[name].shape
        assert torch.equal(a, b), name


def saved(path, state, **metadata):
    safetensors.torch.save_file(state, path, metadata)
    return path


def test_every_tensor_is_the_average_of_the_two():
    one, other = states()
    middle = interpolate(one, other, 0.3)
    assert middle.keys() == one.keys()
    for name in one:
        if one[name].is_floating_point():
            expected = 0.7 * one[name].double().numpy() + 0.3 * other[name].double().numpy()
            np.testing.assert_array_equal(middle[name].numpy(), expected.astype(np.float32))


@pytest.mark.parametrize("dtype", FLOATS)
def test_at_both_ends_the_weights_are_those_of_the_model_bit_for_bit(dtype, tmp_path):
    one, other = states(dtype)
    one["1.weight"][0], other["1.weight"][0] = -0.0, float("nan")
    assert_same_bits(interpolate(one, other, 0), one)
    assert_same_bits(interpolate(one, other, 1), other)
    paths = saved(tmp_path / "0", one), saved(tmp_path / "1", other)
    for alpha, end in ((0, one), (1, other)):
        interpolate_files(*paths, alpha, tmp_path / "out")
        assert_same_bits(safetensors.torch.load_file(tmp_path / "out"), end)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_is_averaged_in_float64(dtype):
    one, other = states(dtype, seed=3)
    wide = [
        {n: t.double() if t.is_floating_point() else t for n, t in s.items()} for s in (one, other)
    ]
    exact = interpolate(*wide, 0.1)
    for name, tensor in interpolate(one, other, 0.1).items():
        assert torch.equal(tensor, exact[name].to(tensor.dtype))


def test_numbers_that_are_equal_stay_as_they_are_infinite_ones_too():
    mask = torch.tensor([-torch.inf, 0.1, 7e-45])
    for alpha in (0.1, 0.3, 0.7):
        assert torch.equal(interpolate({"m": mask}, {"m": mask}, alpha)["m"], mask)
    drawn = torch.randn(1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(interpolate({"m": drawn}, {"m": drawn}, 0.1)["m"], drawn)


def test_a_counter_is_rounded_and_keeps_its_type():
    one, other = states()
    name = "1.num_batches_tracked"
    assert other[name] - one[name] == 10
    for alpha, expected in ((0.1, 1), (0.26, 3), (0.25, 2), (0.35, 4)):  # halves go to the even one
        counter = interpolate(one, other, alpha)[name]
        assert counter.dtype == torch.int64 and counter == expected


def test_other_integers_are_never_averaged():
    one, other = states()
    assert torch.equal(interpolate(one, other, 0.5)["table"], one["table"])
    other["table"] = other["table"].flip(0)
    with pytest.raises(InputError, match=r"'table' holds 6 numbers of torch.int64 that differ"):
        interpolate(one, other, 0.5)


def test_nothing_is_left_of_a_file_that_could_not_be_averaged(tmp_path):
    one, other = states()
    other["table"] = other["table"].flip(0)
    paths = saved(tmp_path / "0", one), saved(tmp_path / "1", other)
    with pytest.raises(InputError, match="'table'"):
        interpolate_files(*paths, 0.5, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1"}


def test_neither_model_is_changed():
    one, other = states()
    before = copy.deepcopy((one, other))
    for alpha in (0, 0.5, 1):
        for tensor in interpolate(one, other, alpha).values():
            tensor.fill_(5)
    assert_same_bits(one, before[0])
    assert_same_bits(other, before[1])


@settings(max_examples=30, deadline=None)
@given(alpha=st.floats(0, 1), seed=st.integers(0, 50))
def test_exchanging_the_models_exchanges_alpha(alpha, seed):
    one, other = states(seed=seed)
    there, back = interpolate(one, other, alpha), interpolate(other, one, 1 - alpha)
    for name in ("0.weight", "1.running_var"):
        torch.testing.assert_close(there[name], back[name], rtol=1e-6, atol=1e-7)
        low, high = torch.minimum(one[name], other[name]), torch.maximum(one[name], other[name])
        assert ((low <= there[name]) & (there[name] <= high)).all()


def test_files_are_averaged_as_states_are_and_read_back(tmp_path):
    one, other = states(torch.bfloat16)
    one["big"], other["big"] = torch.zeros(BLOCK + 3), torch.ones(BLOCK + 3)  # more than a block
    one["none"] = other["none"] = torch.zeros(0, 4)
    paths = (
        saved(tmp_path / "0", one, format="pt"),
        saved(tmp_path / "1", other, format="pt", x="y"),
    )
    interpolate_files(*paths, 0.25, tmp_path / "out")
    assert_same_bits(safetensors.torch.load_file(tmp_path / "out"), interpolate(one, other, 0.25))
    assert layout_in(tmp_path / "out").metadata == {"format": "pt", "alpha": "0.25"}
    interpolate_files(*paths, 0.25, paths[0])  # over one of the two
    assert paths[0].read_bytes() == (tmp_path / "out").read_bytes()


def test_every_tensor_of_a_file_begins_at_a_multiple_of_its_numbers_size(tmp_path):
    one, other = states(torch.bfloat16)
    one["odd"] = other["odd"] = torch.zeros(3, dtype=torch.uint8)
    paths = saved(tmp_path / "0", one), saved(tmp_path / "1", other)
    interpolate_files(*paths, 0.5, tmp_path / "out")
    raw = (tmp_path / "out").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert length % 8 == 0
    for name, entry in header.items():
        if name != "__metadata__":
            assert entry["data_offsets"][0] % one[name].itemsize == 0


@pytest.mark.parametrize("alpha", [-0.1, 1.01, float("nan"), float("inf")])
def test_alpha_lies_between_the_two(alpha):
    with pytest.raises(InputError, match="expected 0 "):
        interpolate(*states(), alpha)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s.pop("0.bias"), r"lacks the tensor '0.bias' that .* has \(1 such"),
        (lambda s: s.update(extra=torch.zeros(1)), r"lacks the tensor 'extra'"),
        (
            lambda s: s.update({"0.weight": torch.zeros(3, 5), "1.bias": torch.zeros(2)}),
            r"'0.weight' has shape \(7, 5\) in .* and \(3, 5\) in",
        ),
        (lambda s: s.update({"0.weight": s["0.weight"].half()}), r"'0.weight' is F32 in .* F16 in"),
    ],
)
def test_the_first_tensor_that_differs_is_named(change, message, tmp_path):
    one, other = states()
    change(other)
    with pytest.raises(InputError, match=message):
        interpolate(one, other, 0.5)
    paths = saved(tmp_path / "0", one), saved(tmp_path / "1", other)
    with pytest.raises(InputError, match=message):
        interpolate_files(*paths, 0.5, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_headers_are_compared_before_a_number_is_read(tmp_path, monkeypatch):
    one, other = states()
    other["1.weight"] = other["1.weight"].half()
    paths = saved(tmp_path / "0", one), saved(tmp_path / "1", other)
    monkeypatch.setattr("probes.transfer.weights.opened", None)  # nothing is opened to be read
    with pytest.raises(InputError, match=r"'1.weight' is F32"):
        interpolate_files(*paths, 0.5, tmp_path / "out")


def test_classes_in_another_order_are_refused_and_named(tmp_path):
    one, other = states()
    ours, theirs = ["bad", "good", "so-so"], ["bad", "so-so", "good"]
    message = "classes differ: number 1 is 'good' of .* and 'so-so' of"
    with pytest.raises(InputError, match=message):
        interpolate(one, other, 0.5, about_0={"classes": ours}, about_1={"classes": theirs})
    first = saved(tmp_path / "0", one, classes=json.dumps(ours), architecture="bert")
    second = saved(tmp_path / "1", other, classes=json.dumps(theirs), architecture="bert")
    with pytest.raises(InputError, match=message):
        interpolate_files(first, second, 0.5, tmp_path / "out")
    interpolate_files(first, second, 0.5, tmp_path / "out", about_1={"classes": ours})
    third = saved(tmp_path / "2", other, classes=json.dumps(ours[:2]))
    with pytest.raises(InputError, match=r"has 3 classes, .* has 2"):
        interpolate_files(first, third, 0.5, tmp_path / "out")
    fourth = saved(tmp_path / "3", other, architecture="roberta")
    with pytest.raises(InputError, match=r"architecture is 'bert' of .* and 'roberta' of"):
        interpolate_files(first, fourth, 0.5, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 a pickle", b"\x08" + 7 * b"\0" + b"not json"])
def test_what_is_no_safetensors_file_is_refused(content, tmp_path):
    good = saved(tmp_path / "0", states()[0])
    (tmp_path / "1").write_bytes(content)
    with pytest.raises(InputError, match="no safetensors file"):
        interpolate_files(good, tmp_path / "1", 0.5, tmp_path / "out")
    with pytest.raises(InputError, match="no weights at"):
        interpolate_files(good, tmp_path / "absent", 0.5, tmp_path / "out")


def test_classes_of_a_header_are_a_list_of_names(tmp_path):
    path = saved(tmp_path / "0", states()[0], classes="bad, good")
    with pytest.raises(InputError, match="expected a list of names as JSON"):
        layout_in(path)


def test_what_is_no_state_is_refused():
    with pytest.raises(InputError, match="holds no tensors"):
        layout_of({}, "x")
    with pytest.raises(InputError, match="'a' is of list"):
        layout_of({"a": [1.0]}, "x")


def test_with_a_frozen_encoder_averaging_weights_averages_outputs(tmp_path):
    zoo.save("bert", tmp_path / "m", auto="AutoModelForSequenceClassification")
    one = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m").eval()
    other = copy.deepcopy(one)
    with torch.no_grad():
        for parameter in other.classifier.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    middle = copy.deepcopy(one)
    middle.load_state_dict(interpolate(one.state_dict(), other.state_dict(), 0.4))
    ids = torch.tensor([[2, 9, 7, 3]])
    with torch.no_grad():
        a, b, mean = (model(ids).logits for model in (one, other, middle))
    torch.testing.assert_close(mean, 0.6 * a + 0.4 * b, rtol=1e-5, atol=1e-6)


def averaging(folder):
    """For a process of its own: average two files of 128 MB, in 32 tensors."""
    for k in range(2):
        tensors = {f"t{i}": torch.full((1 << 20,), float(i + k)) for i in range(32)}
        saved(folder / str(k), tensors)
        del tensors
    return lambda: interpolate_files(folder / "0", folder / "1", 0.5, folder / "out")


def test_averaging_files_holds_little_more_than_the_two_that_are_read(tmp_path):
    before, highest = peak(averaging, tmp_path)
    assert highest - before < 2.75 * 128
    middle = safetensors.torch.load_file(tmp_path / "out")
    assert all((middle[f"t{i}"] == i + 0.5).all() for i in range(32))
