"""Features of images: the encoder's own vectors, with gradients, divided, copied and saved."""

import json

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import image_zoo
from conftest import ROOT
from image_zoo import FAMILIES, SPECIAL, noise
from probes.encoders import ImageEncoder
from probes.encoders.image_features import ImageFeatures
from probes.errors import InputError
from probes.states import extract
from probes.task import Images, image_task

pytestmark = pytest.mark.usefixtures("one_thread")
EACH = pytest.mark.parametrize("family", FAMILIES)
REFERENCE = f"python:{ROOT / 'tests' / 'image_zoo.py'}:network"


def vectors(features: ImageFeatures, images) -> torch.Tensor:
    with torch.no_grad():
        return features(features.collate(list(images)))


def close(a, b, most=1e-5):
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return np.linalg.norm(a - b, axis=-1).max() <= most * np.linalg.norm(a, axis=-1).max()


@EACH
@pytest.mark.parametrize("pooling", ["cls", "mean", "patch"])
def test_the_vector_is_that_which_the_encoder_stores(member, tmp_path, family, pooling):
    images = noise(4)
    if pooling == "cls" and family not in SPECIAL:
        with pytest.raises(InputError, match="has none; choose mean or patch"):
            ImageFeatures.from_pretrained(member(family), pooling=pooling)
        return
    features = ImageFeatures.from_pretrained(member(family), pooling=pooling)
    encoder = ImageEncoder.from_pretrained(member(family))
    labels, splits = ["a", "b", "a", "b"], ["train"] * 4
    task = image_task(Images.of_arrays(images), labels, splits=splits, name="x", labelling="y")
    store = extract(task, encoder, tmp_path, pooling=pooling)
    found = vectors(features, images)
    assert found.shape == (4, features.width)
    assert found.dtype == torch.float32
    assert close(store.X(encoder.layers[-1]), found)


@EACH
def test_gradients_reach_every_parameter_in_the_blocks_and_each_is_in_one(member, family):
    features = ImageFeatures.from_pretrained(member(family))
    assert features.pooling == ("cls" if family in SPECIAL else "mean")
    blocks = features.blocks()
    owners = [id(p) for block in blocks for p in block.parameters()]
    assert len(owners) == len(set(owners))
    features(features.collate(list(noise(2)))).square().sum().backward()
    reached = {n for n, p in features.module.named_parameters() if p.grad is not None}
    own = {n for n, p in features.module.named_parameters() if id(p) in set(owners)}
    assert reached <= own
    assert own - reached <= {"embeddings.mask_token"}  # of DINO's training


@EACH
def test_blocks_stand_from_the_input_upwards(member, family):
    features = ImageFeatures.from_pretrained(member(family))
    ran = []
    blocks = features.blocks()
    for k, block in enumerate(blocks):
        for part in block.modules():
            part.register_forward_pre_hook(lambda m, args, k=k: ran.append(k))
    vectors(features, noise(1))
    assert ran == sorted(ran)
    assert set(ran) == set(range(len(blocks)))
    n = {"resnet": 2, "resnet-bottleneck": 2, "convnext": 2, "swin": 2}.get(family, 3)
    assert len(blocks) == n + (1 if family.startswith("resnet") else 2)


@EACH
def test_a_copy_is_of_the_same_vectors_and_moves_alone(member, family):
    features = ImageFeatures.from_pretrained(member(family))
    images = noise(2)
    before = vectors(features, images)
    other = features.copy()
    assert torch.equal(vectors(other, images), before)
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.mul_(1.1)
    assert torch.equal(vectors(features, images), before)
    assert not torch.equal(vectors(other, images), before)


@EACH
def test_what_is_saved_is_loaded_by_plain_transformers_and_here(member, tmp_path, family):
    features = ImageFeatures.from_pretrained(member(family))
    with torch.no_grad():
        for parameter in features.module.parameters():
            parameter.add_(0.01)
    images = noise(3)
    features.save(tmp_path / "saved")
    model = transformers.AutoModel.from_pretrained(tmp_path / "saved")
    theirs, ours = model.state_dict(), features.module.state_dict()
    assert set(ours) <= set(theirs)  # a pooler may stand beside
    assert all(torch.equal(theirs[name], ours[name]) for name in ours)
    transformers.AutoImageProcessor.from_pretrained(tmp_path / "saved")
    again = ImageFeatures.load(tmp_path / "saved")
    assert torch.equal(vectors(again, images), vectors(features, images))
    assert again.settings() == features.settings()
    assert json.loads(json.dumps(features.settings()))["width"] == features.width


def test_a_network_is_taken_up_to_its_point_and_its_head_is_left_alone(tmp_path):
    net, images = image_zoo.network(), noise(4)
    features = ImageFeatures.from_module(net.module, layer="pool", pixels=net.pixels)
    encoder = ImageEncoder.from_pretrained(REFERENCE)
    there = encoder.hidden_states(list(images), ["features"])["features"][:, 0]
    assert close(there, vectors(features, images))
    named = ImageFeatures.from_pretrained(REFERENCE)
    assert torch.equal(vectors(named, images), vectors(features, images))
    features(features.collate(list(images))).sum().backward()
    assert features.module.head.weight.grad is None
    assert [type(block) for block in features.blocks()] == [nn.Conv2d, nn.BatchNorm2d, nn.Conv2d]
    with torch.no_grad():
        features.module.stem[0].weight.mul_(2)
    features.save(tmp_path / "net")
    again = ImageFeatures.load(tmp_path / "net", module=image_zoo.network().module)
    assert torch.equal(vectors(again, images), vectors(features, images))
    with pytest.raises(InputError, match="only its own code can make"):
        ImageFeatures.load(tmp_path / "net")
    named.save(tmp_path / "named")
    assert torch.equal(vectors(ImageFeatures.load(tmp_path / "named"), images),
                       vectors(named, images))  # fmt: skip
    net.module.body[1] = nn.Conv2d(8, 11, 3)
    with pytest.raises(InputError, match=r"does not fit Convolutions: .*size mismatch"):
        ImageFeatures.load(tmp_path / "net", module=net.module)
    net.module.body = nn.Sequential(nn.ReLU())
    with pytest.raises(InputError, match="0 weights are not there, 2 are of another network"):
        ImageFeatures.load(tmp_path / "net", module=net.module)
    with pytest.raises(InputError, match="holds no features of images"):
        ImageFeatures.load(tmp_path)
    with pytest.raises(InputError, match="choose mean or patch"):
        ImageFeatures.from_pretrained(REFERENCE, pooling="cls")


def test_images_and_arrays_are_collated_alike(member):
    features = ImageFeatures.from_pretrained(member("vit"))
    arrays = noise(3)
    one = features.collate(list(arrays))["pixel_values"]
    two = features.collate(Images.of_arrays(arrays))["pixel_values"]
    assert torch.equal(one, two)
    assert one.shape == (3, 3, image_zoo.SIZE, image_zoo.SIZE)
    assert one.dtype == torch.float32


def test_random_weights_are_those_of_the_random_encoder(member):
    features = ImageFeatures.from_pretrained(member("swin"), random_weights=3)
    encoder = ImageEncoder.from_pretrained(member("swin"), random_weights=3)
    theirs = encoder.model.state_dict()
    assert all(torch.equal(t, theirs[name]) for name, t in features.module.state_dict().items())
