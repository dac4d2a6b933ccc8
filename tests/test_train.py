"""The job `probes train`: rates chosen on dev, several seeds, in and out of distribution."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from commands import run
from conftest import ROOT
from probes.errors import InputError
from probes.flags import task_config
from probes.registry import task_options
from probes.report.shell import typeset
from probes.report.words import number
from probes.results import Results
from probes.transfer import runs as runs_module
from probes.transfer.classifier import Classifier
from probes.transfer.config import TrainConfig
from probes.transfer.foretold import lines_of
from probes.transfer.job import run_train
from probes.transfer.robustness import fit_trend
from probes.transfer.shifts import load_shifts
from probes.transfer.tables import NAMES, grids
from probes.transfer.train_page import findings
from probes.transfer.trained import classifiers
from reading import Reader

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    for name, first, n in (("a", 0, 60), ("b", 1000, 24), ("c", 2000, 24)):
        rows = [
            f"the old {('dog', 'light')[k % 2]} walks near {first + k} ,{('x', 'y')[k % 2]}"
            for k in range(n)
        ]
        (folder / f"{name}.csv").write_text("\n".join(["text,kind", *rows]) + "\n")
    return folder


def arguments(tiny, home, out, **more):
    given = {
        "model": tiny("bert"),
        "task.name": "table",
        "task.path": home / "a.csv",
        "task.label": "kind",
        "out": out,
        "rates": ["1e-4", "3e-3"],
        "seeds": 2,
        "training.epochs": 2,
        **more,
    }
    flat = []
    for key, value in given.items():
        flat += [
            f"--{key}",
            *([str(v) for v in value] if isinstance(value, list) else [str(value)]),
        ]
    return ["train", *flat]


@pytest.fixture(scope="module")
def done(tiny, home):
    torch.set_num_threads(1)
    out = home / "runs" / "x"
    ood = [f"test: {home / 'b.csv'}", f"{{test: {home / 'c.csv'}}}"]
    finished = run(*arguments(tiny, home, out, ood=ood))
    assert finished.code == 0, finished.err
    return out, finished


def contents(out):
    return {
        str(p.relative_to(out)): p.read_bytes()
        for p in sorted(out.rglob("*"))
        if p.is_file() and p.name not in ("run.json", "report.html")  # tell of time and memory
    }


def test_the_budget_is_told_before_and_the_table_after(done):
    out, finished = done
    assert "ft: 2 rates, then 2 seeds at one of them: 3 trainings of 6 steps" in finished.err
    assert finished.err.index("3 trainings") < finished.err.index("dev accuracy")
    lines = finished.out.splitlines()
    assert sum(line.split() == ["LP", "FT", "LP-FT"] for line in lines) == 3  # with MCC, changes
    assert "OOD mean" in finished.out and f"report: {out / 'report.html'}" in finished.out


def test_report_makes_the_table_and_the_page_again(done):
    out, finished = done
    page = (out / "report.html").read_bytes()
    again = run("report", str(out))
    assert again.code == 0 and again.out == finished.out
    assert (out / "report.html").read_bytes() == page
    other = run("report", str(out), "--out", str(out.parent / "other.html"))
    assert other.code == 0 and (out.parent / "other.html").read_bytes() == page
    refused = run("report", str(out), "--out", str(out.parent))
    assert refused.code == 2 and "is a folder" in refused.err


def test_the_page_says_what_the_rows_say(done):
    out, _ = done
    results = Results.load(out / "results.jsonl")
    page = Reader(out / "report.html")
    *scores, _ = grids(results)
    (grid, *_) = scores
    cells = {row[0]: dict(zip(grid.heads, row, strict=True)) for row in grid.rows}
    for method, name in (("lp", "LP"), ("ft", "FT"), ("lp-ft", "LP-FT")):
        for split, head in (("dev", "dev"), ("test", "ID")):
            rows = results.where(method=method, split=split, metric="accuracy")
            runs = [row.value for row in rows if row.seed is not None]
            assert cells[name][head].startswith(number(float(np.mean(runs))))
    places = [of["id"] for _, of in page.tags if of.get("class") == "chart"]
    charts = json.loads(next(text for text in page.scripts if text.startswith("{")))
    assert sorted(charts) == sorted(places) and len(places) == 2  # a set out of distribution each
    said = findings(results)
    assert len(said) == 3 * 3  # pairs of methods, on test and both sets
    for sentence in said:
        assert " ".join(typeset(sentence).split()) in page.text


def test_differences_between_methods_are_those_of_their_means(done):
    out, _ = done
    results = Results.load(out / "results.jsonl")

    def mean(method):
        rows = results.where(method=method, split="test", metric="accuracy")
        return np.mean([row.value for row in rows if row.seed is not None])

    for second, first in (("ft", "lp"), ("lp-ft", "lp"), ("lp-ft", "ft")):
        row = results.one(method=second, split="test", metric=f"accuracy-over-{first}")
        assert row.value == pytest.approx(mean(second) - mean(first))


def test_each_method_has_its_rows_and_every_answer_is_kept(done):
    out, _ = done
    results = Results.load(out / "results.jsonl")
    assert {row.method for row in results} == {"lp", "ft", "lp-ft"}
    splits = {row.split for row in results if row.split != "train"}
    assert len(splits) == 4 and sum(split.startswith("ood/test: ") for split in splits) == 2
    for method, n_seeds in (("lp", 1), ("ft", 2), ("lp-ft", 2)):
        rows = results.where(method=method, split="test", metric="accuracy")
        assert len([row for row in rows if row.seed is not None]) == n_seeds
    kept = pd.read_parquet(out / "predictions.parquet")
    own = kept[(kept.method == "ft") & (kept.seed == 1) & (kept["set"] == "test")]
    row = results.one(method="ft", split="test", metric="accuracy", seed=1)
    assert (own.gold == own.predicted).mean() == row.value and len(own) == row.n
    assert np.isfinite(np.stack(own.logits)).all()


def test_the_rate_is_the_best_on_dev_by_the_first_seed(done):
    out, _ = done
    about = json.loads((out / "run.json").read_text())["trainings"]
    results = Results.load(out / "results.jsonl")
    for method in ("ft", "lp-ft"):
        first = [r for r in about[method] if r["seed"] == 0]
        assert {r["rate"] for r in first} == {1e-4, 3e-3}
        best = max(first, key=lambda r: (r["accuracy"], -r["losses"][r["best"]]))
        rows = results.where(method=method, split="dev", metric="accuracy")
        assert {json.loads(row.setting)["rate"] for row in rows} == {best["rate"]}
        assert rows[0].value == best["accuracy"]


def test_classifiers_are_kept_and_checkpoints_are_not(done):
    out, _ = done
    assert not list(out.rglob("checkpoint*"))
    kept = sorted(p.parent for p in out.rglob("classifier.json"))
    assert len(kept) == 1 + 2 + 2
    made = Classifier.load(kept[0])
    columns = pd.read_parquet(out / "predictions.parquet")
    own = columns[(columns.method == "ft") & (columns.seed == 0) & (columns["set"] == "test")]
    logits = made.predict(list(own.name)).logits
    np.testing.assert_allclose(logits, np.stack(own.logits), rtol=1e-3, atol=1e-4)


def test_a_run_that_is_done_is_read_and_trains_nothing(done, tiny, home, monkeypatch):
    out, _ = done
    before = contents(out)
    monkeypatch.setattr(runs_module, "finetune", None)
    again = run("train", "--config", str(out / "config.yaml"))
    assert again.code == 0, again.err
    assert "all 3 trainings are done" in again.err
    assert contents(out) == before


def test_a_run_that_is_interrupted_goes_on_to_the_same_results(done, tiny, home, monkeypatch):
    out, _ = done
    other = home / "runs" / "other" / "x"
    ood = [f"test: {home / 'b.csv'}", f"{{test: {home / 'c.csv'}}}"]
    finetune, calls = runs_module.finetune, []

    def interrupted(*given, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return finetune(*given, **options)

    monkeypatch.setattr(runs_module, "finetune", interrupted)
    assert run(*arguments(tiny, home, other, ood=ood)).code == 130
    assert not (other / "results.jsonl").exists()
    monkeypatch.setattr(runs_module, "finetune", finetune)
    assert run(*arguments(tiny, home, other, ood=ood)).code == 0
    a, b = contents(out), contents(other)
    for name in ("results.jsonl", "predictions.parquet"):
        assert a[name] == b[name]


def test_a_rate_that_diverges_is_told_and_not_chosen(tiny, home, tmp_path):
    out = tmp_path / "d"
    sgd = {"training.optimizer": "sgd", "training.clip": "None", "method": "ft", "seeds": 1}
    finished = run(*arguments(tiny, home, out, rates=["1e30", "1e-3"], **sgd))
    assert finished.code == 0, finished.err
    assert "rate 1e+30: the loss is nan" in finished.err
    assert {json.loads(row.setting)["rate"] for row in Results.load(out / "results.jsonl")} == {
        1e-3
    }
    failed = run(*arguments(tiny, home, tmp_path / "e", rates=["1e30"], **sgd))
    assert failed.code == 2 and "no rate came to anything" in failed.err
    again = run(*arguments(tiny, home, tmp_path / "e", rates=["1e30"], **sgd))
    assert again.code == 2 and again.err.splitlines()[-1] == failed.err.splitlines()[-1]
    other = run(*arguments(tiny, home, tmp_path / "e", rates=["1e-3"], **sgd))
    assert other.code == 2 and "holds another run (rates" in other.err


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"method": "lpft"}, "lpft"),
        ({"rates": ["1e-4", "1e-4"]}, "each once"),
        ({"seeds": 0}, "seeds 0: expected 1"),
        ({"ood": ["nonsense"]}, "expected options of the task"),
        ({"ood": ["tset: b.csv"]}, "'tset'"),
        ({"ood": ["{test: "]}, "is no YAML"),
        ({"task.unit": "word", "task.words": "text", "task.label": "text"}, "whole items"),
        ({"change.spd": 0.1, "training.weight-decay": 0.1}, "drop one of the two"),
        ({"pooling": "max"}, "'max'"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_trained(
    tiny, home, tmp_path, more, words
):
    finished = run(*arguments(tiny, home, tmp_path / "x", **more))
    assert finished.code == 2
    assert words in finished.err
    assert not (tmp_path / "x" / "runs").exists()


def test_labellings_are_no_shifts(tmp_path):
    (tmp_path / "t.csv").write_text(
        "text,a,b\n" + "".join(f"w {k},{k % 2},{k % 3}\n" for k in range(40))
    )
    options = task_options("table")(path=str(tmp_path / "t.csv"), label=("a", "b"))
    with pytest.raises(InputError, match=r"several labellings \(a, b\)"):
        load_shifts(options, ())


def test_a_task_brings_its_own_shifts(data):
    options = task_options("glue")(path=str(data / "cola"), ood=True)
    task, shifts = load_shifts(options, ())
    assert task.title == "CoLA" and list(shifts) == ["CoLA, out of domain"]


@pytest.mark.parametrize("name", sorted(p.stem for p in ROOT.glob("configs/train-*.yaml")))
def test_the_file_in_configs_is_read_and_saved_as_it_was(name, tmp_path):
    path = ROOT / "configs" / f"{name}.yaml"
    config = task_config(TrainConfig, "train", ["--config", str(path)])
    given = yaml.safe_load(path.read_text())
    assert list(config.rates) == given["rates"]
    assert config.training.epochs == given["training"]["epochs"]
    assert config.task.path == given["task"]["path"]
    assert list(config.ood) == given.get("ood", [])


def test_a_library_call_gives_the_rows(tiny, home, tmp_path):
    options = task_options("table")(path=str(home / "a.csv"), label=("kind",))
    config = TrainConfig(model=tiny("bert"), task=options, out=str(tmp_path / "x"), method=("lp",))
    results = run_train(config)
    assert results.one(split="test", metric="accuracy", seed=0).method == "lp"


def test_lp_ft_begins_with_the_head_at_the_scale_that_is_asked_for(tiny, home, tmp_path):
    began = {}
    for scale in ("fitted", "fresh"):
        out = tmp_path / scale
        more = {"method": "lp-ft", "rates": "1e-9", "seeds": 1, "training.epochs": 1}
        done = run(*arguments(tiny, home, out, **{"head-scale": scale}, **more))
        assert done.code == 0, done.err
        began[scale] = Classifier.load(classifiers(str(out), "lp-ft")[0]).head.weight.detach()
    width = began["fresh"].shape[1]
    assert float(began["fresh"].std(correction=0)) == pytest.approx((3 * width) ** -0.5, rel=1e-4)
    ratio = began["fitted"] / began["fresh"]
    assert ratio.numpy() == pytest.approx(float(ratio.mean()), rel=1e-3)
    refused = run(*arguments(tiny, home, tmp_path / "x", **{"head-scale": "small"}))
    assert refused.code == 2


def test_a_run_refuses_to_go_on_with_other_data_or_another_model(tiny, home, tmp_path):
    data = tmp_path / "a.csv"
    data.write_text((home / "a.csv").read_text())
    more = {"task.path": data, "method": "lp"}
    assert run(*arguments(tiny, home, tmp_path / "x", **more)).code == 0
    rows = data.read_text().splitlines()
    swapped = [row[:-1] + {"x": "y", "y": "x"}[row[-1]] for row in rows[1:]]
    data.write_text("\n".join([rows[0], *swapped]) + "\n")
    again = run(*arguments(tiny, home, tmp_path / "x", **more))
    assert again.code == 2 and "the data have changed since" in again.err
    data.write_text("\n".join(rows) + "\n")
    assert run(*arguments(tiny, home, tmp_path / "x", **more)).code == 0
    other = run(*arguments(tiny, home, tmp_path / "x", **more, model=tiny("distilbert")))
    assert other.code == 2  # the configuration names another


def test_a_rate_that_diverges_is_told_and_another_is_chosen(tiny, home, tmp_path):
    more = {"method": "ft", "rates": ["1e38", "1e-4"], "seeds": 1, "training.epochs": 1}
    done = run(*arguments(tiny, home, tmp_path / "x", **more, **{"training.batch-size": 128}))
    assert done.code == 0, done.err
    about = json.loads((tmp_path / "x" / "run.json").read_text())
    records = about["trainings"]["ft"]
    assert [bool(record["diverged"]) for record in records] == [True, False]
    assert "rate 1e+38: the loss" in done.err


def test_another_seed_of_the_same_data_is_no_shift(tiny, home, tmp_path):
    done = run(*arguments(tiny, home, tmp_path / "x", ood=["seed: 1"]))
    assert done.code == 2 and "training items would be asked" in done.err


def test_what_a_shift_leaves_out_is_told_and_its_notes_stand_in_the_run(tiny, home, tmp_path):
    out = tmp_path / "x"
    again = f"path: {home / 'a.csv'}"
    done = run(*arguments(tiny, home, out, method="lp", ood=[again]))
    assert done.code == 0, done.err
    about = json.loads((out / "run.json").read_text())
    assert any(note.startswith(f"{again}: 48 of 60 items also") for note in about["notes"])
    assert "cut from train" in done.err


def test_several_shifts_are_numbered_in_the_terminal_and_named_below(done):
    out, finished = done
    lines = finished.out.splitlines()
    assert any(line.split()[:1] == ["OOD"] and "1" in line.split()[1] for line in lines)
    flat = "".join(line.strip() for line in lines)
    assert f"OOD 1: test: {out.parents[1] / 'b.csv'}".replace(" ", "") in flat.replace(" ", "")
    assert not any("…" in line for line in lines)


def test_the_path_of_linear_probes_foretells_accuracy_under_shift(done):
    out, finished = done
    results = Results.load(out / "results.jsonl")
    about = json.loads((out / "run.json").read_text())
    lp = about["trainings"]["lp"]
    chosen = [point["C"] for point in lp["path"]].index(lp["C"])
    for split, accuracies in lp["path_accuracies"].items():
        assert len(accuracies) == len(lp["path"])
        row = results.one(method="lp", metric="accuracy", split=split, seed=0)
        assert accuracies[chosen] == pytest.approx(row.value)
    home = lp["path_accuracies"]["test"]
    assert len(set(home)) > 1
    for split in (name for name in about["n"] if name.startswith("ood/")):
        n_home, n = about["n"]["test"], about["n"][split]
        trend = fit_trend(home, lp["path_accuracies"][split], n_reference=n_home, n_shifted=n)
        for method, seed in (("lp", 0), ("ft", 0), ("ft", 1), ("lp-ft", 1)):
            named = {"method": method, "split": split, "seed": seed}
            here, there = (
                results.one(**{**named, "split": s, "metric": "accuracy"}).value
                for s in ("test", split)
            )
            row = results.one(**named, metric="effective-robustness")
            there = min(max(there, 1 / (2 * n)), 1 - 1 / (2 * n))  # as the line is held, too
            expected = there - float(trend.expected(here, n_reference=n_home))
            assert row.value == pytest.approx(expected)
            assert json.loads(row.setting)["line"]["n_models"] == len(home)
        for method in ("lp", "ft", "lp-ft"):
            rows = results.where(method=method, metric="effective-robustness", split=split)
            at_home = results.where(method=method, metric="accuracy", split="test")
            runs = [row.value for row in at_home if row.seed is not None]
            beyond = sum(not min(home) <= value <= max(home) for value in runs)
            assert {json.loads(row.setting)["beyond"] for row in rows} == {beyond}
            (line,) = (line for line in grids(results)[-1].rows if line[0] == NAMES[method])
            assert sum(cell.endswith("*") for cell in line) == 2 * (beyond > 0)
    assert "over line OOD 1" in " ".join(finished.out.split())
    assert "linear probes" in (out / "report.html").read_text()


def test_probes_that_are_all_alike_foretell_nothing():
    n = {"test": 10, "ood/x": 10}
    assert lines_of({}, n) == {}
    assert lines_of({"test": [0.5, 0.5], "ood/x": [0.2, 0.4]}, n) == {}
    line = lines_of({"test": [0.5, 0.8], "dev": [1, 1], "ood/x": [0.2, 0.4]}, n)
    assert list(line) == ["ood/x"] and (line["ood/x"].low, line["ood/x"].high) == (0.5, 0.8)
    assert float(line["ood/x"].trend.expected(0.8)) == pytest.approx(0.4)


def test_a_line_that_cannot_be_drawn_ends_no_run():
    assert lines_of({"test": [0.0, 1.0], "ood/x": [0.2, 0.4]}, {"test": 1, "ood/x": 5}) == {}
    flat = lines_of({"test": [0.5, 0.8], "ood/x": [0.4, 0.4]}, {"test": 10, "ood/x": 10})["ood/x"]
    assert flat.about()["r2"] is None and flat.about()["slope"] == pytest.approx(0)


def test_brackets_in_the_name_of_a_set_are_printed(tiny, home, tmp_path):
    ood = f"path: {home / 'b.csv'}, classes: [x, y=y], title: 'a [b, c=d] set [/x]'"
    done = run(*arguments(tiny, home, tmp_path / "x", method="lp", ood=[ood]))
    assert done.code == 0, done.err
    assert "OOD 1: a [b, c=d] set [/x]" in " ".join(done.out.split())


def test_a_run_refuses_to_go_on_with_another_tokenizer(tiny, home, tmp_path):
    model = shutil.copytree(tiny("bert"), tmp_path / "model")
    more = {"model": model, "method": "lp"}
    assert run(*arguments(tiny, home, tmp_path / "x", **more)).code == 0
    path = model / "tokenizer.json"
    vocabulary = json.loads(path.read_text())
    words = vocabulary["model"]["vocab"]
    words["dog"], words["light"] = words["light"], words["dog"]
    path.write_text(json.dumps(vocabulary))
    (tmp_path / "x" / "results.jsonl").unlink()
    again = run(*arguments(tiny, home, tmp_path / "x", **more))
    assert again.code == 2 and "the preparation of its inputs have changed" in again.err


@pytest.mark.parametrize("more", [{"templates": "a {} x"}, {"head-scale": "fresh", "method": "ft"}])
def test_a_setting_without_effect_is_refused(tiny, home, tmp_path, more):
    done = run(*arguments(tiny, home, tmp_path / "x", **more))
    assert done.code == 2 and "would do nothing" in done.err


def test_a_figure_has_a_minus_and_a_name_keeps_its_hyphen():
    assert typeset("cifar-10, test-1.csv: -.250 [-.537, +.037]") == (
        "cifar-10, test-1.csv: −.250 [−.537, +.037]"
    )
