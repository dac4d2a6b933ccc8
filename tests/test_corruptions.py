"""Corruptions: mild to harsh, by seed, and what their names say."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image
from probes_tasks.corruptions import Corruption, corrupt
from scipy import ndimage

from probes.errors import InputError

KINDS = get_args(Corruption)
NOISE = [kind for kind in KINDS if kind.endswith("noise")]


@pytest.fixture(scope="module")
def photograph():
    """Smooth shapes with edges, 224 × 200."""
    random = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(random.normal(size=(200, 224, 3)), (4, 4, 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    smooth[61:117, 73:149] = 0.8 - 0.5 * smooth[61:117, 73:149]
    return Image.fromarray((40 + 160 * smooth).astype(np.uint8))


def values(picture):
    return np.asarray(picture, dtype=np.float64) / 255


@pytest.mark.parametrize("kind", KINDS)
def test_each_severity_takes_the_image_farther(photograph, kind):
    farther = [
        np.mean((values(corrupt(photograph, kind, s)) - values(photograph)) ** 2)
        for s in range(1, 6)
    ]
    assert farther[0] > 0
    assert farther == sorted(farther)


@pytest.mark.parametrize("kind", KINDS)
def test_size_and_mode_stay_and_the_seed_decides_the_noise_alone(photograph, kind):
    one, two, other = (corrupt(photograph, kind, 3, seed) for seed in (0, 0, 1))
    assert one.size == photograph.size and one.mode == "RGB"
    assert one.tobytes() == two.tobytes()
    assert (one.tobytes() != other.tobytes()) == (kind in NOISE)
    small = corrupt(photograph.resize((5, 1)), kind, 5)
    assert small.size == (5, 1)


def test_gaussian_noise_has_the_standard_deviation_of_its_severity():
    grey = Image.new("RGB", (300, 300), (128, 128, 128))
    for severity, sd in ((1, 0.08), (2, 0.12), (3, 0.18)):
        noise = values(corrupt(grey, "gaussian-noise", severity)) - 128 / 255
        assert abs(noise.std() - sd) < 0.02 * sd + 0.001
        assert abs(noise.mean()) < 0.002


def test_shot_noise_is_a_count_of_photons():
    grey = Image.new("RGB", (300, 300), (102, 102, 102))
    found = values(corrupt(grey, "shot-noise", 2))
    assert abs(found.mean() - 0.4) < 0.003
    assert abs(found.var() - 0.4 / 25) < 0.001
    black = Image.new("RGB", (9, 9))
    assert corrupt(black, "shot-noise", 5).tobytes() == black.tobytes()


def test_impulse_noise_strikes_its_share_of_the_values(photograph):
    struck = values(corrupt(photograph, "impulse-noise", 4)) != values(photograph)
    assert abs(struck.mean() - 0.17) < 0.01


def test_speckle_noise_grows_with_the_light():
    left, right = ((corrupt(Image.new("RGB", (200, 200), (v,) * 3), "speckle-noise", 1)) for v in
                   (40, 120))  # fmt: skip
    assert abs(values(right).std() / values(left).std() - 3) < 0.15


def test_contrast_keeps_the_mean_and_scales_what_differs_from_it(photograph):
    x, y = values(photograph), values(corrupt(photograph, "contrast", 2))
    mean = x.mean((0, 1))
    assert np.abs(y.mean((0, 1)) - mean).max() < 2 / 255
    assert np.abs((y - mean) - 0.3 * (x - mean)).max() < 1 / 255


def test_brightness_raises_the_value_and_keeps_hue_and_saturation(photograph):
    x, y = values(photograph), values(corrupt(photograph, "brightness", 2))
    assert np.abs(y.max(2) - np.minimum(x.max(2) + 0.2, 1)).max() < 1 / 255
    saturation = [1 - v.min(2) / v.max(2) for v in (x, y)]
    assert np.abs(saturation[0] - saturation[1]).max() < 0.02
    black = values(corrupt(Image.new("RGB", (3, 3)), "brightness", 1))
    assert np.abs(black - 0.1).max() < 1 / 255


@pytest.mark.parametrize("kind", ["gaussian-blur", "defocus-blur"])
def test_blur_keeps_the_light_and_spreads_a_point(kind):
    point = np.zeros((61, 61, 3), np.uint8)
    point[20:41, 20:41] = 255
    spread = values(corrupt(Image.fromarray(point), kind, 1))
    assert abs(spread.sum() - point.sum() / 255) < 0.01 * point.sum() / 255
    assert 0.3 < spread[30, 20, 0] < 0.7  # on the edge
    even = Image.new("RGB", (40, 40), (90, 10, 200))
    assert corrupt(even, kind, 5).tobytes() == even.tobytes()


def test_pixelate_leaves_as_many_pixels_as_its_share(photograph):
    y = np.asarray(corrupt(photograph, "pixelate", 5))
    assert len(np.unique(y.reshape(-1, 3), axis=0)) <= (0.25 * 224) * (0.25 * 200)
    assert (y[::4, ::4] == y[3::4, 3::4]).all()


def test_jpeg_is_that_of_its_quality(photograph, tmp_path):
    photograph.save(tmp_path / "x.jpg", quality=7)
    own = Image.open(tmp_path / "x.jpg").convert("RGB")
    assert corrupt(photograph, "jpeg", 5).tobytes() == own.tobytes()


@pytest.mark.parametrize(
    ("kind", "severity", "said"),
    [("fog", 1, "unknown corruption 'fog'"), ("jpeg", 0, "severity is 0; expected 1")],
)
def test_what_is_no_corruption_is_one_message(photograph, kind, severity, said):
    with pytest.raises(InputError, match=said):
        corrupt(photograph, kind, severity)
