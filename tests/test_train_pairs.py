"""`probes train` over pairs of texts: answers, names, and what cannot be asked of them."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from commands import run
from probes.registry import task_options
from probes.transfer.classifier import Classifier
from probes.transfer.shifts import load_shifts, notes_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    for name, first, n in (("a", 0, 60), ("b", 1000, 24)):
        rows = [
            f"the old dog walks near {first + k} ,the {('dog', 'light')[k % 2]} walks,"
            f"{('x', 'y')[k % 2]}"
            for k in range(n)
        ]
        (folder / f"{name}.csv").write_text("\n".join(["text,claim,kind", *rows]) + "\n")
    return folder


def arguments(tiny, home, out, **more):
    given = {
        "model": tiny("bert"),
        "task.name": "table",
        "task.path": home / "a.csv",
        "task.text2": "claim",
        "task.label": "kind",
        "out": out,
        "rates": "3e-3",
        "seeds": 1,
        "training.epochs": 2,
        **more,
    }
    return ["train", *(str(part) for key, value in given.items() for part in (f"--{key}", value))]


@pytest.fixture(scope="module")
def done(tiny, home):
    torch.set_num_threads(1)
    out = home / "runs" / "x"
    finished = run(*arguments(tiny, home, out, ood=f"path: {home / 'b.csv'}"))
    assert finished.code == 0, finished.err
    return out, finished


def test_every_answer_is_of_its_pair_and_named_by_both_texts(done):
    out, _ = done
    kept = pd.read_parquet(out / "predictions.parquet")
    assert set(kept["set"]) == {"dev", "test", f"ood/path: {out.parents[1] / 'b.csv'}"}
    own = kept[(kept.method == "ft") & kept["set"].str.startswith("ood/")]
    pairs = [tuple(name.split(" / ")) for name in own.name]
    assert {second for _, second in pairs} == {"the dog walks", "the light walks"}
    assert [second == "the dog walks" for _, second in pairs] == (own.gold == "x").tolist()
    made = Classifier.load(next(out.glob("runs/ft/*/*/classifier")))
    logits = made.predict(pairs).logits
    np.testing.assert_allclose(logits, np.stack(own.logits), rtol=1e-3, atol=1e-4)
    other = made.predict([(a, "the light walks") for a, _ in pairs]).logits
    assert np.abs(other - logits).max() > 1e-2


def test_what_stands_in_the_second_text_alone_is_learnt(done):
    out, _ = done
    kept = pd.read_parquet(out / "predictions.parquet")
    own = kept[kept.method == "lp"]
    assert ((own.gold == own.predicted).groupby(own["set"]).mean() == 1).all()


def test_a_run_says_by_what_it_was_cut_and_what_training_has_seen(done):
    out, finished = done
    notes = json.loads((out / "run.json").read_text())["notes"]
    assert "dev and test cut from train by first text, seed 0" in notes
    assert any("test pairs the second text also stands in a pair of train" in n for n in notes)
    assert notes[0] in finished.err
    assert "by first text" in (out / "results.jsonl").read_text()


def test_a_run_over_pairs_goes_on_and_refuses_other_second_texts(done, tiny, home):
    out, _ = done
    assert run("train", "--config", str(out / "config.yaml")).code == 0
    data = (home / "a.csv").read_text()
    (home / "a.csv").write_text(data.replace("the light walks", "the lights walk"))
    again = run("train", "--config", str(out / "config.yaml"))
    (home / "a.csv").write_text(data)
    assert (
        again.code == 2 and "the data and the preparation of its inputs have changed" in again.err
    )


def test_pairs_are_no_shift_of_single_texts(tiny, home, tmp_path):
    given = arguments(tiny, home, tmp_path / "x", ood=f"{{path: {home / 'b.csv'}, text2: claim}}")
    at = given.index("--task.text2")
    refused = run(*given[:at], *given[at + 2 :])
    assert refused.code == 2 and "a classifier reads one kind" in refused.err
    assert not (tmp_path / "x" / "runs").exists()


def test_probing_refuses_pairs_and_names_what_takes_them(tiny, home, tmp_path):
    given = ["--model", tiny("bert"), "--task.name", "table", "--task.path", str(home / "a.csv")]
    given += ["--task.text2", "claim", "--task.label", "kind", "--out", str(tmp_path / "x")]
    refused = run("probe", *given)
    assert refused.code == 2 and "train a classifier on it (probes train)" in refused.err


def test_pairs_that_training_has_seen_are_counted_in_other_data(home):
    (home / "both.csv").write_text(
        "text,claim,kind\n"
        "the old dog walks near 0 ,the dog walks,x\n"  # is in a.csv
        "the old dog walks near 0 ,the light walks,y\n"  # its first text alone
    )
    options = task_options("table")(path=str(home / "a.csv"), text2="claim", label=("kind",))
    task, shifts = load_shifts(options, [f"path: {home / 'both.csv'}"])
    pairs = zip(task.texts, task.splits.tolist(), strict=True)
    assert ("the old dog walks near 0 ", "train") in pairs
    assert any(n.endswith("1 of 2 items also stand in train") for n in notes_of(task, shifts))
