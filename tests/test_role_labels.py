"""Laws of role schemes as labellings, and of the probes that are asked for them."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest
from probes_tasks.english import English

from conftest import ROOT
from made import NONE, PENALTIES, accuracy, store_of
from probes.configs import RolesProbeConfig, fill, plain, read_yaml, to_yaml
from probes.diagnostic.control import by_clue, majority
from probes.diagnostic.layers import probe_layers
from probes.diagnostic.questions import ask
from probes.errors import InputError
from probes.registry import task_options
from probes.report.summary import summarise
from probes.report.tables import to_text
from probes.results import Results
from probes.roles.naming import SIX, parse_scheme
from probes.roles.text.corpus import narrowed, select, sentences_of
from probes.roles.text.labels import places, role_labels
from probes.roles.text.probe_job import run_roles_probe
from probes.roles.text.texts import load_corpus
from probes.task import word_task


def schemes(*names):
    return [parse_scheme(name) for name in names]


def corpus(sentences, heads=None, **columns):
    heads = heads or [["0", *map(str, range(1, len(row)))] for row in sentences]
    return [
        word_task(
            sentences,
            rows,
            splits=[("train", "train", "dev", "test")[k % 4] for k in range(len(sentences))],
            groups=[str(k) for k in range(len(sentences))],
            name="made",
            labelling=name,
        )
        for name, rows in {"head": heads, **columns}.items()
    ]


def random_sentences(n, seed=0):
    draw = np.random.default_rng(seed)
    return [[f"w{k}" for k in draw.integers(20, size=draw.integers(5, 13))] for _ in range(n)]


def by_text(task):
    return [task.labels[task.text_index == k].tolist() for k in range(len(task.texts))]


def test_right_to_left_is_left_to_right_of_the_reversed_sentence_reversed():
    sentences = random_sentences(40)
    (rtl,) = role_labels(corpus(sentences), schemes("rtl"))
    (ltr,) = role_labels(corpus([row[::-1] for row in sentences]), schemes("ltr"))
    assert by_text(rtl) == [row[::-1] for row in by_text(ltr)]


def test_a_label_is_what_the_scheme_gives_as_it_is_printed():
    tasks = English(field=("pos", "head"), sentences=100).load()
    names = ["ltr", "rtl", "bi", "wickel:pos", "tree:parse", "bow", "ltr*next:pos"]
    sentences = sentences_of(tasks)
    kept = [sentences[k] for k in select(sentences, 5, 12).texts]
    for name, task in zip(names, role_labels(tasks, schemes(*names)), strict=True):
        assert task.labelling == name
        assert task.kind == "class"
        expected = [str(role) for s in kept for role in parse_scheme(name).roles(s)]
        assert task.labels.tolist() == expected


def test_neighbours_are_the_labels_of_the_words_beside():
    tasks = English(field=("pos",), sentences=100).load()
    before, after = role_labels(tasks, schemes("previous:pos", "next:pos"), longest=99)
    gold = by_text(narrowed(tasks[0], select(sentences_of(tasks), 5, 99)))
    assert by_text(before) == [["#", *row[:-1]] for row in gold]
    assert by_text(after) == [[*row[1:], "#"] for row in gold]


def test_all_schemes_are_asked_of_the_same_words_of_the_texts_of_that_length():
    tasks = English(field=("pos", "head"), sentences=200).load()
    found = role_labels(tasks, schemes("ltr", "bi", "tree:parse", "bow"), shortest=6, longest=9)
    for task in found:
        assert task.texts == found[0].texts
        assert np.array_equal(task.spans, found[0].spans)
        assert {len(row) for row in by_text(task)} == {6, 7, 8, 9}
        assert task.counts["texts over 9 words"] > 0


def test_texts_without_a_tree_are_left_out_of_all_schemes_where_one_needs_it():
    sentences = random_sentences(40)
    heads = [["0", *map(str, range(1, len(row)))] for row in sentences]
    for row in heads[::4]:
        row[-1] = None
    tasks = corpus(sentences, heads)
    ltr, tree = role_labels(tasks, schemes("ltr", "tree:parse"))
    assert ltr.texts == tree.texts == tuple(" ".join(s) for k, s in enumerate(sentences) if k % 4)
    assert ltr.counts["texts without a tree"] == 10
    (alone,) = role_labels(tasks, schemes("ltr"))
    assert len(alone.texts) == 40
    for name in ("ltr+tree", "ltr*tree:parse"):
        assert len(role_labels(tasks, schemes(name))[0].texts) == 30
        fitted = load_corpus(schemes(name), tasks, shortest=5, longest=12)
        assert fitted.task.texts == ltr.texts and fitted.task.counts == ltr.counts


def test_what_a_scheme_lacks_is_named():
    (pos,) = English(field=("pos",), sentences=100).load()
    for name, said in (
        ("previous:upos", "'upos' \\(nearest: 'pos'\\).*--task.field pos upos"),
        ("ltr*wickel:deprel", "unknown labelling that the role scheme 'ltr\\*wickel:deprel'"),
        ("tree:parse", "no text has a tree; ask for the labelling `head`"),
        ("tree:digits", "choose tree:right"),
    ):
        with pytest.raises(InputError, match=said):
            role_labels([pos], schemes(name))
    with pytest.raises(InputError, match="no role scheme"):
        role_labels([pos], [])


def one_hot(task):
    place = [int(label) for label in task.labels]
    return np.eye(12, dtype=np.float32)[place]


def test_planted_places_are_read_where_they_are_and_not_from_noise(tmp_path, one_thread):
    tasks = corpus(random_sentences(400))
    ltr, rtl, bow = role_labels(tasks, schemes("ltr", "rtl", "bow"))
    noise = np.random.default_rng(1).normal(size=(ltr.n_units, 12))
    store = store_of(ltr, {"0": one_hot(ltr), "1": noise, "2": one_hot(rtl)}, tmp_path)
    about = {"penalties": PENALTIES, "draws": 1, "constant": True}
    report = probe_layers(ltr, store, **about)
    assert accuracy(report, "0") == 1.0
    assert accuracy(report, "1") < 0.2
    assert 0.1 < accuracy(report, "2") < 0.6  # the last place is one place or another
    assert report.best_layer == "0"
    assert accuracy(probe_layers(rtl, store, **about), "2") == 1.0
    constant = probe_layers(bow, store, **about)
    for layer in "012":
        assert accuracy(constant, layer) == 1.0
        row = constant.results.one(metric="selectivity", layer=layer)
        assert row.value == 0.0
    assert constant.n_at_edge == 0
    assert "'r_0'" in constant.questions.warnings[0]
    with pytest.raises(InputError, match="constant"):
        probe_layers(bow, store, penalties=PENALTIES)


def test_the_place_in_a_text_decides_the_places_of_all_schemes_and_of_no_tree():
    tasks = English(field=("pos", "head"), sentences=400).load()
    for task in role_labels(tasks, schemes("ltr", "rtl", "bi", "tree:right", "tree:parse")):
        q = ask(task, NONE, "wrong")
        right = by_clue(q, places(task)) == q.gold[q.rows["test"]]
        if task.labelling != "tree:parse":
            assert right.all()
        else:
            guess = majority(q) == q.gold[q.rows["test"]]
            assert guess.mean() < right.mean() < 0.9


def test_the_baseline_of_places_is_the_commonest_label_of_training_at_that_place():
    tasks = English(field=("pos", "head"), sentences=300).load()
    (task,) = role_labels(tasks, schemes("previous:pos"))
    q = ask(task, NONE, "wrong")
    rows = [(k, n - 1 - k) for n in map(len, by_text(task)) for k in range(n)]
    counts = {}
    for place, label, split in zip(rows, task.labels, task.splits, strict=True):
        if split == "train":
            counts.setdefault(place, Counter())[label] += 1
    for unit, code in zip(q.rows["test"], by_clue(q, places(task)), strict=True):
        seen = counts[rows[unit]]
        assert seen[q.classes[code]] == max(seen.values())


def test_of_many_unseen_roles_the_three_commonest_are_named_and_the_others_counted():
    sentences = [["a"] * 2] * 20 + [["a"] * n for n in range(3, 33) for _ in range(2)]
    splits = ["train"] * 20 + ["dev", "test"] * 30
    names = [str(k) for k in range(len(sentences))]
    rows = [["x"] * len(row) for row in sentences]
    words = word_task(sentences, rows, splits=splits, groups=names, name="made", labelling="x")
    (task,) = role_labels([words], schemes("ltr"), shortest=1, longest=40)
    (warning,) = ask(task, NONE, "wrong").warnings
    assert warning == (  # places 2 to 31, of texts of 3 to 32 words, one each in dev and in test
        "30 classes that the training split lacks, counted as wrong: '2' (30 in dev, 30 in test), "
        "'3' (29 in dev, 29 in test), '4' (28 in dev, 28 in test), and 27 more"
    )


def test_a_place_that_training_lacks_is_answered_with_the_commonest_class():
    tasks = corpus([["a", "b"]] * 2 + [["a", "b", "c"]] * 2, x=[list("xy")] * 2 + [list("yxy")] * 2)
    q = ask(tasks[1], NONE, "wrong")
    assert by_clue(q, places(tasks[1])).tolist() == majority(q).tolist()


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A run of a tiny model over the grammar, and how it was asked for."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        config = RolesProbeConfig(
            model=tiny("bert"),
            task=English(field=("pos", "head"), sentences=200),
            out="runs/x",
            schemes=("ltr", "previous:pos", "tree:parse", "bow"),
            shortest=5,
            longest=8,
            layers="0-1",
            penalties=(1e-2,),
            draws=1,
            truncation="truncate",
        )
        page = run_roles_probe(config)
    return home, config, page


def test_schemes_share_one_pass(finished):
    home, _, _ = finished
    record = json.loads((home / "runs" / "x" / "run.json").read_text())
    stores = [path for path in (home / "runs" / "store").iterdir() if path.is_dir()]
    assert len(stores) == 2  # of the model, and of its random weights
    assert [task["labelling"] for task in record["tasks"]] == [
        "ltr",
        "previous:pos",
        "tree:parse",
        "bow",
    ]
    rows = Results.load(home / "runs" / "x" / "results.jsonl")
    assert len({row.store for row in rows.where(method="probe", split="test")}) == 1


def test_bags_of_words_print_one_and_say_that_they_are_constant(finished):
    home, _, page = finished
    text = to_text(summarise([home / page.parent]))
    bow = text[text.index("BOW") :]
    n = (
        Results.load(home / page.parent / "results.jsonl")
        .one(task="english/bow", method="probe", split="test", metric="accuracy", layer="0")
        .n
    )
    line = f"1.000 at every layer: constant (n {n})"
    assert [row for row in bow.splitlines() if row[:1].isdigit()] == [line]
    assert "! constant: every unit of the training split is 'r_0'" in bow
    assert "constant" not in text[: text.index("BOW")]
    assert "position" in text
    shown = (home / page).read_text()
    assert "counted from both ends" in shown
    assert f"Test accuracy: {line}." in shown
    assert [f'id="task-{k}-curve"' in shown for k in range(4)] == [True, True, True, False]


def with_task(options):
    field = ("task", options, dataclasses.field(kw_only=True))
    return dataclasses.make_dataclass("Shape", [field], bases=(RolesProbeConfig,), frozen=True)


def test_the_saved_configuration_runs_again(finished, monkeypatch):
    home, config, page = finished
    monkeypatch.chdir(home)
    before = (page.parent / "results.jsonl").read_bytes()
    saved = fill(with_task(English), read_yaml("runs/x/config.yaml"), "config.yaml")
    assert dataclasses.asdict(saved) == dataclasses.asdict(config)
    record = json.loads((page.parent / "run.json").read_text())
    assert record["command"] == "probes roles probe --config runs/x/config.yaml"
    (page.parent / "results.jsonl").unlink()
    run_roles_probe(saved)
    assert (page.parent / "results.jsonl").read_bytes() == before


@pytest.mark.parametrize("name", ["roles-demo", "roles-ewt"])
def test_the_configurations_are_read_and_saved_and_read_again(name, tmp_path):
    path = ROOT / "configs" / f"{name}.yaml"
    given = read_yaml(path)
    shape = with_task(task_options(given["task"].pop("name")))
    config = fill(shape, given, str(path))
    for scheme in config.schemes:
        assert parse_scheme(scheme).name == scheme
    (tmp_path / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    again = fill(shape, read_yaml(tmp_path / "config.yaml"), "config.yaml")
    assert plain(again) == plain(config)


@pytest.mark.parametrize("names", [(), ("ltr", "ltr")])
def test_schemes_that_are_none_or_stand_twice_are_refused(names):
    with pytest.raises(InputError, match=r"no role scheme|'ltr' stands twice"):
        RolesProbeConfig(model="m", task=English(), out="o", schemes=names)


def test_a_scheme_that_is_unknown_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = RolesProbeConfig(model="m", task=English(), out="o", schemes=("lrt",))
    with pytest.raises(InputError, match="unknown role scheme 'lrt'"):
        run_roles_probe(config)
    assert not list(tmp_path.iterdir())


def test_the_six_schemes_label_the_digits_of_a_corpus(tmp_path):
    draw = np.random.default_rng(2)
    digits = [[str(d) for d in draw.integers(10, size=draw.integers(1, 7))] for _ in range(200)]
    tasks = corpus(digits, digit=digits)[1:]
    found = role_labels(tasks, [s for s in SIX if s.name != "tree"], shortest=1, longest=6)
    assert [
        len(set(task.labels)) <= most for task, most in zip(found, (6, 6, 21, 121, 1), strict=True)
    ]
    (tree,) = role_labels(tasks, schemes("tree:digits"), shortest=1, longest=6)
    for row, labels in zip(digits, by_text(tree), strict=True):
        assert len(set(labels)) == len(row)
        assert sum(2.0 ** -len(path) for path in labels) == (1 if len(row) > 1 else 0.5)
