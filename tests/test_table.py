"""Tables: what a row says is what is asked, and a row that does not fit is named."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probes_tasks.table import Table

from probes.errors import InputError
from written import load, same, write

ROOT = Path(__file__).parents[1]
COLA = (ROOT / os.environ.get("LAYERPROBES_DATA", "../shared/data")).resolve() / "cola"

TEXTS = [{"text": f"sentence {k}", "label": "ab"[k % 2], "score": k / 7} for k in range(40)]


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet"])
def test_one_table_in_any_format_is_one_task(tmp_path: Path, suffix: str) -> None:
    csv = load(write(tmp_path / "a.csv", TEXTS))
    assert same(csv, load(write(tmp_path / f"a.{suffix}", TEXTS)))
    assert (csv.unit, csv.kind, csv.title, csv.source) == ("sentence", "class", "a", "a.csv")
    assert csv.surfaces == list(csv.texts)


def test_a_saved_folder_is_read_with_its_splits_and_class_names(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )

    def part(name: str, hidden: bool = False) -> Any:
        rows = [{"text": f"{name} {k}", "label": -1 if hidden else k % 2} for k in range(9)]
        return datasets.Dataset.from_list(rows, features=features)

    whole = datasets.DatasetDict(
        {
            "train": part("train"),
            "validation": part("dev"),
            "test": part("test", hidden=True),
            "unsupervised": part("none", hidden=True),
        }
    )
    whole.save_to_disk(str(tmp_path / "saved"))
    task = load(str(tmp_path / "saved"))
    assert task.classes == ["no", "yes"]
    assert {text.split()[0] for text in np.array(task.texts)[task.splits == "dev"]} == {"dev"}
    assert {text.split()[0] for text in task.texts} == {"train", "dev"}
    assert task.counts["left_out"] == 18
    assert "test cut from train by text, seed 0" in task.notes
    assert "split test left out (9 rows): its labels are hidden" in task.notes
    whole["train"].save_to_disk(str(tmp_path / "single"))
    assert load(str(tmp_path / "single")).n_units == 9


def test_several_label_columns_are_labellings_of_one_corpus(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{**row, "other": row["label"] * 2} for row in TEXTS])
    one, two = Table(path, label=("label", "other")).load()
    assert (one.labelling, two.labelling) == ("label", "other")
    assert [label * 2 for label in one.labels] == two.labels.tolist()
    score = load(path, label=("score",), kind="real")
    assert score.labels.dtype == np.float64


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_words_and_their_labels_are_a_word_task(tmp_path: Path, suffix: str) -> None:
    rows: list[dict[str, Any]] = [
        {"w": ["NA", "null", f"w{k}"], "t": ["X", "Y", "Z"]} for k in range(20)
    ]
    if suffix == "csv":
        rows = [{name: " ".join(items) for name, items in row.items()} for row in rows]
    task = load(write(tmp_path / f"a.{suffix}", rows), unit="word", words="w", label=("t",))
    assert task.surfaces[:2] == ["NA", "null"]
    assert task.labels.tolist() == ["X", "Y", "Z"] * 20


def test_a_null_among_the_labels_of_words_is_not_asked(tmp_path: Path) -> None:
    rows = [{"w": ["a", f"w{k}"], "t": [None, "XY"[k % 2]]} for k in range(20)]
    task = load(write(tmp_path / "a.jsonl", rows), unit="word", words="w", label=("t",))
    assert task.asked.tolist() == [False, True] * 20


def test_spans_count_characters_of_a_text_or_words_of_words(tmp_path: Path) -> None:
    rows = [
        {"text": f"the cat{k} sat", "start": 4, "end": 7 + len(str(k)), "label": "ab"[k % 2]}
        for k in range(20)
    ]
    by_text = load(write(tmp_path / "a.csv", rows), unit="span")
    assert all(surface.startswith("cat") for surface in by_text.surfaces)
    rows = [
        {**row, "text": str(row["text"]).replace("cat", "cat ").split(), "start": 1, "end": 3}
        for row in rows
    ]
    by_word = load(write(tmp_path / "a.jsonl", rows), unit="span", words="text")
    assert [s.replace(" ", "") for s in by_word.surfaces] == by_text.surfaces


def test_pairs_are_two_spans_of_a_text_and_rows_about_one_text_share_it(tmp_path: Path) -> None:
    bounds = [(0, 1, 2, 3), (2, 3, 4, 5)]
    rows = [
        {"text": f"a b c{k}", "start": s, "end": e, "start2": s2, "end2": e2, "label": "xy"[i]}
        for i, (s, e, s2, e2) in enumerate(bounds)
        for k in range(20)
    ]
    task = load(write(tmp_path / "a.tsv", rows), unit="pair")
    assert task.surfaces == ["a\tb", "b\tc"] * 20
    assert (task.n_units, len(task.texts)) == (40, 20)


def test_a_split_column_is_understood_by_the_usual_names(tmp_path: Path) -> None:
    names = ["train", "Train", "validation", "valid", "dev", "test"]
    rows = [{**row, "fold": names[k % 6]} for k, row in enumerate(TEXTS)]
    task = load(write(tmp_path / "a.csv", rows), split="fold")
    wanted = {"t": "train", "T": "train", "v": "dev", "d": "dev"}
    by_text = dict(zip(task.texts, task.splits.tolist(), strict=True))
    for row in rows:
        fold = str(row["fold"])
        assert by_text[str(row["text"])] == ("test" if fold == "test" else wanted[fold[0]])


def test_separate_files_are_splits(tmp_path: Path) -> None:
    train, dev, test = (
        write(tmp_path / f"{name}.csv", [{**row, "text": f"{name} {row['text']}"} for row in TEXTS])
        for name in ("train", "dev", "test")
    )
    task = load(train, dev=dev, test=test)
    assert all(text.startswith(split) for text, split in zip(task.texts, task.splits, strict=True))
    assert task.source == "train.csv, dev.csv, test.csv"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=40), st.integers(0, 9))
def test_a_cut_never_divides_a_group(tmp_path_factory, groups, seed) -> None:
    rows = [
        {"text": f"text {k}", "label": "ab"[k % 2], "doc": f"d{g}"} for k, g in enumerate(groups)
    ]
    path = write(tmp_path_factory.mktemp("t") / "a.csv", rows)
    try:
        task = load(path, group="doc", seed=seed)
    except InputError as error:
        assert "constant" in str(error) or "finer groups" in str(error)
        return
    assert task.group_kind == "doc"
    assert len(set(zip(task.groups, task.splits, strict=True))) == len(set(groups))


def test_a_group_that_a_split_column_divides_is_refused(tmp_path: Path) -> None:
    rows = [
        {**row, "fold": ["train", "dev", "test"][k % 3], "doc": "d"} for k, row in enumerate(TEXTS)
    ]
    with pytest.raises(InputError, match="doc 'd' stands in split"):
        load(write(tmp_path / "a.csv", rows), split="fold", group="doc")


def test_a_limit_leaves_dev_and_test_whole_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", TEXTS)
    whole, some = load(path), load(path, limit=10)
    assert (some.splits == "train").sum() == 10
    assert some.counts["left_out"] == 22
    for split in ("dev", "test"):
        assert (some.splits == split).sum() == (whole.splits == split).sum() == 4


def test_quotes_and_words_that_look_like_nothing_are_kept(tmp_path: Path) -> None:
    odd = ['"', 'a "b', "NA", "null", "None", "nan", "01", "True"]
    rows = [{"text": f"{word} {k}", "label": word} for k in range(3) for word in odd]
    task = load(write(tmp_path / "a.tsv", rows))
    assert sorted(task.texts) == sorted(str(row["text"]) for row in rows)
    assert set(task.classes) == set(odd)


def test_a_quoted_cell_may_hold_a_comma_and_a_new_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f'"a, ""b""\nc{k}",{k % 2}\n\n' for k in range(20)))
    task = load(str(path))
    assert 'a, "b"\nc0' in task.texts
    path.write_text(path.read_text() + "x,\n")
    with pytest.raises(InputError, match="line 62: column 'label' is empty"):
        load(str(path))


BAD: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a.csv is empty": ("a.csv", "", {}),
    "a.csv has no rows": ("a.csv", "text,label\n", {}),
    "a.csv, line 2: byte 11 .0xff. is not UTF-8": ("a.csv", "text,label\n\xff,a\n", {}),
    "a.csv, line 3: 1 columns, expected 2": ("a.csv", "text,label\nx,a\ny\n", {}),
    "a.csv, line 2: 3 columns, .* name the columns": ("a.csv", "text,label\nx,a,b\n", {}),
    "a.csv, line 2: .*mend the quotes": ("a.csv", 'text,label\n"x,a\ny,b\n', {}),
    "two columns have one name": ("a.csv", "text,text\nx,a\n", {}),
    "unknown column .*'label'.*known: lable, text": ("a.csv", "text,lable\nx,a\n", {}),
    "read as its header": ("a.tsv", "x\ta\n", {}),
    "a.csv, line 3: column 'label' is empty": ("a.csv", "text,label\nx,a\ny,\n", {}),
    "a.csv, line 2: column 'text' is empty": ("a.csv", "text,label\n,a\n", {}),
    "a.jsonl, line 2 is not JSON": ("a.jsonl", '{"text": "x", "label": 1}\n{"text":\n', {}),
    "a.jsonl, line 1 is null": ("a.jsonl", "null\n{}\n", {}),  # pyarrow would end the process
    "a.json, row 2 is null": ("a.json", '[{"text": "x"}, null]', {}),
    "a.jsonl: 100,001 brackets are open": ("a.jsonl", '{"text":' + "[" * 100_000, {}),
    "a.jsonl, line 3: column 'label' is empty": (
        "a.jsonl",
        '{"text": "x", "label": 1}\n\n{"text": "y"}\n',
        {},
    ),
    "a.parquet cannot be read: .*[Pp]arquet": ("a.parquet", "nonsense", {}),
    "unknown kind of table file '.xls'": ("a.xls", "x", {}),
    "labelling 'label' of .* is constant: all 3 labels": (
        "a.csv",
        "text,label\n" + "".join(f"x{k},a\n" for k in range(5)),
        {},
    ),
    "labelling 'label' of .* is constant: all 3 labels .* are 1.0": (
        "a.csv",
        "text,label\n" + "".join(f"x{k},1\n" for k in range(5)),
        {"kind": "real"},
    ),
    "line 2: column 'label' holds 'a'; a real-valued": (
        "a.csv",
        "text,label\nx,a\n",
        {"kind": "real"},
    ),
    "line 2: columns 'start' and 'end' span characters 0 to 9 of 3": (
        "a.csv",
        "text,label,start,end\nabc,x,0,9\n",
        {"unit": "span"},
    ),
    "line 2: column 'start' holds 'z'; expected a whole number": (
        "a.csv",
        "text,label,start,end\nabc,x,z,9\n",
        {"unit": "span"},
    ),
    "line 2: 2 words and 3 labels": (
        "a.csv",
        "text,label\na b,x y z\n",
        {"unit": "word", "words": "text"},
    ),
    "a word task needs the column of words": ("a.csv", "text,label\na,b\n", {"unit": "word"}),
    "unknown unit of a table 'wrod' .nearest: 'word'": ("a.csv", "a,b\n", {"unit": "wrod"}),
    "unknown split in column 'label' of .*line 2 'trian' .nearest: 'train'": (
        "a.csv",
        "text,label\na,trian\n",
        {"split": "label"},
    ),
    "columns are named for .*a.jsonl": ("a.jsonl", "{}\n", {"columns": ("text",)}),
    "1 group.s. cannot be cut": ("a.csv", "text,label\na,b\na,c\n", {}),
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_table_is_one_message_with_its_place(tmp_path: Path, message: str) -> None:
    name, text, options = BAD[message]
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message) as caught:
        load(str(path), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.parquet", "a.json"])
def test_a_table_without_rows_says_so(tmp_path: Path, name: str) -> None:
    import datasets

    path = tmp_path / name
    if name == "a.json":
        path.write_text("[]")
    else:
        datasets.Dataset.from_dict({"text": [], "label": []}).to_parquet(str(path))
    with pytest.raises(InputError, match="has no rows"):
        Table(str(path)).load()


@pytest.mark.parametrize("path", ["nowhere.csv", "./no/such/folder", "a/b/c"])
def test_a_path_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(InputError, match=f"there is no file or folder {path}"):
        Table(path).load()


def test_a_hub_id_without_a_network_is_one_message() -> None:
    code = (
        "from probes_tasks.table import Table; from probes.errors import InputError\n"
        "try: Table('someone/something').load()\n"
        "except InputError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.stderr == ""
    assert done.stdout.startswith("someone/something cannot be read: ")
    assert "check id and network" in done.stdout


def test_a_local_table_leaves_nothing_in_the_users_cache(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", TEXTS)
    home = tmp_path / "home"
    code = f"from probes_tasks.table import Table; Table({path!r}).load()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(home), "HOME": str(home)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not home.exists() or not [p for p in home.rglob("*") if p.is_file()]


@pytest.mark.skipif(not COLA.is_dir(), reason="CoLA is not there")
def test_cola_has_its_known_sizes() -> None:
    paths = [str(COLA / f"{n}.tsv") for n in ("in_domain_train", "in_domain_dev")]
    columns = ("source", "label", "mark", "text")
    task = load(paths[0], dev=paths[1], test=str(COLA / "out_of_domain_dev.tsv"), columns=columns)
    sizes = [int((task.splits == split).sum()) for split in ("train", "dev", "test")]
    assert sizes == [8551, 527, 516]
    assert task.classes == ["0", "1"]
    assert task.counts["duplicates"] == 12
    by_source = load(paths[0], columns=columns, group="source")
    assert len(set(zip(by_source.groups, by_source.splits, strict=True))) == 17
