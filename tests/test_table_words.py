"""Tables of raw text: words by a language, spans by the words in them."""

from pathlib import Path
from typing import Any

import pytest

from probes.errors import InputError
from written import load, same, write


def test_a_language_finds_the_words_of_a_raw_text_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    import spacy

    rows = [
        {"text": f"  I don't\nsee {k}.", "t": [None, "a", "b", "a", "c", "d"]} for k in range(20)
    ]
    path = write(tmp_path / "a.jsonl", rows)
    task = load(path, unit="word", language="en", label=("t",))
    assert sorted(task.texts) == sorted(str(row["text"]) for row in rows)
    assert task.surfaces[:4] == ["I", "do", "n't", "see"]
    assert task.spans[:3].tolist() == [[2, 3], [4, 6], [6, 9]]
    assert task.labels.tolist() == rows[0]["t"] * 20
    by = f"spaCy {spacy.__version__}, en"
    assert task.version == f"1 ({by})"
    assert f"words found in the raw text by {by}" in task.notes


def test_words_that_white_space_divides_are_the_same_by_language(tmp_path: Path) -> None:
    rows = [{"w": f"she does n't see {k}", "t": "a b c d e"} for k in range(20)]
    path = write(tmp_path / "a.csv", rows)
    by_language = load(path, unit="word", text="w", language="en", label=("t",))
    assert same(by_language, load(path, unit="word", words="w", label=("t",)))


def test_spans_count_the_words_of_a_language(tmp_path: Path) -> None:
    rows = [
        {"text": f"it isn't  cat{k}.", "start": 1, "end": 4, "label": "ab"[k % 2]}
        for k in range(20)
    ]
    task = load(write(tmp_path / "a.csv", rows), unit="span", language="en")
    assert {surface[:9] for surface in task.surfaces} == {"isn't  ca"}


def test_a_span_may_be_named_by_its_words(tmp_path: Path) -> None:
    rows = [
        {"text": f"bone One cat{k} one", "w": w, "n": n, "start": s, "end": e, "label": "ab"[k % 2]}
        for k in range(10)
        for w, n, s, e in (("one", "", 14, 17), ("One", 1, 5, 8), (f"CAT{k} one", "", 9, 17))
    ]
    path = write(tmp_path / "a.csv", rows)
    by_bounds = load(path, unit="span")
    assert same(load(path, unit="span", span="w", nth="n"), by_bounds)
    assert same(load(path, unit="span", span="w"), by_bounds)
    assert len(by_bounds.texts) == 10
    clitics = [{**row, "text": f"don't {k}", "w": "n't"} for k, row in enumerate(rows)]
    task = load(write(tmp_path / "b.csv", clitics), unit="span", span="w", language="en")
    assert set(task.surfaces) == {"n't"}


def test_an_occurrence_that_is_not_given_is_the_only_one(tmp_path: Path) -> None:
    rows = [
        {"text": f"a {k} a b", "w": w, "n": n, "label": "xy"[k % 2]}
        for k in range(10)
        for w, n in (("a", 2), ("b", None))
    ]
    for suffix in ("jsonl", "parquet"):
        task = load(write(tmp_path / f"a.{suffix}", rows), unit="span", span="w", nth="n")
        assert task.spans[:2].tolist() == [[4, 5], [6, 7]]


@pytest.mark.parametrize("first", [{"span": "w", "nth": "n"}, {}])
@pytest.mark.parametrize("second", [{"span2": "v", "nth2": "m"}, {}])
def test_each_span_of_a_pair_may_be_named_by_its_words(tmp_path: Path, first, second) -> None:
    rows = [
        {
            **{"text": f"a b{k} a b{k}", "label": "xy"[k % 2]},
            **{"w": "a", "n": 1 + k % 2, "start": 5 * (k % 2), "end": 5 * (k % 2) + 1},
            **{"v": f"b{k}", "m": 2 - k % 2, "start2": 7 - 5 * (k % 2), "end2": 9 - 5 * (k % 2)},
        }
        for k in range(10)
    ]
    path = write(tmp_path / "a.csv", rows)
    assert same(load(path, unit="pair", **first, **second), load(path, unit="pair"))


BAD: dict[str, tuple[str, str, dict[str, Any]]] = {
    "line 2: 4 words and 3 labels in column 'label'; .*: It . is . n.t . \\.": (
        "a.csv",
        "text,label\nIt isn't.,x y z\n",
        {"unit": "word", "language": "en"},
    ),
    "unknown language 'eng_US'": ("a.csv", "", {"unit": "word", "language": "eng_US"}),
    "the words are in column 'text', so no language": (
        "a.csv",
        "",
        {"unit": "word", "words": "text", "language": "en"},
    ),
    "language finds words, and this task has none": ("a.csv", "", {"language": "en"}),
    "columns 'start' and 'end' span words 0 to 3 of 2": (
        "a.csv",
        "text,label,start,end\ndon't,x,0,3\n",
        {"unit": "span", "language": "en"},
    ),
    "line 2, column 'w': 'one' occurs 2 times in 'one, one'; say which by nth": (
        "a.csv",
        'text,label,w\n"one, one",x,one\n',
        {"unit": "span", "span": "w"},
    ),
    "line 2, column 'w': 'one' occurs 2 times in .*, and nth is 3; expected 1 to 2": (
        "a.csv",
        'text,label,w,n\n"one, one",x,one,3\n',
        {"unit": "span", "span": "w", "nth": "n"},
    ),
    "line 2, column 'w': 'one' occurs nowhere in 'bone' .once across": (
        "a.csv",
        "text,label,w\nbone,x,one\n",
        {"unit": "span", "span": "w"},
    ),
    "line 3: column 'w' is empty": (
        "a.csv",
        "text,label,w\none,x,one\none,x,\n",
        {"unit": "span", "span": "w"},
    ),
    "line 2: column 'n' holds 'first'; expected a whole number": (
        "a.csv",
        "text,label,w,n\none,x,one,first\n",
        {"unit": "span", "span": "w", "nth": "n"},
    ),
    "line 1: column 'w' holds .'one'.; expected a word or phrase": (
        "a.jsonl",
        '{"text": "one", "label": "x", "w": ["one"]}\n',
        {"unit": "span", "span": "w"},
    ),
    "span is of no use where unit is sentence": ("a.csv", "", {"span": "w"}),
    "span2 is of no use where unit is span": ("a.csv", "", {"unit": "span", "span2": "w"}),
    "column 'n' counts occurrences of nothing; name span": (
        "a.csv",
        "",
        {"unit": "span", "nth": "n"},
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_a_row_that_does_not_fit_is_one_message_with_its_place(
    tmp_path: Path, message: str
) -> None:
    name, text, options = BAD[message]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        load(str(path), **options)
    assert "\n" not in str(caught.value)
