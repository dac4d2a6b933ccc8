"""Vision models: a layer is what enters its block, whatever the family and the company."""

import json

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from sklearn.datasets import load_sample_image

import image_zoo
import lite0
from conftest import ROOT
from image_zoo import FAMILIES, MAPS, SPECIAL, noise
from probes.encoders import ImageEncoder, TextEncoder, parse_layers
from probes.encoders.pixels import Pixels, PretrainedPixels
from probes.encoders.pixels import pixels_of as make_pixels
from probes.errors import InputError
from probes.states import extract
from probes.task import Images, image_task

pytestmark = pytest.mark.usefixtures("one_thread")
SQUARE = image_zoo.SIZE
EACH = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(scope="module")
def encoder_of(member):
    made = {}

    def load(family: str) -> ImageEncoder:
        if family not in made:
            made[family] = ImageEncoder.from_pretrained(member(family))
        return made[family]

    return load


def plain(folder: str) -> torch.nn.Module:
    """The model as transformers itself loads it: of two towers, that of images."""
    config = transformers.AutoConfig.from_pretrained(folder)
    config = getattr(config, "vision_config", config)
    return transformers.AutoModel.from_pretrained(folder, config=config).eval()


def pixels_of(folder: str, images) -> torch.Tensor:
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    return processor(images=[Image.fromarray(i) for i in images], return_tensors="pt")[
        "pixel_values"
    ]


def blocks_of(model: torch.nn.Module) -> list[torch.nn.Module]:
    """By the name of their classes, as each family calls them."""
    names = ("ViTLayer", "Dinov2Layer", "Dinov2WithRegistersLayer", "CLIPEncoderLayer")
    names += ("SiglipEncoderLayer", "ResNetBasicLayer", "ResNetBottleNeckLayer")
    names += ("ConvNextLayer", "SwinLayer")
    return [m for m in model.modules() if type(m).__name__ in names]


def as_positions(states: torch.Tensor) -> torch.Tensor:
    return states.flatten(2).transpose(1, 2) if states.ndim == 4 else states


def task_of(arrays, **fields):
    n = len(arrays)
    fields = {"name": "images", "labelling": "x", **fields}
    labels = [str(k % 2) for k in range(n)]
    return image_task(Images.of_arrays(arrays), labels, splits=["train"] * n, **fields)


def close(a, b, most=1e-5):
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return np.linalg.norm(a - b, axis=-1).max() <= most * np.linalg.norm(a, axis=-1).max()


@EACH
def test_layer_l_is_the_input_of_block_l_and_layer_n_leaves_the_last(member, encoder_of, family):
    encoder, images = encoder_of(family), noise(3)
    model = plain(member(family))
    entered, left = [], []
    for block in blocks_of(model):
        block.register_forward_pre_hook(
            lambda m, args, kwargs: entered.append((args or tuple(kwargs.values()))[0]),
            with_kwargs=True,
        )
        block.register_forward_hook(
            lambda m, args, out: left.append(out if isinstance(out, torch.Tensor) else out[0])
        )
    with torch.no_grad():
        model(pixel_values=pixels_of(member(family), images))
    states = encoder.hidden_states(list(images), encoder.layers)
    assert len(entered) == encoder.n_layers >= 3
    for k, there in enumerate([*entered, left[-1]]):
        there = as_positions(there)
        assert there.shape == states[str(k)].shape
        assert close(there, states[str(k)])
        assert encoder.widths[str(k)] == there.shape[2]


@EACH
def test_final_is_the_models_own_output(member, encoder_of, family):
    encoder, images = encoder_of(family), noise(3)
    with torch.no_grad():
        output = plain(member(family))(pixel_values=pixels_of(member(family), images))
    top = encoder.layers[-1]
    assert top == ("3" if family.startswith("resnet") else "final")
    found = encoder.hidden_states(list(images), [top])[top]
    if family in MAPS:  # a norm that follows is one of the mean over space
        own = output.pooler_output.flatten(1)
        assert close(own, found.mean(1))
    elif family == "clip":  # its own norm is of [CLS] alone
        assert close(output.pooler_output, found[:, 0])
    else:
        assert close(output.last_hidden_state, found)


@EACH
def test_layers_up_to_k_compute_no_block_above_and_give_the_same_bits(encoder_of, family):
    encoder, images = encoder_of(family), list(noise(2))
    whole = encoder.hidden_states(images, encoder.layers)
    ran = []
    handle = encoder.blocks()[""][-1].register_forward_hook(lambda *of: ran.append(1))
    try:
        low = encoder.hidden_states(images, ["0", "1"])
    finally:
        handle.remove()
    assert not ran
    assert all(torch.equal(low[layer], whole[layer]) for layer in ("0", "1"))


@EACH
def test_own_states_put_in_at_a_layer_give_the_own_output(encoder_of, family):
    encoder, images = encoder_of(family), list(noise(2))
    states = encoder.hidden_states(images, encoder.layers)
    for layer in encoder.layers:
        output = encoder.run_from(layer, states[layer], images)
        assert torch.equal(output, states[encoder.layers[-1]])
    other = encoder.run_from("1", states["1"].flip(0), images)
    assert not torch.equal(other, states[encoder.layers[-1]])


@EACH
def test_special_positions_are_found_by_trial(encoder_of, family):
    encoder = encoder_of(family)
    assert encoder.n_special == SPECIAL.get(family, 0)
    states = encoder.hidden_states(list(noise(2)), ["0"])["0"]
    alike = (states[0] == states[1]).all(-1).tolist()
    assert alike[: encoder.n_special] == [True] * encoder.n_special
    assert not any(alike[encoder.n_special :])


@EACH
def test_each_pooling_is_what_a_hand_makes_of_the_positions(encoder_of, tmp_path, family):
    encoder, images = encoder_of(family), noise(5)
    n = encoder.n_special
    states = encoder.hidden_states(list(images), encoder.layers)
    for pooling in ("patch", "mean", "cls"):
        if pooling == "cls" and not n:
            with pytest.raises(InputError, match="has none; choose mean or patch"):
                extract(task_of(images), encoder, tmp_path, pooling=pooling)
            continue
        store = extract(task_of(images), encoder, tmp_path, pooling=pooling)
        for layer, H in states.items():
            H = H.numpy()
            own = {"cls": H[:, 0], "mean": H.mean(1), "patch": H[:, n:].mean(1)}[pooling]
            assert close(own, store.X(layer))
    assert extract(task_of(images), encoder, tmp_path).layout.key["pooling"] == "patch"


@EACH
def test_batch_composition_does_not_change_a_vector(encoder_of, tmp_path, family):
    encoder, images = encoder_of(family), noise(7)
    together = extract(task_of(images), encoder, tmp_path / "a")
    alone = extract(task_of(images), encoder, tmp_path / "b", deterministic=True)
    assert together.folder.name != alone.folder.name
    for layer in encoder.layers:
        assert close(alone.X(layer), together.X(layer))
    company = extract(task_of(images[2:5]), encoder, tmp_path / "c", deterministic=True)
    assert np.array_equal(company.X("1"), alone.X("1")[2:5])


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_random_weights_depend_on_the_seed_alone(member, encoder_of, family):
    digests = [
        ImageEncoder.from_pretrained(member(family), random_weights=seed).digest
        for seed in (0, 0, 1)
    ]
    assert digests[0] == digests[1] != digests[2]
    assert encoder_of(family).digest not in digests


def test_images_are_scaled_as_the_models_own_processor_scales_them(member, encoder_of):
    images = noise(2)
    there = pixels_of(member("vit"), images)
    assert torch.equal(encoder_of("vit").pixels(Images.of_arrays(images)), there)


def test_threads_make_the_same_pixels(encoder_of):
    images = Images.of_arrays(noise(9))
    one, many = (make_pixels(images, encoder_of("vit").to_pixels, "vit", threads=n) for n in (1, 4))
    assert torch.equal(one, many)
    wide = [*(images[k] for k in range(2)), images[2].resize((60, 40))]
    with pytest.raises(InputError, match="in different sizes"):
        make_pixels(wide, lambda some: torch.zeros(1, 3, some[0].height, some[0].width), "vit")


def test_another_image_processor_is_another_key(member, tmp_path):
    folder = tmp_path / "vit"
    image_zoo.save("vit", folder)
    one = ImageEncoder.from_pretrained(str(folder)).fingerprint
    path = folder / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"image_mean": [0.1, 0.1, 0.1]}))
    other = ImageEncoder.from_pretrained(str(folder)).fingerprint
    assert {part for part in one if one[part] != other[part]} == {"image processor"}


def test_what_is_no_vision_model_is_one_message(tiny, member, tmp_path):
    with pytest.raises(InputError, match=r"\(bert\) reads no images; give a vision model"):
        ImageEncoder.from_pretrained(tiny("bert"))
    image_zoo.save("vit", tmp_path / "bare")
    (tmp_path / "bare" / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"holds no preprocessor_config.json"):
        ImageEncoder.from_pretrained(str(tmp_path / "bare"))
    encoder = ImageEncoder.from_pretrained(member("vit"))
    with pytest.raises(InputError, match="unknown pooling of an image 'last'"):
        extract(task_of(noise(2)), encoder, tmp_path, pooling="last")
    with pytest.raises(InputError, match=r"is of images, and the model .* reads text"):
        extract(task_of(noise(2)), TextEncoder.from_pretrained(tiny("bert")), tmp_path)


def test_a_named_point_is_what_its_submodule_gives(tmp_path):
    net, images = image_zoo.network(), noise(4, height=SQUARE, width=SQUARE)
    encoder = ImageEncoder.from_module(net.module, layers=net.layers, pixels=net.pixels)
    assert encoder.layers == ("stem", "body", "features")
    assert list(encoder.widths.values()) == [8, 12, 12]
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 255 * 2 - 1
    module = net.module.eval()
    with torch.no_grad():
        stem = module.stem(x)
        maps = {"stem": stem, "body": module.body(stem), "features": module.pool(module.body(stem))}
    store = extract(task_of(images), encoder, tmp_path)
    for layer, H in maps.items():
        assert close(H.mean((2, 3)), store.X(layer))
    with pytest.raises(InputError, match="choose mean or patch"):
        extract(task_of(images), encoder, tmp_path, pooling="cls")


def test_a_network_of_python_is_named_by_its_file_and_function():
    reference = f"python:{ROOT / 'tests' / 'image_zoo.py'}:network"
    encoder = ImageEncoder.from_pretrained(reference)
    net = image_zoo.network()
    own = ImageEncoder.from_module(net.module, layers=net.layers, pixels=net.pixels)
    assert encoder.name == reference
    assert encoder.digest == own.digest
    random = [ImageEncoder.from_pretrained(reference, random_weights=k).digest for k in (0, 0, 1)]
    assert random[0] == random[1] != random[2]
    assert own.digest not in random
    assert parse_layers("stem,features", encoder.layers) == ("stem", "features")
    for spec in ("0-1", "head", "-1"):
        with pytest.raises(
            InputError, match=r"unknown layer '.*layers of this model: stem, body, features"
        ):
            parse_layers(spec, encoder.layers)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("python:nowhere.py:network", "there is no file nowhere.py"),
        ("python:no_such_module:network", "does not import"),
        ("python:image_zoo:absent", "has no function 'absent'"),
        ("python:image_zoo:SIZE", "has no function 'SIZE'"),
        ("python:image_zoo:Convolutions", "gave Convolutions; expected"),
        ("python:image_zoo:save", "failed with TypeError"),
        ("python:image_zoo", "expected python:FILE.py:FUNCTION"),
    ],
)
def test_a_reference_that_leads_to_no_network_is_one_message(reference, said):
    with pytest.raises(InputError, match=said):
        ImageEncoder.from_pretrained(reference)


def test_a_network_of_python_has_neither_revision_nor_attention():
    reference = f"python:{ROOT / 'tests' / 'image_zoo.py'}:network"
    for option in ({"revision": "main"}, {"attention": "eager"}):
        with pytest.raises(InputError, match="leave --revision and --attention out"):
            ImageEncoder.from_pretrained(reference, **option)


def test_weights_that_cannot_be_drawn_anew_are_named():
    net = image_zoo.network()
    net.module.scale = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(1))])
    with pytest.raises(InputError, match=r"'scale' .ParameterList. holds weights"):
        ImageEncoder.from_module(net.module, layers=net.layers, pixels=net.pixels, random_weights=0)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ({}, "no layer is named"),
        ({"a.b": "stem"}, "expected letters"),
        ({"a": "stems"}, "has no submodule 'stems'"),
        ({"b": "pool", "a": "stem"}, "run in the order a, b; name them in that order"),
        ({"a": "twice"}, "runs 2 times"),
    ],
)
def test_points_that_cannot_be_read_are_one_message(layers, said):
    net = image_zoo.network()
    net.module.twice = torch.nn.Identity()
    net.module.body = torch.nn.Sequential(net.module.twice, net.module.body, net.module.twice)
    with pytest.raises(InputError, match=said):
        ImageEncoder.from_module(net.module, layers=layers, pixels=net.pixels)


def test_plain_pixels_keep_the_middle_of_the_shorter_side():
    images = noise(1, height=20, width=60)
    pixels = Pixels(20, (0, 0, 0), (1, 1, 1))([Image.fromarray(images[0])])
    own = images[0][:, 20:40].transpose(2, 0, 1) / np.float32(255)
    assert np.allclose(pixels[0], own, atol=1e-7)
    with pytest.raises(InputError, match="these above 0"):
        Pixels(20, std=(1, 1, 0))


def test_a_real_network_names_what_a_photograph_shows(lite0_weights, tmp_path):
    net = lite0.network()
    encoder = ImageEncoder.from_module(net.module, layers=net.layers, pixels=net.pixels)
    photographs = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    store = extract(task_of(photographs), encoder, tmp_path, layers=["block3", "features"])
    assert encoder.widths["block3"] == 40
    logits = net.module._fc(torch.from_numpy(store.X("features")))
    probability, answer = logits.softmax(1).max(1)
    assert answer.tolist() == [698, 985]  # palace, daisy
    assert (probability > 0.2).all()


IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
AS_PUBLISHED = {
    "vit": {"size": 224, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_resize": True},
    "dinov2": {
        "image_processor_type": "BitImageProcessor",
        "crop_size": {"height": 224, "width": 224},
        "size": {"shortest_edge": 256},
        "resample": 3,
        **IMAGENET,
    },
    "clip": {"feature_extractor_type": "CLIPFeatureExtractor", "crop_size": 224, "size": 224},
    "siglip": {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 224, "width": 224},
        "resample": 3,
    },
    "resnet": {
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "crop_pct": 0.875,
        "size": 224,
        **IMAGENET,
    },
    "convnext": {
        "feature_extractor_type": "ConvNextFeatureExtractor",
        "crop_pct": 0.875,
        "size": 224,
        **IMAGENET,
    },
    "swin": {"feature_extractor_type": "ViTFeatureExtractor", "size": 224, **IMAGENET},
}


@pytest.mark.parametrize("family", AS_PUBLISHED)
def test_processors_in_the_forms_that_are_published_run_without_torchvision(tmp_path, family):
    image_zoo.save(family, tmp_path)
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({"do_normalize": True, **AS_PUBLISHED[family]}))
    pixels = PretrainedPixels.of(str(tmp_path), {"revision": None, "trust_remote_code": False})
    wide = Image.fromarray(noise(1, height=300, width=500)[0])
    grey = Image.new("RGB", (300, 300), (128, 128, 128))
    found = make_pixels([wide, grey], pixels, family)
    assert found.shape == (2, 3, 224, 224)
    means = found[1].mean((1, 2))
    assert torch.allclose(found[1], means[:, None, None], atol=1e-5)  # flat stays flat
    assert (found.abs() < 4).all() and found[0].std() > 0.1
