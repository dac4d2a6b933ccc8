"""A classifier predicts, is copied, saved and read back, and refuses what does not fit it."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

import zoo
from adapting import CLASSES, classifier, differing, state
from probes.encoders.text_features import TextFeatures
from probes.errors import InputError
from probes.transfer.classifier import Classifier
from probes.transfer.saved import weight_files

TEXTS = list(zoo.SENTENCES)


def test_a_head_is_drawn_by_seed_and_zero_without_one(tiny):
    features = TextFeatures.from_pretrained(tiny("bert"))
    torch.manual_seed(3)
    expected = nn.Linear(features.width, 2)
    before = torch.random.get_rng_state()
    drawn = Classifier.from_features(features, CLASSES, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(drawn.head.weight, expected.weight)
    assert torch.equal(drawn.head.bias, expected.bias)
    zero = Classifier.from_features(features, CLASSES)
    assert not zero.head.weight.any() and not zero.head.bias.any()


def test_predictions_are_those_of_each_item_alone_in_the_order_given(tiny):
    made = classifier(tiny("bert"))
    found = made.predict(TEXTS, batch_size=3)
    assert found.logits.shape == (len(TEXTS), 2) and found.n_cut == 0
    with torch.no_grad():
        alone = torch.cat([made.logits(made.features.collate([text])) for text in TEXTS])
    np.testing.assert_allclose(found.logits, alone.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.exp(found.log_probabilities).sum(1), 1, rtol=1e-12)


def test_a_temperature_divides_logits_and_changes_no_answer(tiny):
    made = classifier(tiny("bert"))
    cool = made.with_temperature(2.0)
    a, b = made.predict(TEXTS), cool.predict(TEXTS)
    np.testing.assert_allclose(b.logits, a.logits / 2, rtol=1e-6)
    assert (a.codes == b.codes).all()
    batch = made.features.collate(TEXTS)
    with torch.no_grad():
        assert torch.equal(made.logits(batch), cool.logits(batch))


def test_predicting_leaves_modes_and_weights_as_they_were(tiny):
    made = classifier(tiny("bert"))
    made.features.module.train()
    made.features.blocks()[1].eval()
    modes = [m.training for m in made.features.module.modules()]
    before = state(made)
    made.predict(TEXTS)
    assert [m.training for m in made.features.module.modules()] == modes
    assert not differing(state(made), before)


def test_texts_that_were_cut_are_counted(tiny):
    made = classifier(tiny("bert"), max_length=6)
    n_long = sum(made.features.collate([text])["cut"].item() for text in TEXTS)
    assert made.predict(TEXTS).n_cut == n_long > 0


def test_copies_share_nothing(tiny):
    made = classifier(tiny("bert"))
    before = state(made)
    moved = made.with_state({name: t + t.new_tensor(1) for name, t in before.items()})
    assert not differing(state(made), before)
    assert len(differing(state(moved), before)) == len(before)
    headed = made.with_head(torch.ones(2, made.features.width), torch.zeros(2))
    assert differing(state(headed), before) == ["head.weight", "head.bias"]
    assert not differing(state(made), before)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_what_is_saved_is_read_back_bit_for_bit(tiny, tmp_path, family):
    made = classifier(tiny(family), max_length=20).with_temperature(1.7)
    made.save(tmp_path / "c")
    again = Classifier.load(tmp_path / "c", CLASSES)
    assert again.about() == made.about() and again.temperature == 1.7
    assert not differing(state(again), state(made))
    assert np.array_equal(again.predict(TEXTS).logits, made.predict(TEXTS).logits)
    made.with_head(torch.ones_like(made.head.weight), made.head.bias).save(tmp_path / "c")
    assert bool((Classifier.load(tmp_path / "c").head.weight == 1).all())  # written over


def test_the_files_of_weights_hold_each_once_and_say_of_what(tiny, tmp_path):
    made = classifier(tiny("bert"))
    made.save(tmp_path)
    files = weight_files(tmp_path)
    assert [path.name for path in files] == ["head.safetensors", "model.safetensors"]
    tensors = [load_file(path) for path in files]
    assert sum(map(len, tensors)) == len(made.state())
    with safe_open(files[0], framework="pt") as file:
        assert file.metadata() == {"architecture": "BertModel", "classes": json.dumps([*CLASSES])}


def test_plain_transformers_reads_the_network(tiny, tmp_path):
    import transformers

    made = classifier(tiny("bert"))
    made.save(tmp_path)
    plain = transformers.AutoModel.from_pretrained(tmp_path).state_dict()
    own = made.features.module.state_dict()
    assert all(torch.equal(plain[name], tensor) for name, tensor in own.items())
    transformers.AutoTokenizer.from_pretrained(tmp_path)


def change(folder, **values):
    path = folder / "classifier.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def spoil(folder, how):
    head = folder / "head.safetensors"
    tensors = load_file(head)
    if how == "no weights":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif how == "no classifier":
        (folder / "classifier.json").unlink()
    elif how == "other architecture":
        change(folder, architecture="GPT2Model")
    elif how == "more classes":
        change(folder, classes=["a", "b", "c"])
    elif how == "a narrow head":
        save_file({**tensors, "weight": tensors["weight"][:, :-1].contiguous()}, head)
    elif how == "half a head":
        save_file({"weight": tensors["weight"]}, head)
    elif how == "no head":
        head.unlink()
    elif how == "damaged":
        head.write_bytes(head.read_bytes()[:100])
    elif how == "damaged network":
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:100])
    elif how == "no json":
        (folder / "classifier.json").write_text("{")
    elif how == "newer":
        change(folder, format=99)
    else:
        raise ValueError(how)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("no weights", "no weights of its network as safetensors; nothing else is read"),
        ("no classifier", "holds no classifier"),
        ("other architecture", "'GPT2Model'.*'BertModel'"),
        ("more classes", r"weight is \[2, 48\], expected \[3, 48\]"),
        ("a narrow head", r"weight is \[2, 47\], expected \[2, 48\]"),
        ("half a head", "bias is not there"),
        ("no head", "is damaged"),
        ("damaged", "is damaged"),
        ("damaged network", "a file is damaged"),
        ("no json", "is damaged"),
        ("newer", "format 99"),
    ],
)
def test_a_folder_that_does_not_hold_together_is_refused(tiny, tmp_path, how, words):
    classifier(tiny("bert")).save(tmp_path)
    spoil(tmp_path, how)
    with pytest.raises(InputError, match=words):
        Classifier.load(tmp_path)


def test_another_order_of_classes_is_refused(tiny, tmp_path):
    classifier(tiny("bert")).save(tmp_path)
    with pytest.raises(InputError, match="in the order animal, thing; expected thing, animal"):
        Classifier.load(tmp_path, CLASSES[::-1])


def test_weights_of_another_architecture_are_named(tiny):
    made = classifier(tiny("bert"))
    other = classifier(tiny("bert"), classes=("a", "b", "c"))
    with pytest.raises(InputError, match=r"head.weight is 3 x 48 float32 there and 2 x 48"):
        made.with_state(other.state())
    with pytest.raises(InputError, match="the weights lack"):
        made.with_state(classifier(tiny("gpt2")).state())
    extra = {**made.state(), "more": torch.ones(1)}
    with pytest.raises(InputError, match="the weights have more"):
        made.with_state(extra)


def test_what_cannot_be_a_classifier_is_refused(tiny):
    features = TextFeatures.from_pretrained(tiny("bert"))
    for classes in ((), ("a",), ("a", "a")):
        with pytest.raises(InputError, match="expected two or more, each once"):
            Classifier.from_features(features, classes)
    with pytest.raises(InputError, match=r"\(2, 7\).*need \(2, 48\)"):
        Classifier(features, nn.Linear(7, 2), CLASSES)
    with pytest.raises(InputError, match="temperature 0"):
        Classifier.from_features(features, CLASSES).with_temperature(0)
