"""Raw text from the command: its words by spaCy, and spans by the words in them."""

import json

import pyarrow.parquet as pq
import pytest

from commands import QUICK, run
from probes.results import Results

COMMAND = ["probe", "--task.name", "table", "--layers", "0-1", *QUICK]
TAGS = {"she": "pron", "did": "verb", "n't": "part", "see": "verb", ".": "punct"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with the same sentences raw and divided by white space."""
    monkeypatch.chdir(tmp_path)
    for name, sentence in (("raw", "she didn't see w{}."), ("divided", "she did n't see w{} .")):
        rows = [f"{sentence.format(k)},pron verb part verb {'ab'[k % 2]} punct" for k in range(60)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,tag", *rows]), encoding="utf-8")
    return tmp_path


def figures(folder):
    rows = Results.load(folder / "results.jsonl").where(method="probe", split="test")
    return {(row.layer, row.metric): (row.value, row.low, row.high, row.n) for row in rows}


def test_raw_text_is_probed_word_by_word(home, tiny):
    words = ["--model", tiny("bert"), "--task.unit", "word", "--task.label", "tag"]
    raw = run(*COMMAND, *words, "--task.path", "raw.csv", "--task.language", "en", "--out", "raw")
    assert raw.code == 0, raw.err
    record = json.loads((home / "raw" / "run.json").read_text())
    assert "words found in the raw text by spaCy " in str(record["tasks"][0]["notes"])
    found = pq.read_table(home / "raw" / "predictions.parquet").to_pylist()
    assert {row["text"]: row["gold"] for row in found if row["text"] in TAGS} == TAGS
    rows = Results.load(home / "raw" / "results.jsonl")
    assert all("spaCy" in row.task_version for row in rows)
    test = rows.where(method="probe", split="test", metric="accuracy")
    assert [(row.n, row.n_asked, row.n_lost) for row in test] == [(36, 36, 0)] * 2


def test_a_text_divided_by_white_space_has_the_results_of_its_words(home, tiny):
    words = ["--model", tiny("bert"), "--task.unit", "word", "--task.label", "tag"]
    words += ["--task.path", "divided.csv"]
    for name, option in (("one", "--task.words text"), ("two", "--task.language en")):
        done = run(*COMMAND, *words, *option.split(), "--out", name)
        assert done.code == 0, done.err
    assert figures(home / "one") == figures(home / "two")


def test_spans_by_their_words_have_the_results_of_their_offsets(home, tiny):
    rows = [
        f"one bone {k} One,{w},{n},{s},{s + len(w)},{'xy'[len(w) % 2]}"
        for k in range(10, 50)
        for w, n, s in (("one", 1, 0), (str(k), 1, 9), ("One", 1, 12), ("bone", 1, 4))
    ]
    (home / "s.csv").write_text("\n".join(["text,w,n,start,end,label", *rows]), encoding="utf-8")
    spans = ["--model", tiny("bert"), "--task.unit", "span", "--task.path", "s.csv"]
    for name, option in (("one", ""), ("two", "--task.span w --task.nth n")):
        done = run(*COMMAND, *spans, *option.split(), "--out", name)
        assert done.code == 0, done.err
    assert figures(home / "one") == figures(home / "two")


def test_labels_that_do_not_fit_the_words_are_one_message_with_the_words(home, tiny):
    words = ["--model", tiny("bert"), "--task.unit", "word", "--task.label", "tag"]
    done = run(*COMMAND, *words, "--task.path", "raw.csv", "--task.language", "xx", "--out", "x")
    assert done.code == 2
    assert "raw.csv, line 2: 5 words and 6 labels in column 'tag'" in done.err
    assert "she | didn't | see | w0 | ." in done.err
    assert not (home / "x").exists()


def test_a_language_that_is_unknown_is_one_message(home, tiny):
    words = ["--model", tiny("bert"), "--task.unit", "word", "--task.path", "raw.csv"]
    done = run(*COMMAND, *words, "--task.language", "english", "--out", "x")
    assert done.code == 2
    assert "unknown language 'english'" in done.err
    assert "installed spaCy pipeline" in done.err
    assert "--task.language" in run("tasks", "table").out
