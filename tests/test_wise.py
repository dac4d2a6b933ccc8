"""WiSE-FT and soups of what `probes train` left: the ends are the ends, and dev alone chooses."""

import json
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

from adapting import classifier, differing, nouns, state
from commands import run
from probes.errors import InputError
from probes.report.shell import typeset
from probes.report.words import number
from probes.results import Results
from probes.transfer.classifier import Predictions
from probes.transfer.linear import linear_probe
from probes.transfer.sets import evaluation_sets
from probes.transfer.tables import load
from probes.transfer.trained import Pair, pairs_of, train_config
from probes.transfer.wise import output_ensemble, wise_ft
from probes.transfer.wise_page import findings, write_page
from probes.transfer.wise_rows import best_alpha
from probes.transfer.wise_tables import alpha_of, grids
from reading import Reader
from test_train import arguments

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("wise")
    for name, first, n in (("a", 0, 60), ("b", 1000, 24), ("c", 2000, 24)):
        rows = [
            f"the old {('dog', 'light')[(k + (k % 5 == 0)) % 2]} walks near {first + k} ,"
            f"{('x', 'y')[k % 2]}"
            for k in range(n)
        ]
        (folder / f"{name}.csv").write_text("\n".join(["text,kind", *rows]) + "\n")
    ood = [f"test: {folder / 'b.csv'}", f"test: {folder / 'c.csv'}"]
    done = run(*arguments(tiny, folder, folder / "train", ood=ood, rates="3e-3"))
    assert done.code == 0, done.err
    return folder / "train"


@pytest.fixture(scope="module")
def wise(trained):
    out = trained.parent / "wise"
    done = run("wise", "--run", trained, "--out", out, "--alphas", "0.3")
    assert done.code == 0, done.err
    return out, done


def accuracies(out, method, split, **wanted):
    """Accuracy of each run, by seed."""
    rows = Results.load(out / "results.jsonl").where(method=method, metric="accuracy", split=split)
    of = [(row, json.loads(row.setting)) for row in rows if row.seed is not None]
    return {row.seed: row.value for row, s in of if all(s[k] == v for k, v in wanted.items())}


def test_both_ends_are_the_classifiers_bit_for_bit_and_between_all_weights_are_averaged(tiny):
    first, second = classifier(tiny("bert"), 0), classifier(tiny("bert"), 1)
    assert not differing(state(wise_ft(first, second, 0.0)), state(first))
    assert not differing(state(wise_ft(first, second, 1.0)), state(second))
    half = state(wise_ft(first, second))
    mean = (first.head.weight + second.head.weight) / 2
    assert torch.allclose(half["head.weight"], mean, atol=1e-7)


def test_with_the_same_features_averaged_weights_are_averaged_outputs(tiny):
    first = classifier(tiny("bert"), 0)
    second = linear_probe(first, nouns()).classifier
    texts = ["the old dog walks", "a light near the water", "she never walks"]
    answers = [one.predict(texts) for one in (first, second)]
    for alpha in (0.1, 0.5, 0.8):
        found = wise_ft(first, second, alpha).predict(texts).logits
        expected = output_ensemble(*answers, alpha).logits
        assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_other_classes_or_another_network_are_refused_by_name(tiny):
    first = classifier(tiny("bert"))
    with pytest.raises(InputError, match="thing"):
        wise_ft(first, classifier(tiny("bert"), classes=("thing", "animal")))
    with pytest.raises(InputError, match=r"architecture|DistilBert"):
        wise_ft(first, classifier(tiny("distilbert")))
    with pytest.raises(InputError, match="shape"):
        short = Predictions(np.zeros((2, 2), np.float32), 0)
        output_ensemble(short, Predictions(np.zeros((3, 2), np.float32), 0), 0.5)


def test_at_the_ends_the_run_says_what_training_said(trained, wise):
    out, _ = wise
    for split in ("dev", "test", "ood/test: " + str(trained.parent / "b.csv")):
        second = accuracies(trained, "lp-ft", split)
        assert accuracies(out, "wise", split, alpha=1.0) == second
        first = accuracies(trained, "lp", split)[0]
        assert accuracies(out, "wise", split, alpha=0.0) == {0: first}  # one that both share
    rows = Results.load(out / "results.jsonl").where(method="wise", metric="accuracy", split="dev")
    over = [(alpha_of(row), json.loads(row.setting).get("over")) for row in rows]
    assert (0.0, "items") in over and (0.0, "runs") not in over and (1.0, "runs") in over


def test_alphas_are_those_asked_for_and_the_ends_and_the_half(wise):
    out, _ = wise
    results = Results.load(out / "results.jsonl")
    alphas = list(dict.fromkeys(map(alpha_of, results.where(method="wise"))))
    assert alphas == [0.0, 0.3, 0.5, 1.0]


def test_differences_to_the_ends_are_those_of_the_means(wise):
    out, _ = wise
    results = Results.load(out / "results.jsonl")
    for split in ("dev", "test"):
        means = {
            a: np.mean([*accuracies(out, "wise", split, alpha=a).values()]) for a in (0, 0.3, 1)
        }
        for metric, end in (("accuracy-over-first", 0), ("accuracy-over-second", 1)):
            rows = results.where(method="wise", metric=metric, split=split)
            value = next(row.value for row in rows if alpha_of(row) == 0.3)
            assert value == pytest.approx(means[0.3] - means[end])


def made_curve(right, n=10):
    """Answers by alpha, of which so many on dev are right, in one run; all are wrong on test."""

    def answers(k):
        logits = np.zeros((n, 2), np.float32)
        logits[:k, 0] = 1
        logits[k:, 1] = 1
        return Predictions(logits, 0)

    return {alpha: {0: {"dev": answers(k), "test": answers(n - k)}} for alpha, k in right.items()}


@pytest.mark.parametrize(
    ("right", "chosen"),
    [
        ({0.0: 3, 0.5: 4, 1.0: 5}, 1.0),
        ({0.0: 5, 0.5: 4, 1.0: 5}, 0.0),
        ({0.0: 5, 0.3: 5, 0.5: 4, 0.6: 5}, 0.6),
        ({0.0: 5, 0.5: 5, 1.0: 5}, 0.5),
    ],
)
def test_dev_chooses_alpha_and_of_equals_the_nearest_to_the_half(right, chosen):
    task = nouns(40, wrong=0.0)
    dev = evaluation_sets(task, {}, ("animal", "thing"))[0]
    rows = np.flatnonzero(dev.items.labels == 0)[:10]
    items = type(dev.items)(
        [dev.items.items[k] for k in rows], dev.items.labels[rows], dev.items.groups[rows],
        [dev.items.names[k] for k in rows], "made",
    )  # fmt: skip
    part = type(dev)("dev", items, dev.group_kind)
    assert best_alpha(made_curve(right, n=len(rows)), part) == chosen


def test_a_greedy_soup_is_no_worse_on_dev_than_its_best_member(wise):
    out, _ = wise
    results = Results.load(out / "results.jsonl")
    greedy = results.where(method="greedy-soup", metric="accuracy", split="dev")[0].value
    assert greedy >= max(accuracies(out, "wise", "dev", alpha=1.0).values())
    kept = json.loads((out / "run.json").read_text())["greedy_soup_kept"]
    assert 1 <= len(kept) <= 2 and set(kept) <= {0, 1}


def test_a_run_goes_on_where_it_stopped_and_refuses_classifiers_that_changed(trained, wise):
    out, _ = wise
    before = (out / "results.jsonl").read_bytes()
    shutil.rmtree(out / "answers" / "seed-1")
    again = run("wise", "--run", trained, "--out", out, "--alphas", "0.3")
    assert again.code == 0 and (out / "results.jsonl").read_bytes() == before
    weights = trained / "runs" / "lp" / "classifier" / "head.safetensors"
    kept = weights.read_bytes()
    try:
        weights.write_bytes(kept[:-4] + bytes(4))
        changed = run("wise", "--run", trained, "--out", out, "--alphas", "0.3")
        assert changed.code == 2 and "changed since" in changed.err
    finally:
        weights.write_bytes(kept)


def test_tables_and_page_say_what_the_rows_say(wise):
    out, done = wise
    results, about = load(out, "wise")
    (grid, *_) = grids(results, about)
    rows = {row[0]: row for row in grid.rows}
    assert list(rows)[:4] == ["alpha 0 (lp)", "alpha 0.3", "alpha 0.5", "alpha 1 (lp-ft)"]
    assert grid.heads[1:3] == ["dev", "ID"] and grid.heads[-1] == "OOD mean"
    for alpha, name in ((0.3, "alpha 0.3"), (1.0, "alpha 1 (lp-ft)")):
        for split, column in (("dev", 1), ("test", 2)):
            mean = np.mean([*accuracies(out, "wise", split, alpha=alpha).values()])
            assert rows[name][column].startswith(number(float(mean)))
    assert f"report: {out / 'report.html'}" in done.out
    page = Reader(out / "report.html")
    places = [of["id"] for tag, of in page.tags if of.get("class") == "chart"]
    charts = json.loads(next(text for text in page.scripts if text.startswith("{")))
    assert sorted(charts) == sorted(places) and len(places) == 4  # two sets, full and near
    for sentence in findings(results, about):
        assert " ".join(typeset(sentence).split()) in page.text
    again = run("report", out, "--out", out.parent / "again.html")
    assert again.code == 0 and again.out.splitlines()[:-1] == done.out.splitlines()[:-1]
    assert (out.parent / "again.html").read_bytes() == (out / "report.html").read_bytes()
    assert (out / "curve-1.png").is_file() and (out / "curve-2.png").is_file()


def test_heads_that_are_not_related_are_called_a_contrast(trained):
    out = trained.parent / "contrast"
    done = run("wise", "--run", trained, "--out", out, "--second", "ft", "--alphas", "0.5")
    assert done.code == 0, done.err
    assert any(
        "not related" in note for note in json.loads((out / "run.json").read_text())["notes"]
    )
    assert "not related" in Reader(out / "report.html").text


def test_a_classifier_is_named_by_its_folder_too(trained):
    folder = trained / "runs" / "lp" / "classifier"
    pairs = pairs_of(str(trained), str(folder), "lp-ft")
    assert [pair.run for pair in pairs] == [0, 1]
    assert {pair.first for pair in pairs} == {folder}


def test_a_run_refuses_to_go_on_with_other_labels(trained, tmp_path):
    out = tmp_path / "x"
    given = ("wise", "--run", trained, "--out", out, "--alphas", "0.5")
    assert run(*given).code == 0
    path = trained.parent / "b.csv"
    kept = path.read_text()
    try:
        path.write_text(kept.replace(",x", ",z").replace(",y", ",x").replace(",z", ",y"))
        again = run(*given)
        assert again.code == 2 and "the data have changed since" in again.err
    finally:
        path.write_text(kept)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--run", "nowhere"], "nowhere"),
        (["--first", "zero-shot"], "zero-shot"),
        (["--first", "lp-ft"], "lp-ft"),
        (["--alphas", "1.5"], "1.5"),
        (["--alphas", "0.3", "0.3"], "once"),
    ],
)
def test_bad_input_is_one_clear_message(trained, flags, said, tmp_path):
    given = {"--run": [str(trained)], "--out": [str(tmp_path / "x")]}
    given[flags[0]] = flags[1:]
    done = run("wise", *[word for key, values in given.items() for word in (key, *values)])
    assert done.code == 2 and said in done.err and "Traceback" not in done.err
    assert not (tmp_path / "x").exists()


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"config\.yaml is not there"):
        train_config(tmp_path)
    with pytest.raises(InputError, match="no finished run"):
        write_page(tmp_path)


def test_effective_robustness_at_the_ends_is_that_of_the_run_trained(trained, wise):
    out, _ = wise
    before, after = (Results.load(folder / "results.jsonl") for folder in (trained, out))
    shifts = {row.split for row in before if row.split.startswith("ood/")}
    for split in shifts:
        for method, alpha in (("lp", 0.0), ("lp-ft", 1.0)):
            known = before.where(method=method, metric="effective-robustness", split=split)
            found = [
                row
                for row in after.where(method="wise", metric="effective-robustness", split=split)
                if alpha_of(row) == alpha
            ]
            assert known and {row.seed: row.value for row in found} == {
                row.seed: pytest.approx(row.value) for row in known
            }
    page = (out / "report.html").read_text()
    assert page.count("trend of reference models") == 2 * len(shifts)


def test_weights_are_told_apart_by_their_tensors_and_not_by_their_files(tmp_path):
    tensors = {"a": torch.arange(3.0), "b": torch.ones(2)}
    found = []
    for k, about in enumerate(({"x": "1", "y": "2"}, {"z": "3"})):
        folder = tmp_path / str(k)
        folder.mkdir()
        safetensors.torch.save_file(tensors, folder / "head.safetensors", about)
        found.append(Pair(0, folder, folder).digests())
    assert found[0] == found[1]


def test_one_classifier_that_all_seeds_share_makes_no_soup(trained, tmp_path):
    done = run("wise", "--run", trained, "--first", "ft", "--second", "lp", "--out", tmp_path / "w")
    assert done.code == 0, done.err
    assert not Results.load(tmp_path / "w" / "results.jsonl").where(method="uniform-soup")
    assert "members" not in done.out
