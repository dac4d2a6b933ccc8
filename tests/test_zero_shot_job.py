"""`probes train` and `probes wise` from class names: zero-shot, and what is tuned from it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import towers
from adapting import differing, state
from commands import run
from probes.flags import task_config
from probes.results import Results
from probes.transfer import runs as runs_module
from probes.transfer.calibration import nll
from probes.transfer.classifier import Classifier
from probes.transfer.config import TrainConfig
from probes.transfer.trained import classifiers
from probes.transfer.wise_job import notes_on
from reading import Reader
from test_train import contents

pytestmark = pytest.mark.usefixtures("one_thread")
METHODS = ["zero-shot", "lp", "zs-ft"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folders of bright and dark images, as they are and dimmed, and models."""
    folder = tmp_path_factory.mktemp("zero")
    rng = np.random.default_rng(0)
    for place, dim, n in (("a", 1.0, 80), ("b", 0.6, 24)):
        for k in range(n):
            name = ("bright", "dark")[k % 2]
            image = rng.integers(0, 120, (24, 24, 3)) + (0 if k % 2 else 130)
            path = folder / place / name / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((dim * image).astype(np.uint8)).save(path)
    for family in ("clip", "siglip"):
        towers.save(family, folder / family)
    return folder


def arguments(home, out, family="clip", **more):
    given = {
        "model": home / family,
        "task.name": "images",
        "task.path": home / "a",
        "ood": [f"test: {home / 'b'}"],
        "out": out,
        "method": METHODS,
        "templates": ["a photo of a {}.", "a {} photo"],
        "rates": ["3e-3"],
        "seeds": 2,
        "training.epochs": 2,
        **more,
    }
    flat = []
    for key, value in given.items():
        values = value if isinstance(value, list) else [value]
        flat += [f"--{key}", *map(str, values)]
    return ["train", *flat]


@pytest.fixture(scope="module")
def done(home):
    torch.set_num_threads(1)
    out = home / "runs" / "x"
    finished = run(*arguments(home, out))
    assert finished.code == 0, finished.err
    return out, finished


@pytest.fixture(scope="module")
def wise(done):
    out = done[0].parent / "wise"
    ends = ("--first", "zero-shot", "--second", "zs-ft", "--alphas", "0.3")
    finished = run("wise", "--run", done[0], "--out", out, *ends)
    assert finished.code == 0, finished.err
    return out, finished


def logits(out, method, seed, of="dev"):
    kept = pd.read_parquet(out / "predictions.parquet")
    own = kept[(kept.method == method) & (kept.seed == seed) & (kept["set"] == of)]
    return np.stack(own.logits), own.gold.to_numpy()


def test_the_methods_stand_in_rows_table_and_page(done):
    out, finished = done
    results = Results.load(out / "results.jsonl")
    assert list(dict.fromkeys(row.method for row in results)) == METHODS
    setting = json.loads(results.where(method="zero-shot", split="test")[0].setting)
    assert setting["n_templates"] == 2
    assert results.one(method="zs-ft", split="test", metric="accuracy-over-zero-shot")
    lines = [line.split() for line in finished.out.splitlines()]
    assert sum(line[:1] == ["zero-shot"] for line in lines) >= 2
    assert any(line[:3] == ["zero-shot", "2", "templates"] for line in lines)
    assert any(line[:1] == ["ZS-FT"] for line in lines)
    assert "zs-ft: 1 rates, then 2 seeds" in finished.err and "zero-shot: " not in finished.err
    page = Reader(out / "report.html").text
    assert "ID: ZS-FT less zero-shot" in page and "2 templates" in page
    about = json.loads((out / "run.json").read_text())["trainings"]
    assert about["zero-shot"]["templates"] == ["a photo of a {}.", "a {} photo"]
    again = run("report", out)
    assert again.code == 0 and again.out == finished.out


def test_nothing_is_trained_zero_shot_and_all_is_from_there(done):
    out, _ = done
    results = Results.load(out / "results.jsonl")

    def changed(method, metric, split):
        rows = results.where(method=method, metric=metric, split=split)
        return [row.value for row in rows if row.seed is not None]

    assert changed("zero-shot", "feature-shift", "test") == [0.0]
    assert changed("zero-shot", "head-change-within", "train") == [0.0]
    assert min(changed("zs-ft", "feature-shift", "test")) > 0
    assert min(changed("zs-ft", "head-change-within", "train")) > 0
    kept = {m: classifiers(str(out), m) for m in METHODS}
    assert [sorted(kept[m]) for m in METHODS] == [[0], [0], [0, 1]]
    zero, tuned, lp = (Classifier.load(kept[m][0]) for m in ("zero-shot", "zs-ft", "lp"))
    assert {one.features.pooling for one in (zero, tuned, lp)} == {"embedding"}
    assert "features.visual_projection.weight" in differing(state(zero), state(tuned))
    assert {n.split(".")[0] for n in differing(state(zero), state(lp))} == {"head"}


@towers.EACH
def test_fine_tuning_begins_at_the_zero_shot_loss(home, tmp_path, family):
    more = {"method": ["zero-shot", "zs-ft"], "rates": "1e-12", "seeds": 1, "training.epochs": 1}
    finished = run(*arguments(home, tmp_path / "x", family, **more))
    assert finished.code == 0, finished.err
    about = json.loads((tmp_path / "x" / "run.json").read_text())["trainings"]["zs-ft"][0]
    scores, gold = logits(tmp_path / "x", "zero-shot", 0)
    codes = np.array([("bright", "dark").index(name) for name in gold])
    assert about["losses"][0] == pytest.approx(nll(scores, codes), rel=1e-4)
    assert about["accuracy"] == (scores.argmax(1) == codes).mean()


def test_the_ends_of_the_line_are_the_two_methods(done, wise):
    out, finished = wise
    results = Results.load(out / "results.jsonl")
    trained = Results.load(done[0] / "results.jsonl")
    for alpha, method in ((0.0, "zero-shot"), (1.0, "zs-ft")):
        for split in ("dev", "test"):
            rows = trained.where(method=method, metric="accuracy", split=split)
            expected = {row.seed: row.value for row in rows if row.seed is not None}
            rows = results.where(method="wise", metric="accuracy", split=split)
            own = [r for r in rows if json.loads(r.setting)["alpha"] == alpha]
            found = {row.seed: row.value for row in own if row.seed is not None}
            assert set(found.items()) >= set(expected.items())
            assert set(found.values()) == set(expected.values())
    assert "alpha 0 (zero-shot)" in finished.out and "alpha 1 (zs-ft)" in finished.out
    assert not any("related" in n for n in json.loads((out / "run.json").read_text())["notes"])


def test_between_two_heads_on_one_network_weights_and_outputs_average_alike(done):
    out = done[0].parent / "linear"
    ends = ("--first", "zero-shot", "--second", "lp", "--alphas", "0.3")
    finished = run("wise", "--run", done[0], "--out", out, *ends)
    assert finished.code == 0, finished.err
    results = Results.load(out / "results.jsonl")
    for split in ("dev", "test"):
        for alpha in (0.3, 0.5):
            both = [
                [r.value for r in results.where(method=m, metric="accuracy", split=split)
                 if r.seed is not None and json.loads(r.setting)["alpha"] == alpha]
                for m in ("wise", "output-ensemble")
            ]  # fmt: skip
            assert both[0] == both[1] and both[0]
    assert "average of their weights is that of their outputs" in Reader(out / "report.html").text


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("zero-shot", "zs-ft", ""),
        ("lp", "lp-ft", ""),
        ("zero-shot", "lp", "outputs"),
        ("zero-shot", "lp-ft", "not related"),
        ("lp", "zs-ft", "not related"),
        ("lp-ft", "zs-ft", "not related"),
        ("ft", "lp", "ft and lp are not related"),
        ("some/folder", "ft", ""),
    ],
)
def test_heads_are_related_where_they_begin_with_the_same_one(first, second, said):
    (note,) = notes_on(first, second) or [""]
    assert said in note and bool(said) == bool(note)


def test_a_run_that_is_interrupted_goes_on_to_the_same_results(done, home, monkeypatch):
    out, _ = done
    other = home / "runs" / "other" / "x"
    finetune, calls = runs_module.finetune, []

    def interrupted(*given, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return finetune(*given, **options)

    monkeypatch.setattr(runs_module, "finetune", interrupted)
    assert run(*arguments(home, other)).code == 130
    assert (other / "runs" / "zero-shot" / "record.json").is_file()
    monkeypatch.setattr(runs_module, "finetune", finetune)
    monkeypatch.setattr("probes.transfer.methods.zero_shot", None)  # is read, not made again
    assert run(*arguments(home, other)).code == 0
    a, b = contents(out), contents(other)
    for name in ("results.jsonl", "predictions.parquet"):
        assert a[name] == b[name]
    assert run("train", "--config", out / "config.yaml").code == 0
    assert contents(out) == a


def test_the_saved_configuration_keeps_the_templates(done):
    again = task_config(TrainConfig, "train", ["--config", str(done[0] / "config.yaml")])
    assert again.templates == ("a photo of a {}.", "a {} photo")
    assert again.method == tuple(METHODS) and again.pooling is None


def test_what_cannot_be_compared_with_texts_is_refused_in_one_message(home, member, tiny, tmp_path):
    (tmp_path / "a.csv").write_text(
        "text,kind\n" + "".join(f"w {k},{'xy'[k % 2]}\n" for k in range(40))
    )
    texts = {"task.name": "table", "task.path": tmp_path / "a.csv", "task.label": "kind"}
    cases = [
        ({"model": member("vit")}, "(vit) compares images with no texts"),
        ({"model": member("clip")}, "comes without a tokenizer"),
        ({"pooling": "cls"}, "pooling 'cls' gives nothing that zero-shot and zs-ft could compare"),
        ({"templates": "a photo"}, "has 0 places"),
        ({"templates": "a {}" + "!" * 40}, "sub-tokens, and the model"),
        ({"model": tiny("bert"), "ood": [], **texts}, "compare images with texts"),
    ]
    for more, said in cases:
        flags = arguments(home, tmp_path / "x", **more)
        if "ood" in more:
            flags.remove("--ood")
        finished = run(*flags)
        assert finished.code == 2 and said in " ".join(finished.err.split()), finished.err
        assert "Traceback" not in finished.err
        assert not (tmp_path / "x").exists()
