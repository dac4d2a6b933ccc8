"""Sets out of distribution: other data, asked whole, under the names of the classes learnt."""

import json

import datasets
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from adapting import nouns
from commands import run
from conftest import ROOT
from probes.errors import InputError
from probes.flags import task_config
from probes.registry import load_task, task_options
from probes.results import Results
from probes.transfer.classifier import Predictions
from probes.transfer.config import TrainConfig
from probes.transfer.examples import class_names
from probes.transfer.runs import read_answers, write_answers
from probes.transfer.sets import evaluation_sets
from probes.transfer.shifts import load_shifts, notes_of


def write(path, rows, header="text,kind"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


@pytest.fixture
def home(tmp_path):
    pairs = [
        (f"the {'cat' if k % 2 else 'car'} no {k}", "cat" if k % 2 else "car") for k in range(40)
    ]
    return write(tmp_path / "home.csv", [f"{text},{kind}" for text, kind in pairs])


def table(path, **more):
    return task_options("table")(path=path, label=("kind",), **more)


def test_other_data_are_asked_whole_where_they_have_no_splits(home, tmp_path):
    other = write(
        tmp_path / "b.csv",
        [f"a {('car', 'cat')[k % 2]} in {k},{('car', 'cat')[k % 2]}" for k in range(11)],
    )
    task, shifts = load_shifts(table(home), [f"path: {other}", f"test: {other}, title: same"])
    whole, same = shifts.values()
    assert list(shifts) == [f"path: {other}", "same"]
    assert whole.splits.tolist() == ["test"] * 11 and whole.labels.tolist().count("car") == 6
    asked = same.splits == "test"
    assert [same.texts[k] for k in same.text_index[asked]] == [*whole.texts]
    assert same.labels[asked].tolist() == whole.labels.tolist()
    assert "cut" not in " ".join(whole.notes)
    assert [part.name for part in evaluation_sets(task, shifts, class_names(task))][2:] == [
        f"ood/path: {other}",
        "ood/same",
    ]


@pytest.mark.parametrize(
    ("parts", "expected", "words"),
    [
        ({"train": 6, "validation": 4, "test": 5}, 5, ()),
        ({"train": 6, "validation": 4}, 4, ("the dev split is asked",)),
        ({"train": 6}, 6, ()),
        ({"test": 3}, 3, ()),
        ({"odd": 3}, 3, ()),
    ],
)
def test_of_a_data_set_its_test_split_is_asked_else_dev_else_all(
    home, tmp_path, parts, expected, words
):
    sets = {
        name: datasets.Dataset.from_dict(
            {
                "text": [f"{name} {k}" for k in range(n)],
                "kind": ["cat", "car"] * (n // 2) + ["cat"] * (n % 2),
            }
        )
        for name, n in parts.items()
    }
    datasets.DatasetDict(sets).save_to_disk(tmp_path / "set")
    _, shifts = load_shifts(table(home), [f"{{path: {tmp_path / 'set'}}}"])
    (found,) = shifts.values()
    assert found.n_units == expected and set(found.splits) == {"test"}
    assert found.counts["left_out"] == sum(parts.values()) - expected
    assert all(any(word in note for note in found.notes) for word in words)


def test_splits_that_say_neither_are_refused(home, tmp_path):
    one = datasets.Dataset.from_dict({"text": ["a", "b"], "kind": ["cat", "car"]})
    datasets.DatasetDict({"train": one, "odd": one}).save_to_disk(tmp_path / "set")
    with pytest.raises(InputError, match="splits train, odd, and none of them says test or dev"):
        load_shifts(table(home), [f"path: {tmp_path / 'set'}"])


def test_of_a_column_of_splits_one_is_asked(tmp_path):
    rows = [f"a {k},{('cat', 'car')[k % 2]},{('train', 'dev', 'test')[k % 3]}" for k in range(30)]
    path = write(tmp_path / "c.csv", rows, "text,kind,part")
    (task,) = table(path, split="part", as_test=True).load()
    assert [*task.texts] == [f"a {k}" for k in range(2, 30, 3)]
    no_test = write(
        tmp_path / "d.csv", [row for row in rows if not row.endswith("test")], "text,kind,part"
    )
    (task,) = table(no_test, split="part", as_test=True).load()
    assert [*task.texts] == [f"a {k}" for k in range(1, 30, 3)]


def test_images_out_of_distribution_are_read_the_same_way(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (30, 8, 8, 3), dtype=np.uint8)
    kinds = np.array(["automobile", "cat"] * 15)
    np.savez(tmp_path / "home.npz", images=images, labels=kinds)
    for k, kind in enumerate(["car", "monkey", "cat"] * 3):
        folder = tmp_path / "other" / "test" / kind
        folder.mkdir(parents=True, exist_ok=True)
        picture = images[0] if k == 0 else random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{k}.png")
    options = task_options("images")(path=str(tmp_path / "home.npz"))
    text = f"path: {tmp_path / 'other'}\nclasses: [car=automobile, cat]\ntitle: other\n"
    task, shifts = load_shifts(options, [text])
    other = shifts["other"]
    assert other.labels.tolist() == [*["automobile"] * 3, *["cat"] * 3]
    assert other.counts["other_classes"] == 3
    assert any("3 labels are left out" in note for note in other.notes)
    known = [note for note in notes_of(task, shifts) if "also stand in train" in note]
    in_train = task.splits[task.images.digests.index(other.images.digests[0])] == "train"
    assert known == (["other: 1 of 6 items also stand in train"] if in_train else [])
    items = evaluation_sets(task, shifts, class_names(task))[2].items
    assert np.bincount(items.labels).tolist() == [3, 3]


def test_training_sentences_among_those_asked_are_told(home, tmp_path):
    rows = [f"{text.upper()},cat" for text in ("the cat no 1", "the cat no 3", "the cat no 99")]
    task, shifts = load_shifts(table(home), [f"path: {write(tmp_path / 'b.csv', rows)}, title: b"])
    train = {task.texts[k] for k in task.text_index[task.splits == "train"]}
    n = len({"the cat no 1", "the cat no 3"} & train)
    assert n and f"b: {n} of 3 items also stand in train" in notes_of(task, shifts)


def test_several_classes_may_have_one_name(home, tmp_path):
    rows = [f"w {k},{('tabby', 'siamese', 'coupe', 'dog')[k % 4]}" for k in range(40)]
    kept = ("tabby=cat", "siamese = cat", "coupe=car")
    (task,) = table(write(tmp_path / "b.csv", rows), classes=kept, limit=20).load()
    assert class_names(task) == ("car", "cat")
    assert task.counts["other_classes"] == 10
    named = dict(zip(rows, (row.split(",")[1] for row in rows), strict=True))
    for text, label in zip(task.texts, task.labels, strict=True):
        original = named[next(row for row in rows if row.startswith(f"{text},"))]
        assert label == {"tabby": "cat", "siamese": "cat", "coupe": "car", "dog": None}[original]


def test_classes_that_no_image_has_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((4, 8, 8, 3), np.uint8), labels=["a", "b"] * 2)
    with pytest.raises(InputError, match="unknown class of a 'zebra'; known: a, b"):
        load_task("images", path=str(tmp_path / "a.npz"), classes=("zebra",))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"classes": ("kat=cat",)}, r"unknown class of home 'kat' \(nearest: 'cat'\)"),
        ({"classes": ("=cat",)}, "'=cat' has no name"),
        ({"classes": ("cat", "cat=car")}, "'cat' stands twice"),
        ({"classes": ("cat",), "kind": "real"}, "real values"),
        ({"as_test": True, "test": "b.csv"}, "b.csv is given beside it"),
    ],
)
def test_what_means_nothing_is_refused(home, more, words):
    with pytest.raises(InputError, match=words):
        table(home, **more).load()


def test_among_its_own_classes_none_that_a_set_lacks_is_answered(tmp_path):
    kinds = ("x", "y", "z")
    home = write(tmp_path / "a.csv", [f"an {x} {k},{x}" for k, x in enumerate(kinds * 10)])
    other = write(tmp_path / "b.csv", [f"one {x} {k},{x}" for k, x in enumerate(("x", "z") * 10)])
    task, shifts = load_shifts(table(home), [f"path: {other}, title: b"])
    *_, free = evaluation_sets(task, shifts, kinds)
    *_, own = evaluation_sets(task, shifts, kinds, "own")
    assert (free.barred, own.barred) == ((), (1,))
    logits = np.random.default_rng(0).normal(size=(len(own.items), 3)).astype(np.float32)
    write_answers(tmp_path, {"ood/b": Predictions(logits, 0)})
    everything = read_answers(tmp_path, [free])["ood/b"]
    allowed = read_answers(tmp_path, [own])["ood/b"]
    np.testing.assert_array_equal(everything.logits, logits)
    assert set(allowed.codes) == {0, 2} and set(everything.codes) == {0, 1, 2}
    np.testing.assert_array_equal(allowed.logits[:, [0, 2]], logits[:, [0, 2]])
    p = np.exp(allowed.log_probabilities)
    assert (p[:, 1] == 0).all() and p.sum(1) == pytest.approx(1)
    half = 0.5 * allowed.logits + 0.5 * allowed.logits
    assert (half.argmax(1) != 1).all() and np.isfinite(half).all()


def test_a_set_of_one_class_cannot_be_asked_among_its_own(home, tmp_path):
    other = write(tmp_path / "b.csv", [f"a {k},cat" for k in range(5)])
    task, shifts = load_shifts(table(home), [f"path: {other}, title: b"])
    assert evaluation_sets(task, shifts, ("car", "cat"))
    with pytest.raises(InputError, match="'b' has one class alone"):
        evaluation_sets(task, shifts, ("car", "cat"), "own")


@pytest.mark.parametrize("option", ["seed: 1", "group: doc", "split: fold", "classes: [cat, car]"])
def test_the_same_data_are_not_cut_another_way(home, option):
    with pytest.raises(InputError, match="cuts the same data into other splits"):
        load_shifts(table(home), [option])


def test_training_items_that_are_corrupted_are_told_too(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array(["a", "b"] * 15))
    path = str(tmp_path / "a.npz")
    options = task_options("images")(path=path)
    again = f"path: {path}, corruption: gaussian-noise, title: again"
    task, shifts = load_shifts(options, [again, "corruption: gaussian-noise, title: noisy"])
    notes = notes_of(task, shifts)
    n_train, n_dev = (int((task.splits == split).sum()) for split in ("train", "dev"))
    assert f"again: {n_train} of 30 items also stand in train" in notes
    assert f"again: {n_dev} of 30 items also stand in dev" in notes
    assert not any(note.startswith("noisy: ") and "also stand" in note for note in notes)
    assert shifts["noisy"].images.digests != task.images.digests
    assert shifts["noisy"].images.originals.digests == task.images.digests


def test_other_data_do_not_inherit_how_the_first_are_laid_out(tmp_path):
    kinds, folds = ("cat", "tram", "car"), ("train", "dev", "test")
    rows = [f"a {k},{kinds[k % 3]},{folds[k % 9 // 3]}" for k in range(45)]
    home = write(tmp_path / "a.csv", rows, "text,kind,fold")
    other = write(tmp_path / "b.csv", [f"b {k},{('cat', 'car')[k % 2]}" for k in range(6)])
    options = table(home, split="fold", classes=("cat", "car"))
    _, shifts = load_shifts(options, [f"path: {other}, title: b"])
    assert shifts["b"].n_units == 6
    with pytest.raises(InputError, match="expected options of the task"):
        load_shifts(options, ["nonsense"])
    grouped = table(home, split="fold", classes=("cat", "car"), group="fold")
    _, shifts = load_shifts(grouped, [f"path: {other}, group: null, title: b"])
    assert shifts["b"].n_units == 6


def test_rows_of_other_splits_are_told(tmp_path):
    rows = [f"a {k},{('cat', 'car')[k % 2]},{('train', 'dev', 'test')[k % 3]}" for k in range(30)]
    path = write(tmp_path / "c.csv", rows, "text,kind,fold")
    (task,) = table(path, split="fold", as_test=True).load()
    assert task.counts["left_out"] == 20
    assert any("column 'fold', test is asked; 20 rows left out" in note for note in task.notes)


def test_classes_that_are_left_out_use_up_no_limit(tmp_path):
    rows = [f"w {k},{'abcdefghij'[k % 10]}" for k in range(500)]
    path = write(tmp_path / "d.csv", rows)
    (task,) = table(path, classes=("a", "b"), limit=50).load()
    assert int((task.splits == "train").sum()) == 50 and task.counts["other_classes"] == 400


def test_pairs_whose_first_text_is_known_are_told(tmp_path):
    rows = [f"first {k % 20},second {k},{('x', 'y')[k % 2]}" for k in range(60)]
    home = write(tmp_path / "a.csv", rows, "text,other,kind")
    rows = [f"first {k},new {k},{('x', 'y')[k % 2]}" for k in range(25)]
    other = write(tmp_path / "b.csv", rows, "text,other,kind")
    task, shifts = load_shifts(table(home, text2="other"), [f"path: {other}, title: b"])
    known = {task.texts[k] for k in task.text_index[task.splits == "train"]}
    n = sum(f"first {k}" in known for k in range(25))
    said = f"b: of {n} of 25 pairs the first text also stands in a pair of train"
    assert n and said in notes_of(task, shifts)


def test_a_flag_that_stands_twice_is_refused(tiny, home, tmp_path):
    done = run(
        *("train", "--model", tiny("bert"), "--task.name", "table", "--task.path", home),
        *("--ood", "path: a.csv", "--ood", "path: b.csv", "--out", str(tmp_path / "x")),
    )
    assert done.code == 2 and "--ood stands twice" in done.err and "--ood A B" in done.err


def test_a_run_asks_other_data_among_their_own_classes(tiny, tmp_path):
    kinds = ("x", "y", "z")
    home = write(
        tmp_path / "a.csv", [f"the {kinds[k % 3]} thing {k},{kinds[k % 3]}" for k in range(60)]
    )
    other = write(
        tmp_path / "b.csv",
        [f"one {('x', 'yy')[k % 2]} thing {k},{('x', 'yy')[k % 2]}" for k in range(20)],
    )
    accuracy = {}
    for among in ("all", "own"):
        out = tmp_path / among
        ood = f"path: {other}, classes: [x, yy=y], title: b"
        done = run(
            *("train", "--model", tiny("bert"), "--task.name", "table", "--task.path", home),
            *(
                "--task.label",
                "kind",
                "--method",
                "lp",
                "--ood",
                ood,
                "--among",
                among,
                "--out",
                str(out),
            ),
        )
        assert done.code == 0, done.err
        results = Results.load(out / "results.jsonl")
        row = results.one(split="ood/b", metric="accuracy", seed=0)
        found = pd.read_parquet(out / "predictions.parquet")
        answers = set(found[found["set"] == "ood/b"]["predicted"])
        assert row.n == 20
        accuracy[among] = row.value
        assert among == "all" or answers <= {"x", "y"}
    assert accuracy["own"] >= accuracy["all"]
    said = "b: asked among its 2 of 3 classes"
    assert said in json.loads((tmp_path / "own" / "run.json").read_text())["notes"]
    assert said in (tmp_path / "own" / "report.html").read_text()


def test_a_task_alone_may_be_asked_by_name(home):
    made = load_task("table", path=home, label=("kind",), as_test=True)
    assert set(made.splits) == {"test"} and made.n_units == 40


def test_the_shifts_in_configs_ask_other_data_of_the_classes_learnt(monkeypatch):
    asked = {}

    def load(self):
        asked[self.path, self.as_test] = self
        return (nouns(),)

    monkeypatch.setattr(task_options("images"), "load", load)
    for path in sorted(ROOT.glob("configs/train-*.yaml")):
        config = task_config(TrainConfig, "train", ["--config", str(path)])
        if config.task.name == "images" and any("path:" in text for text in config.ood):
            asked.clear()
            _, shifts = load_shifts(config.task, config.ood)
            (home,) = (own for (_, alone), own in asked.items() if not alone)
            assert len(asked) == 1 + len(config.ood)
            assert all("path" not in name for name in shifts), "each has a title"
            learnt = {entry.rpartition("=")[2] for entry in home.classes}
            for (_, alone), other in asked.items():
                assert not alone or (other.dev, other.test) == (None, None)
                named = {entry.rpartition("=")[2] for entry in other.classes}
                assert not learnt or named == learnt


def test_living_17_learns_two_populations_of_each_kind_and_asks_two_others():
    given = yaml.safe_load((ROOT / "configs" / "train-living17.yaml").read_text())
    target = yaml.safe_load(given["ood"][0])["classes"]
    populations = [entry.split("=")[0] for entry in (*given["task"]["classes"], *target)]
    assert len(set(populations)) == 68
    for entries in (given["task"]["classes"], target):
        kinds = [entry.split("=")[1] for entry in entries]
        assert len(set(kinds)) == 17 and all(kinds.count(kind) == 2 for kind in kinds)


def test_a_column_of_splits_that_is_not_named_is_pointed_to(tmp_path):
    rows = [f"a {k},{('cat', 'car')[k % 2]},{('train', 'dev', 'test')[k % 3]}" for k in range(30)]
    path = write(tmp_path / "c.csv", rows, "text,kind,split")
    said = "the column 'split' is not read"
    assert any(said in note for note in table(path).load()[0].notes)
    assert not any(said in note for note in table(path, split="split").load()[0].notes)
    arrays = {"images": np.arange(30 * 192, dtype=np.uint8).reshape(30, 8, 8, 3)}
    arrays |= {"labels": np.array(["a", "b"] * 15), "split": np.array(["train", "test"] * 15)}
    np.savez(tmp_path / "a.npz", **arrays)
    task = load_task("images", path=str(tmp_path / "a.npz"))
    assert any(said in note for note in task.notes)
