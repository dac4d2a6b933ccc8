"""GLUE's sentences: the published files, dev cut from train, and what is out of domain."""

from collections import Counter

import pytest

from probes.errors import InputError
from probes.registry import load_task, load_tasks


def lines(n, source="x-1", first=0):
    return "".join(
        f"{source}\t{k % 2}\t{'' if k % 2 else '*'}\tsentence number {first + k} .\n"
        for k in range(n)
    )


@pytest.fixture
def cola(tmp_path):
    (tmp_path / "in_domain_train.tsv").write_text(lines(40))
    (tmp_path / "in_domain_dev.tsv").write_text(lines(10, first=100))
    (tmp_path / "out_of_domain_dev.tsv").write_text(lines(8, "y-1", first=200))
    return tmp_path


def by_split(task):
    return {
        split: [t for t, s in zip(task.texts, task.splits, strict=True) if s == split]
        for split in ("train", "dev", "test")
    }


def test_the_published_dev_is_test_and_dev_is_cut_from_train(cola):
    task = load_task("glue", path=str(cola))
    parts = by_split(task)
    assert [len(parts[s]) for s in ("train", "dev", "test")] == [36, 4, 10]
    assert sorted(parts["train"] + parts["dev"]) == sorted(
        f"sentence number {k} ." for k in range(40)
    )
    assert parts["test"][0] == "sentence number 100 ."
    assert task.classes == ["acceptable", "unacceptable"] and task.title == "CoLA"
    assert task.labels[task.texts.index("sentence number 7 .")] == "acceptable"
    other = by_split(load_task("glue", path=str(cola), seed=1))
    assert other["dev"] != parts["dev"] and other["test"] == parts["test"]


def test_out_of_domain_is_a_second_task_with_the_same_train_and_dev(cola):
    inside, outside = load_tasks("glue", path=str(cola), ood=True)
    a, b = by_split(inside), by_split(outside)
    assert a["train"] == b["train"] and a["dev"] == b["dev"]
    assert b["test"] == [f"sentence number {200 + k} ." for k in range(8)]
    assert outside.title == "CoLA, out of domain"


def test_a_limit_keeps_dev_and_test_whole(cola):
    task = load_task("glue", path=str(cola), limit=12)
    assert Counter(task.splits.tolist()) == {"train": 12, "dev": 4, "test": 10}
    assert task.counts["left_out"] == 24


def test_sst2_has_a_header(tmp_path):
    rows = "".join(f"a fine film {k}\t{k % 2}\n" for k in range(30))
    for name in ("train", "dev"):
        (tmp_path / f"{name}.tsv").write_text(f"sentence\tlabel\n{rows}")
    task = load_task("glue", path=str(tmp_path), subset="sst2")
    assert task.classes == ["negative", "positive"]
    assert task.counts["duplicates"] == 27  # all but those that were cut for dev
    with pytest.raises(InputError, match="SST-2 has no sentences out of domain"):
        load_tasks("glue", path=str(tmp_path), subset="sst2", ood=True)


def test_a_saved_data_set_reads_as_the_hubs(tmp_path):
    import datasets

    classes = datasets.ClassLabel(names=["unacceptable", "acceptable"])
    features = datasets.Features({"sentence": datasets.Value("string"), "label": classes})

    def part(n, first, hidden=False):
        rows = [{"sentence": f"s {first + k}", "label": -1 if hidden else k % 2} for k in range(n)]
        return datasets.Dataset.from_list(rows, features=features)

    parts = {"train": part(30, 0), "validation": part(6, 50), "test": part(6, 70, hidden=True)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path))
    task = load_task("glue", path=str(tmp_path))
    assert Counter(task.splits.tolist()) == {"train": 27, "dev": 3, "test": 6}
    assert task.classes == ["acceptable", "unacceptable"]
    with pytest.raises(InputError, match=r"give the folder with the published file out_of"):
        load_tasks("glue", path=str(tmp_path), ood=True)


@pytest.mark.parametrize(
    ("line", "words"),
    [("x\t2\t\ta b\n", "line 41: the label is '2'; expected 0 or 1"), ("x\t1\t\t \n", "line 41")],
)
def test_a_row_that_is_none_is_named(cola, line, words):
    with open(cola / "in_domain_train.tsv", "a") as file:
        file.write(line)
    with pytest.raises(InputError, match=words):
        load_task("glue", path=str(cola))


def test_what_is_not_there_is_named(tmp_path, cola):
    (cola / "out_of_domain_dev.tsv").unlink()
    with pytest.raises(InputError, match=r"holds no out_of_domain_dev\.tsv"):
        load_tasks("glue", path=str(cola), ood=True)
    (cola / "in_domain_dev.tsv").unlink()
    with pytest.raises(InputError, match=r"holds no in_domain_dev\.tsv and no dev\.tsv"):
        load_task("glue", path=str(cola))
    with pytest.raises(InputError, match=r"'cloa'.*nearest: 'cola'"):
        load_task("glue", path=str(cola), subset="cloa")


def test_cola_has_its_known_sizes(data):
    inside, outside = load_tasks("glue", path=str(data / "cola"), ood=True)
    sizes = Counter(inside.splits.tolist())
    assert sizes["train"] + sizes["dev"] == 8551 and sizes["test"] == 527
    assert Counter(outside.splits.tolist())["test"] == 516
