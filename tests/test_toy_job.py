"""`probes toy`: a table, numbers and a picture, the same every time; nonsense is refused."""

import json

import pytest
from PIL import Image

from commands import run
from probes.errors import InputError
from probes.transfer.toy_job import ToyConfig, run_toy


def test_the_command_prints_closed_form_beside_flow_and_leaves_numbers_and_picture(tmp_path):
    done = run("toy", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines()[1:5]]
    assert [row[0] for row in rows] == ["0.1", "0.5", "2", "3"]
    assert rows[0][1:] == ["0.5500", "0.5500", "0.2025", "1.0000", "1.0000", "1.0000", "0.0000"]
    assert [row[3] for row in rows] == ["0.2025", "0.1733", "0.0340", "0.6010"]
    lines = (tmp_path / "run" / "toy.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert {(row["v0"], row["method"]) for row in found} >= {(3.0, "FT"), (0.1, "LP-FT")}
    assert len(found) == 12
    with Image.open(tmp_path / "run" / "toy.png") as picture:
        assert picture.size[0] > 1000
    svg = (tmp_path / "run" / "toy.svg").read_text()
    assert "Linear probing" in svg and "Fine-tuning" in svg and "v₀ = 0.1" in svg


def test_the_same_command_writes_the_same_bytes_and_another_is_refused(tmp_path):
    out = str(tmp_path / "run")
    kept = []
    for _ in range(2):
        run_toy(ToyConfig(out=out))
        kept.append({path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()})
    assert kept[0] == kept[1] and len(kept[0]) == 4
    done = run("toy", "--out", out, "--heads", "1")
    assert done.code == 2 and "holds another run" in done.err


@pytest.mark.parametrize(
    "flags",
    [
        ["--heads", "-1", "0", "--features", ".8", "-.5", "--target", "1", "2"],
        ["--heads", "100", "-100", "0.001", "--features", "0.01", "100", "--target", "-100", "50"],
        ["--heads", "-0.6", "--target", "0", "0"],
        ["--heads", "0", "--features", "1", "0", "--target", "0", "1"],
    ],
)
def test_any_plane_is_drawn(tmp_path, flags):
    done = run("toy", "--out", tmp_path, *flags)
    assert done.code == 0, done.err
    assert (tmp_path / "toy.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"heads": ()}, "expected one or more"),
        ({"heads": (1.0, 1.0)}, "each once"),
        ({"heads": (float("nan"),)}, "expected numbers up to 100"),
        ({"target": (1.0, 101.0)}, "target 1 101: expected numbers up to 100"),
        ({"features": (0.0, 1.0)}, r"of the first a probe reads w\*"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        ToyConfig(**settings)
    flags = [part for name, values in settings.items() for part in (f"--{name}", *map(str, values))]
    assert run("toy", *flags).code == 2
