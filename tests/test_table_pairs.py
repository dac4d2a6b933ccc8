"""Tables of pairs: both texts, groups by the first, and what is known in train told."""

from collections import Counter

import pytest

from probes.errors import InputError
from probes.registry import load_task, load_tasks


@pytest.fixture
def table(tmp_path):
    rows = [f"premise {k // 3},claim {k % 5},{'xy'[k % 2]},{k % 3}" for k in range(90)]
    (tmp_path / "a.csv").write_text("\n".join(["text,claim,label,more", *rows]) + "\n")
    return tmp_path / "a.csv"


def test_a_second_column_makes_pairs_that_are_cut_by_their_first_text(table):
    task = load_task("table", path=str(table), text2="claim")
    assert task.unit == "sentence-pair" and task.group_kind == "first text"
    rows = {(f"premise {k // 3}", f"claim {k % 5}") for k in range(90)}
    assert set(zip(task.texts, task.seconds, strict=True)) == rows and task.n_units == 90
    assert Counter(task.splits.tolist()) == {"train": 72, "dev": 9, "test": 9}
    held = {split: set() for split in ("train", "dev", "test")}
    for text, split in zip(task.texts, task.splits.tolist(), strict=True):
        held[split].add(text)
    assert not (held["train"] & held["dev"] or held["train"] & held["test"])
    assert task.notes[0] == "dev and test cut from train by first text, seed 0"
    assert task.counts["known_first_texts"] == 0 and task.counts["known_second_texts"] == 9
    assert "of 9 of 9 test pairs the second text also stands in a pair of train" in task.notes


def test_labellings_share_the_pairs_and_a_limit_keeps_whole_groups(table):
    one, two = load_tasks(
        "table", path=str(table), text2="claim", label=("label", "more"), limit=30
    )
    assert one.texts == two.texts and one.seconds == two.seconds
    sizes = Counter(t for t, s in zip(one.texts, one.splits, strict=True) if s == "train")
    assert set(sizes.values()) == {3} and len(sizes) == 10


def test_the_second_text_stays_with_its_first_where_rows_are_reordered(table):
    text = table.read_text().splitlines()
    lines = [f"{row},{['test', 'dev', 'train'][k % 3]}" for k, row in enumerate(text[1:])]
    table.write_text("\n".join([f"{text[0]},split", *lines]) + "\n")
    task = load_task("table", path=str(table), text2="claim", split="split", label=("label",))
    of = {(f"premise {k // 3}", f"claim {k % 5}"): "xy"[k % 2] for k in range(90)}
    for pair, label in zip(zip(task.texts, task.seconds, strict=True), task.labels, strict=True):
        assert of[pair] == label
    assert task.counts["known_first_texts"] == 30  # each premise stands in all three
    assert task.splits.tolist() == ["train"] * 30 + ["dev"] * 30 + ["test"] * 30


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"text2": "clam"}, "'clam'.*nearest: 'claim'"),
        ({"text2": "claim", "unit": "span"}, "the units are not whole texts; drop text2"),
        ({"text2": "claim", "words": "text"}, "the units are not whole texts; drop text2"),
    ],
)
def test_what_cannot_be_used_is_named(table, options, words):
    with pytest.raises(InputError, match=words):
        load_task("table", path=str(table), **options)


def test_a_row_without_a_second_text_is_named(table):
    with open(table, "a") as file:
        file.write("premise, ,x,1\n")
    with pytest.raises(InputError, match=r"line 92: column 'claim' holds ' '; expected a text"):
        load_task("table", path=str(table), text2="claim")
