"""The zero-shot classifier is what its model says, and its embedding is trained as a whole."""

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize

import image_zoo
import towers
from adapting import differing, state
from image_zoo import noise
from probes.encoders import ImageEncoder
from probes.encoders.image_features import ImageFeatures
from probes.encoders.text_features import TextFeatures
from probes.encoders.text_tower import TextTower
from probes.errors import InputError
from probes.transfer.classifier import Classifier
from probes.transfer.wise import output_ensemble, wise_ft
from probes.transfer.zero_shot import zero_shot
from towers import EACH

pytestmark = pytest.mark.usefixtures("one_thread")
WHERE = {"revision": None, "trust_remote_code": False}
CLASSES = ("dark", "bright one", "striped_thing")
TOP = ("visual_projection", "head.")  # of CLIP; of SigLIP
TEMPLATES = ("a photo of a {}.", "{}: a drawing", "no {x} but {}")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Gives the folder of a tiny model of images and texts; made once."""
    made = {}

    def build(family):
        if family not in made:
            made[family] = str(tmp_path_factory.mktemp("models") / family)
            towers.save(family, made[family])
        return made[family]

    return build


def features_of(folder, **options):
    return ImageFeatures.from_pretrained(folder, pooling="embedding", **options)


def relative(a, b):
    return float((a - b).norm() / b.norm())


def tokens_of(folder, family, texts):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if family == "clip":
        return tokenizer(texts, padding=True, return_tensors="pt")
    full = tokenizer(texts, padding="max_length", max_length=towers.MOST, return_tensors="pt")
    return {"input_ids": full["input_ids"]}


@EACH
def test_with_one_template_logits_are_those_of_transformers(two, family):
    folder, images = two(family), noise(5)
    made = zero_shot(features_of(folder), CLASSES)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    texts = tokens_of(folder, family, [f"a photo of a {name}." for name in CLASSES])
    pixels = made.features.collate(list(images))
    with torch.no_grad():
        expected = model(**pixels, **texts).logits_per_image
    found = torch.from_numpy(made.predict(list(images)).logits)
    assert relative(found, expected) <= 1e-5
    assert relative(found - found.mean(1, keepdim=True),
                    expected - expected.mean(1, keepdim=True)) <= 1e-4  # fmt: skip


@EACH
def test_a_row_of_the_head_is_the_mean_over_templates_of_unit_vectors_at_unit_length(two, family):
    made = zero_shot(features_of(two(family)), CLASSES, TEMPLATES)
    model = transformers.AutoModel.from_pretrained(two(family)).eval()
    for row, name in zip(made.head.weight.detach(), CLASSES, strict=True):
        units = []
        for template in TEMPLATES:
            text = tokens_of(two(family), family, [template.replace("{}", name)])
            with torch.no_grad():
                units.append(normalize(model.get_text_features(**text).pooler_output[0], dim=0))
        mean = sum(units) / len(units)
        assert float(mean.norm()) < 0.999  # or it would not matter that it is brought to one
        expected = model.logit_scale.exp() * mean / mean.norm()
        assert relative(row, expected.detach()) <= 1e-5
    bias = model.logit_bias.item() if family == "siglip" else 0.0
    assert made.head.bias.tolist() == pytest.approx([bias] * 3)


@EACH
def test_the_company_of_a_text_does_not_change_its_vector(two, family):
    tower = TextTower.from_pretrained(two(family), WHERE)
    texts = [f"a photo of a {name}." for name in CLASSES] + ["x"] * 64 + ["a dog"]
    together = tower(texts)
    for k in (0, 2, len(texts) - 1):
        assert relative(tower([texts[k]])[0], together[k]) <= 1e-5
    assert torch.allclose(together.norm(dim=1), torch.ones(len(texts), dtype=torch.float64))


def test_a_tokenizer_without_padding_pads_with_the_end_and_nothing_changes(two, tmp_path):
    towers.save("clip", tmp_path / "x", pads=False)
    bare, full = (TextTower.from_pretrained(str(f), WHERE) for f in (tmp_path / "x", two("clip")))
    texts = ["a dog", "a much longer text"]
    assert bare.tokens.tokenizer.pad_token == "[SEP]"
    assert relative(bare(texts), full(texts)) <= 1e-5


@EACH
def test_the_embedding_has_length_one_and_every_weight_below_it_has_a_gradient(two, family):
    features = features_of(two(family))
    vectors = features(features.collate(list(noise(4))))
    assert vectors.shape == (4, features.width) and vectors.dtype == torch.float32
    assert torch.allclose(vectors.norm(dim=1), torch.ones(4), atol=1e-6)
    (vectors * torch.randn(vectors.shape, generator=torch.manual_seed(0))).sum().backward()
    parameters = dict(features.module.named_parameters())
    assert any(part in name for part in TOP for name in parameters)
    assert not [name for name, p in parameters.items() if p.grad is None or (not p.grad.any()
                and not name.endswith("k_proj.bias"))]  # fmt: skip
    blocks = features.blocks()
    owners = [id(p) for block in blocks for p in block.parameters()]
    assert len(blocks) == 3 + 2
    assert sorted(owners) == sorted(id(p) for p in parameters.values())


@EACH
def test_the_gradient_is_that_through_the_length(two, family):
    features = features_of(two(family))
    pixels = features.collate(list(noise(2)))
    model = transformers.AutoModel.from_pretrained(two(family)).eval()
    bare = model.get_image_features(**pixels).pooler_output
    (bare / bare.norm(dim=1, keepdim=True))[:, 0].sum().backward()
    features(pixels)[:, 0].sum().backward()
    theirs = {n.removeprefix("vision_model."): p.grad for n, p in model.named_parameters()}
    for name, p in features.module.named_parameters():
        grad = theirs[name.removeprefix("vision_model.")]
        assert torch.allclose(p.grad, grad, atol=1e-6 + 1e-4 * float(grad.abs().max())), name


@EACH
def test_saved_and_loaded_it_answers_the_same_bit_for_bit(two, tmp_path, family):
    made = zero_shot(features_of(two(family)), CLASSES, TEMPLATES)
    with torch.no_grad():
        for name, p in made.features.module.named_parameters():
            if any(part in name for part in TOP):
                p.mul_(1.1).add_(0.01)  # the projection, too, is among what is saved
    images = list(noise(4))
    made.save(tmp_path / "x")
    again = Classifier.load(tmp_path / "x", CLASSES)
    assert not differing(state(made), state(again))
    assert np.array_equal(made.predict(images).logits, again.predict(images).logits)
    assert again.about() == made.about()
    plain = getattr(transformers, type(made.features.module).__name__)
    theirs = plain.from_pretrained(tmp_path / "x").state_dict()
    assert all(torch.equal(theirs[n], t) for n, t in made.features.module.state_dict().items())
    other = made.copy()
    with torch.no_grad():
        next(other.features.module.parameters()).mul_(2)
    assert np.array_equal(made.predict(images).logits, again.predict(images).logits)


@EACH
def test_all_weights_of_the_embedding_are_averaged_and_the_ends_are_the_ends(two, family):
    first = zero_shot(features_of(two(family)), CLASSES)
    second = first.copy()
    with torch.no_grad():
        for p in second.parameters().values():
            p.add_(0.1)
    assert not differing(state(wise_ft(first, second, 0.0)), state(first))
    assert not differing(state(wise_ft(first, second, 1.0)), state(second))
    half = state(wise_ft(first, second))
    assert all(torch.allclose(half[n], p + 0.05, atol=1e-6) for n, p in first.parameters().items())


def test_with_a_frozen_network_averaged_weights_are_averaged_outputs(two):
    first = zero_shot(features_of(two("clip")), CLASSES)
    weight = torch.randn(first.head.weight.shape, generator=torch.manual_seed(1))
    second = first.with_head(weight, torch.tensor([0.5, -0.5, 0.0]))
    images = list(noise(6))
    answers = [one.predict(images) for one in (first, second)]
    for alpha in (0.1, 0.5, 0.8):
        found = wise_ft(first, second, alpha).predict(images).logits
        expected = output_ensemble(*answers, alpha).logits
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_random_weights_have_an_embedding_too(two):
    a, b = (features_of(two("clip"), random_weights=seed) for seed in (1, 2))
    pixels = a.collate(list(noise(2)))
    assert a(pixels).shape == (2, a.width)
    assert not torch.allclose(a(pixels), b(pixels))


def test_what_has_no_embedding_or_no_text_tower_is_refused(two, member, tiny, tmp_path):
    for name in (member("vit"), member("resnet")):
        with pytest.raises(InputError, match="compares images with no texts"):
            features_of(name)
    with pytest.raises(InputError, match="compares images with no texts"):
        features_of("python:nowhere.py:network")
    with pytest.raises(InputError, match="pooling 'cls'"):
        zero_shot(ImageFeatures.from_pretrained(two("clip")), CLASSES)
    with pytest.raises(InputError, match="these text features have the pooling"):
        zero_shot(TextFeatures.from_pretrained(tiny("bert")), CLASSES)
    with pytest.raises(InputError, match="'embedding'"):
        ImageEncoder.from_pretrained(two("clip")).require_pooling("embedding")
    alone = features_of(two("clip"))
    alone.save(tmp_path / "alone")
    with pytest.raises(InputError, match="has no text tower"):
        zero_shot(features_of(str(tmp_path / "alone")), CLASSES)
    bare = load_file(tmp_path / "alone" / "model.safetensors")
    del bare["visual_projection.weight"]
    save_file(bare, tmp_path / "alone" / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights .*visual_projection"):
        features_of(str(tmp_path / "alone"))
    image_zoo.save("clip", tmp_path / "mute")
    with pytest.raises(InputError, match="comes without a tokenizer"):
        zero_shot(features_of(str(tmp_path / "mute")), CLASSES)


@EACH
def test_a_text_that_is_too_long_is_refused_and_not_cut(two, family):
    features = features_of(two(family))
    with pytest.raises(InputError, match=f"has 53 sub-tokens, .* reads {towers.MOST}"):
        zero_shot(features, ("dog", "x" * 37))
    zero_shot(features, ("dog", "x" * 24))  # two special ones, and 14 of the template


@pytest.mark.parametrize(
    ("templates", "said"),
    [
        ((), "at least one"),
        (("a {}", "a {}"), "each once"),
        (("a photo",), "'a photo' has 0 places"),
        (("{} or {}",), "has 2 places"),
    ],
)
def test_templates_have_one_place_for_the_name(two, templates, said):
    with pytest.raises(InputError, match=said):
        zero_shot(features_of(two("clip")), CLASSES, templates)
