"""The contract of a vision model catches what it is there for: each fault is planted, and found."""

import functools
import json

import numpy as np
import pytest
import torch
from PIL import Image

from commands import run
from conftest import ROOT
from image_zoo import FAMILIES, noise
from probes.doctor import measure, numbers
from probes.doctor.images import (
    examine_images,
    outliers,
    plain_forward,
    pooled,
    special_positions,
    trial_images,
)
from probes.encoders import ImageEncoder

pytestmark = pytest.mark.usefixtures("one_thread")


def _load(folder, dtype, attention=None):
    return ImageEncoder.from_pretrained(folder, dtype=dtype, attention=attention)


@pytest.fixture
def patient(member):
    """A fresh encoder, its images alone, and how to load it again."""

    def admit(family="vit"):
        load = functools.partial(_load, member(family))
        encoder = load("float32")
        return encoder, measure.alone(encoder, trial_images()), load

    return admit


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sound_model_of_each_family_passes_every_clause(member, family, monkeypatch):
    monkeypatch.setattr("probes.doctor.images._cost", lambda encoder, images: _quick())
    verdict = examine_images(functools.partial(_load, member(family)))
    assert [check for check in verdict.checks if check.outcome != "pass"] == []
    names = [check.name for check in verdict.checks]
    assert len(names) == len(set(names)) >= 11


def _quick():
    from probes.doctor import Check

    return Check("speed and memory", "pass", "not timed")


def test_a_batch_that_leaks_is_caught(patient):
    encoder, singles, load = patient("resnet")
    norm = next(m for m in encoder.model.modules() if isinstance(m, torch.nn.BatchNorm2d))
    norm.train()  # then the statistics are those of the batch
    check = numbers.batch_is_single(encoder, trial_images(), singles, load)
    assert check.outcome == "fail"


def test_layers_that_are_off_by_one_are_caught(patient):
    encoder, singles, _ = patient("swin")
    assert plain_forward(encoder, trial_images(), singles).outcome == "pass"
    shifted = [dict(zip(encoder.layers, [s["0"], *s.values()], strict=False)) for s in singles]
    check = plain_forward(encoder, trial_images(), shifted)
    assert check.outcome == "fail"
    assert "layer" in check.found


def test_a_mean_with_special_tokens_in_it_is_caught(patient):
    encoder, _, _ = patient("vit")
    assert pooled(encoder, trial_images()).outcome == "pass"
    run_, encoder.run = (
        encoder.run,
        lambda batch, layers, pooling, sink: run_(
            batch, layers, "mean" if pooling == "patch" else pooling, sink
        ),
    )
    check = pooled(encoder, trial_images())
    assert check.outcome == "fail"
    assert "patch" in check.found


def test_a_special_position_that_sees_the_image_is_caught(patient):
    encoder, singles, _ = patient("clip")
    assert special_positions(encoder, singles).found.startswith("1 of 17")
    encoder.n_special = 2
    assert special_positions(encoder, singles).outcome == "fail"


def test_patches_of_great_norm_are_a_warning(patient):
    encoder, singles, _ = patient("dinov2")
    assert outliers(encoder, singles).outcome == "pass"
    spoilt = singles[2]["2"].clone()
    spoilt[0, 5] *= 100
    singles[2]["2"] = spoilt
    check = outliers(encoder, singles)
    assert check.outcome == "warn"
    assert "layer 2" in check.found


def test_the_command_keeps_a_verdict_that_goes_with_the_run(member, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own"
    folder.mkdir()
    for k, image in enumerate(noise(3)):
        Image.fromarray(image).save(folder / f"{k}.png")
    (folder / "broken.jpg").write_bytes(b"x")
    done = run("doctor", member("vit"), "--store", "runs/store", "--file", "own")
    assert done.code == 0
    assert "cannot be read: 1" in " ".join(done.out.split())
    images = noise(60)
    np.savez("made.npz", images=images, labels=np.arange(60) % 2)
    probe = ["probe", "--model", member("vit"), "--task.name", "images", "--task.path", "made.npz"]
    after = run(*probe, "--layers", "0", "--draws", "0", "--no-random-model", "--out", "runs/a")
    assert "not examined" not in after.err
    about = json.loads((tmp_path / "runs/a/run.json").read_text())
    assert about["doctor"]["verdict"] == "pass"


def test_a_network_of_ones_own_is_examined_too(monkeypatch):
    monkeypatch.setattr("probes.doctor.images._cost", lambda encoder, images: _quick())
    reference = f"python:{ROOT / 'tests' / 'image_zoo.py'}:network"
    verdict = examine_images(functools.partial(_load, reference))
    assert verdict.outcome == "pass"
    assert "run from a layer" not in [check.name for check in verdict.checks]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--max-tokens", "9"), "--max-tokens: it is of texts"),
        (("--part", "both"), "--part: it is of texts"),
        (("--file", "nowhere"), "nowhere holds no images"),
    ],
)
def test_bad_input_is_one_message(member, tmp_path, monkeypatch, flags, said):
    monkeypatch.chdir(tmp_path)
    done = run("doctor", member("vit"), *flags)
    assert done.code == 2
    assert said in done.err
