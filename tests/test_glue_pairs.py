"""Pairs of GLUE and SuperGLUE: every published form, and no text in both train and dev."""

import json
from collections import Counter

import pytest

from probes.errors import InputError
from probes.registry import load_task

# Columns of the texts, of the label, of more; labels as the files have them; classes.
TSV = {
    "rte": (("sentence1", "sentence2"), "label", ("entailment", "not_entailment"), None),
    "qnli": (("question", "sentence"), "label", ("entailment", "not_entailment"), None),
    "wnli": (("sentence1", "sentence2"), "label", ("0", "1"), ["entailment", "not_entailment"]),
    "mrpc": (("#1 String", "#2 String"), "Quality", ("0", "1"), ["equivalent", "not_equivalent"]),
}
JSONL = {
    "rte": (("premise", "hypothesis"), ("entailment", "not_entailment")),
    "cb": (("premise", "hypothesis"), ("entailment", "contradiction", "neutral")),
    "boolq": (("question", "passage"), (False, True)),
}


def rows_of(n, first=0):
    """Pairs of which each three have the first text in common, and none the second."""
    return [(f"premise {(first + k) // 3} .", f"claim {first + k} .") for k in range(n)]


def write_tsv(folder, subset):
    texts, label, labels, _ = TSV[subset]
    for name, n, first in (("train", 60, 0), ("dev", 12, 300)):
        lines = ["\t".join(["index", *texts, label])]
        for k, pair in enumerate(rows_of(n, first)):
            lines.append("\t".join([str(k), *pair, labels[k % 2]]))
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def write_jsonl(folder, columns, labels, more=lambda k: {}):
    for name, n, first in (("train", 60, 0), ("val", 12, 300)):
        lines = [
            json.dumps(
                dict(zip(columns, pair, strict=True))
                | {"idx": k, "label": labels[k % len(labels)]}
                | more(first + k)
            )
            for k, pair in enumerate(rows_of(n, first))
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def require_whole(task, subset):
    assert task.unit == "sentence-pair" and task.labelling == subset
    assert Counter(task.splits.tolist()) == {"train": 54, "dev": 6, "test": 12}
    read = {(a, b) for a, b in zip(task.texts, task.seconds, strict=True)}
    assert read == {*rows_of(60), *rows_of(12, 300)}
    held = {
        s: {t for t, u in zip(task.texts, task.splits, strict=True) if u == s}
        for s in ["train", "dev"]
    }
    assert not held["train"] & held["dev"]
    assert len({*task.groups}) == 20 + 4 and task.group_kind == "shared text"
    assert "pairs that share one are not divided" in task.notes[0]


@pytest.mark.parametrize("subset", TSV)
def test_the_published_tables_are_pairs(tmp_path, subset):
    write_tsv(tmp_path, subset)
    task = load_task("glue", path=str(tmp_path), subset=subset)
    require_whole(task, subset)
    *_, labels, classes = TSV[subset]
    assert task.classes == (classes or sorted(labels))
    at = list(zip(task.texts, task.seconds, strict=True)).index(("premise 0 .", "claim 0 ."))
    expected = {"wnli": "not_entailment", "mrpc": "not_equivalent"}.get(subset, "entailment")
    assert task.labels[at] == expected


@pytest.mark.parametrize("subset", JSONL)
def test_the_published_lines_of_json_are_pairs(tmp_path, subset):
    write_jsonl(tmp_path, *JSONL[subset])
    task = load_task("glue", path=str(tmp_path), subset=subset)
    require_whole(task, subset)
    assert task.classes == sorted(map(str, JSONL[subset][1]))


@pytest.mark.parametrize(
    ("subset", "columns", "classes"),
    [
        ("rte", ("sentence1", "sentence2"), ("entailment", "not_entailment")),
        ("rte", ("premise", "hypothesis"), ("entailment", "not_entailment")),
        ("mrpc", ("sentence1", "sentence2"), ("not_equivalent", "equivalent")),
        ("boolq", ("question", "passage"), ("False", "True")),
    ],
)
def test_a_saved_data_set_of_pairs_reads_as_the_hubs(tmp_path, subset, columns, classes):
    import datasets

    text = datasets.Value("string")
    features = datasets.Features(
        {name: text for name in columns} | {"label": datasets.ClassLabel(names=list(classes))}
    )

    def part(n, first):
        rows = [
            dict(zip(columns, pair, strict=True)) | {"label": k % 2}
            for k, pair in enumerate(rows_of(n, first))
        ]
        return datasets.Dataset.from_list(rows, features=features)

    parts = {"train": part(60, 0), "validation": part(12, 300)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path))
    task = load_task("glue", path=str(tmp_path), subset=subset)
    require_whole(task, subset)
    assert task.classes == sorted(classes)
    with pytest.raises(InputError, match=r"has the columns .*, not sentence, label; give SST-2"):
        load_task("glue", path=str(tmp_path), subset="sst2")


def test_wic_is_asked_in_one_text_and_cut_by_word(tmp_path):
    labels = (True, False)
    write_jsonl(
        tmp_path,
        ("sentence1", "sentence2"),
        labels,
        lambda k: {"word": f"word{k // 4}", "start1": 0},
    )
    task = load_task("glue", path=str(tmp_path), subset="wic")
    assert task.unit == "sentence" and task.classes == ["False", "True"]
    assert "premise 0 . claim 0 . Does word0 have the same meaning in both sentences?" in task.texts
    words = {s: set() for s in ("train", "dev", "test")}
    for text, split in zip(task.texts, task.splits.tolist(), strict=True):
        words[split].add(text.split(" Does ")[1].split()[0])
    assert not words["train"] & words["dev"] and len(words["dev"]) > 0
    assert task.notes[0].startswith("dev cut from train by word")
    assert task.notes[1].startswith("each item is one text: {sentence1} {sentence2} Does {word}")


def test_pairs_tied_by_either_text_are_one_group_and_those_known_in_train_are_counted(tmp_path):
    write_tsv(tmp_path, "mrpc")
    with open(tmp_path / "train.tsv", "a") as file:  # ties the first two premises, in another case
        file.write("60\tClaim 0 .\tPREMISE 1 .\t1\n")
    with open(tmp_path / "dev.tsv", "a") as file:
        file.write("12\tpremise 1 .\tsomething new .\t1\n12\tsomething else .\tclaim 0 .\t0\n")
    task = load_task("glue", path=str(tmp_path), subset="mrpc")
    of = {
        text: group
        for text, group, split in zip(task.texts, task.groups, task.splits, strict=True)
        if split != "test"
    }
    assert of["premise 0 ."] == of["premise 1 ."] == of["Claim 0 ."] != of["premise 2 ."]
    train = {t.casefold() for t, s in zip(task.texts, task.splits, strict=True) if s == "train"}
    assert {"premise 1 .", "claim 0 ."} <= train
    assert task.counts["known_first_texts"] == task.counts["known_second_texts"] == 1
    assert task.counts["known_first_texts_dev"] == 0 and task.counts["duplicates"] == 0
    assert "of 1 of 14 test pairs the second text also stands in a pair of train" in task.notes


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("60\ta\tb\tmaybe\n", r"line 62: the label is 'maybe'; expected 0 or 1 \(entailment, not"),
        ("60\ta\t \tentailment\n", "line 62: the sentence2 is ' '; expected a text"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path, line, words):
    write_tsv(tmp_path, "rte")
    with open(tmp_path / "train.tsv", "a") as file:
        file.write(line)
    with pytest.raises(InputError, match=words):
        load_task("glue", path=str(tmp_path), subset="rte")


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"holds no train\.tsv and no train\.jsonl"):
        load_task("glue", path=str(tmp_path), subset="rte")
    write_jsonl(tmp_path, *JSONL["cb"])
    (tmp_path / "val.jsonl").unlink()
    with pytest.raises(InputError, match=r"holds no val\.jsonl"):
        load_task("glue", path=str(tmp_path), subset="cb")
