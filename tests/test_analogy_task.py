"""Our own set of analogies: its words, its splits, and tasks that are sets of questions."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from probes_tasks.analogies import Analogies, read_pairs, split_pairs

from conftest import ROOT
from probes.analogy.formats import read_set
from probes.analogy.questions import set_of_task
from probes.errors import InputError
from probes.task import SPLITS, sentence_task
from question_sets import pairs_of, same

SHARED = {
    "animal-sound",
    "animal-young",
    "author-language",
    "country-currency",
    "country-language",
    "person-profession",
    "thing-class",
}
"""The relations of our own set in which several sources have one target."""


def test_our_own_set_has_enough_relations_of_every_category():
    pairs = Counter((category, name) for category, name, _, _ in read_pairs())
    assert len(pairs) >= 30
    assert min(pairs.values()) >= 30
    assert Counter(category for category, _ in pairs) == {
        "inflection": 10,
        "derivation": 14,
        "lexical": 12,
        "encyclopaedic": 9,
    }


def test_our_own_words_are_single_lower_case_and_distinct_within_a_relation():
    rows = read_pairs()
    for _, name, source, target in rows:
        for word in (source, target):
            assert word.isascii() and word.isalpha() and word.islower(), (name, word)
        assert source != target, name
    sources = Counter((name, source) for _, name, source, _ in rows)
    assert max(sources.values()) == 1, sources.most_common(3)


def test_the_relations_in_which_sources_share_a_target_are_named():
    (task,) = Analogies().load()
    found = {relation.name for relation in set_of_task(task).relations if relation.shares_targets}
    assert found == SHARED
    noted = task.notes[0].removeprefix("targets that several sources share: ").split(", ")
    assert {note.partition(" ")[0] for note in noted} == SHARED
    assert Analogies(categories=("inflection",)).load()[0].notes == ()


def test_our_own_set_and_its_task_and_its_file_are_one():
    (task,) = Analogies().load()
    found = set_of_task(task)
    assert same(found, read_set(ROOT / "tasks" / "analogies.tsv"))
    assert (task.name, task.labelling, task.unit, task.licence) == (
        *("analogies", "relation", "pair", "MIT"),
    )
    assert (found.name, found.licence, found.citation) == ("analogies", "MIT", task.citation)
    assert task.surfaces[0] == "car\tcars"
    assert task.texts[0] == "car cars"
    assert task.labels[0] == "inflection/noun-plural"


def test_a_category_of_our_own_set_can_be_chosen():
    (task,) = Analogies(categories=("lexical", "inflection")).load()
    assert {label.partition("/")[0] for label in task.labels} == {"inflection", "lexical"}
    (whole,) = Analogies().load()
    kept = [label for label in whole.labels if label in set(task.labels)]
    assert list(task.labels) == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categories": ("lexcal",)}, "unknown category of analogies 'lexcal' .nearest: 'lexical'"),
        ({"categories": ("lexical", "lexical")}, "'lexical' is given 2 times"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Analogies(**options).load()


@pytest.mark.parametrize("seed", range(3))
def test_every_relation_is_in_every_split_and_no_source_in_two(seed):
    (task,) = Analogies(seed=seed).load()
    of_source: dict[str, set[str]] = {}
    for group, split in zip(task.groups, task.splits, strict=True):
        of_source.setdefault(group, set()).add(split)
    assert max(map(len, of_source.values())) == 1
    assert all(text.startswith(f"{g} ") for text, g in zip(task.texts, task.groups, strict=True))
    held = Counter(zip(task.labels, task.splits, strict=True))
    for label, n in Counter(task.labels).items():
        shares = [held[label, split] / n for split in SPLITS]
        assert np.abs(np.array(shares) - [0.8, 0.1, 0.1]).max() < 0.1, (label, shares)


def test_the_seed_alone_decides_the_splits():
    rows = [(f"r{k % 3}", f"s{k}") for k in range(90)]
    names, sources = zip(*rows, strict=True)
    first = split_pairs(names, sources, 0)
    assert first == split_pairs(names, sources, 0)
    assert first != split_pairs(names, sources, 1)
    assert Counter(first) == {"train": 72, "dev": 9, "test": 9}


def test_a_task_of_ones_own_is_a_set_too():
    (task,) = Analogies(categories=("inflection",)).load()
    labels = task.labels.copy()
    labels[:] = None
    labels[:3] = ["plural", "plural", "x/y/z"]
    labels[3] = "x/y/z"
    found = set_of_task(task.relabel("mine", labels))
    assert [(r.name, r.category) for r in found.relations] == [("plural", ""), ("y/z", "x")]
    assert pairs_of(found.relations[0]) == [("car", ("cars",)), ("dog", ("dogs",))]
    several = dataclasses.replace(
        task,
        texts=("car cars", "car autos", "dog dogs"),
        text_index=np.arange(3),
        spans=np.array([[0, 3, 4, 8], [0, 3, 4, 9], [0, 3, 4, 8]]),
        labels=labels[[0, 0, 0]],
        splits=np.array(["train"] * 3),
        groups=np.array(["car", "car", "dog"]),
    )
    found = set_of_task(several)
    assert pairs_of(found.relations[0]) == [("car", ("cars", "autos")), ("dog", ("dogs",))]
    assert found.n_questions == 2


def test_a_task_that_is_no_set_of_pairs_is_refused():
    other = sentence_task(["a b"], ["x"], splits=["train"], name="s", labelling="l")
    with pytest.raises(InputError, match=r"labelling 'l': unit 'sentence'.*pairs of spans"):
        set_of_task(other)
    (task,) = Analogies(categories=("inflection",)).load()
    labels = task.labels.copy()
    labels[1:] = None
    with pytest.raises(InputError, match=r"relation 'noun-plural' has 1 pair\(s\)"):
        set_of_task(task.relabel("mine", labels))
