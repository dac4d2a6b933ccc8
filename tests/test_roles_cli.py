"""The commands ``probes roles …``: what they print, and what they refuse."""

import json
import re

import numpy as np
import pytest

import zoo
from commands import run
from planted import draw_digits, plant
from probes.cli_roles import COMMANDS
from probes.results import COLUMNS, Results
from probes.roles.schemes import LeftToRight
from test_schemes import LECTURE


def write_vectors(path, sequences, Z):
    lines = [f"{' '.join(map(str, s))}\t{' '.join(map(str, z))}" for s, z in zip(sequences, Z)]  # noqa: B905
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_help_lists_every_command():
    done = run("roles")
    assert done.code == 0
    assert all(f"  {name} " in done.out for name in COMMANDS)
    for name in COMMANDS:
        assert run("roles", name, "--help").code == 0


def test_show_prints_the_lectures_table():
    lines = run("roles", "show", "3 1 1 6", "5 2 3 1 9 7").out.splitlines()
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert cells[0] == list("3116523197")
    found = {row[0]: row[1:] for row in cells[1:]}
    titles = ["Left-to-right", "Right-to-left", "Bidirectional", "Wickelroles", "Tree"]
    assert list(found) == [*titles, "Bag of words"]
    for title, name in zip(found, LECTURE, strict=True):
        assert " ".join(found[title]) == LECTURE[name]


def test_show_takes_items_apart_brackets_and_schemes():
    assert run("roles", "show", 3, 1, 1, 6).out == run("roles", "show", "3 1 1 6").out
    assert "LL" in run("roles", "show", "( ( the dog ) barks )").out
    words = run("roles", "show", "the dog barks").out
    assert "Tree" not in words
    assert "the_barks" in words
    chosen = run("roles", "show", "the dog", "--schemes", "ltr,tree:right").out.splitlines()
    assert [line.split()[0] for line in chosen[1:]] == ["Left-to-right", "tree:right"]


def test_vectors_select_the_planted_scheme(tmp_path):
    sequences = draw_digits(900, 0)
    Z = plant(sequences, LeftToRight(), 0, width=6, r2=0.95).round(5)
    train = write_vectors(tmp_path / "train.txt", sequences[:700], Z[:700])
    test = write_vectors(tmp_path / "test.txt", sequences[700:], Z[700:])
    for kind in ("additive", "low-rank"):
        out = tmp_path / kind
        done = run(
            *("roles", "vectors", "--train", train, "--test", test, "--out", out),
            *("--decomposition", kind, "--schemes", "bow", "ltr", "bi", "ltr*rtl"),
        )
        assert done.code == 0, done.err
        assert "ltr *" in done.out
        assert "tied, dividing the items alike: bi, ltr*rtl" in done.out
        rows = Results.load(out / "results.jsonl")
        chosen = {
            json.loads(row.setting)["scheme"] for row in rows if '"selected": true' in row.setting
        }
        assert chosen == {"ltr"}
        again = run(
            "roles", "vectors", "--config", out / "config.yaml", "--out", tmp_path / f"{kind}-again"
        )
        assert again.code == 0, again.err
        paths = ("results:", "report:")
        first, second = (
            [line for line in told.out.splitlines() if not line.startswith(paths)]
            for told in (done, again)
        )
        assert first == second


def test_a_decomposition_has_its_page_made_again(tmp_path):
    sequences = draw_digits(60, 2)
    path = write_vectors(
        tmp_path / "all.txt", sequences, plant(sequences, LeftToRight(), 2, width=3)
    )
    done = run(
        *("roles", "vectors", "--train", path, "--test", path, "--schemes", "ltr", "bow"),
        *("--out", tmp_path / "run"),
    )
    assert done.code == 0, done.err
    page = tmp_path / "run" / "report.html"
    first = page.read_text(encoding="utf-8")
    page.unlink()
    assert run("report", tmp_path / "run").out == f"report: {page}\n"
    assert page.read_text(encoding="utf-8") == first
    other = tmp_path / "other.html"
    assert run("report", tmp_path / "run", "--out", other).code == 0
    assert other.read_text(encoding="utf-8") == first


def test_roles_that_are_learned_stand_beside_the_others(tmp_path):
    sequences = draw_digits(1500, 1, shortest=2, longest=4)
    Z = plant(sequences, LeftToRight(), 1, width=8).round(5)
    train = write_vectors(tmp_path / "train.txt", sequences[:1200], Z[:1200])
    test = write_vectors(tmp_path / "test.txt", sequences[1200:], Z[1200:])
    done = run(
        *("roles", "vectors", "--train", train, "--test", test, "--out", tmp_path / "run"),
        *("--schemes", "ltr", "bow", "--learn", 6),
    )
    assert done.code == 0, done.err
    assert "learned" in done.out
    rows = Results.load(tmp_path / "run" / "results.jsonl").where(metric="v-measure")
    found = {json.loads(row.setting)["scheme"]: row.value for row in rows}
    assert found["ltr"] > 0.95
    assert found["bow"] < 0.01


SHARES = {"accuracy", "accuracy-honest", "answers-a", "answers-a*", "answers-b", "tied"}
RIVALS = {"rival", "rival-honest"}


def metrics(rows, kind, method):
    return {row.metric for row in rows.where(method=method) if f'"{kind}"' in row.setting}


def test_analogies_of_a_model_are_answered_at_each_layer_by_each_method(tmp_path):
    zoo.save("bert", tmp_path / "model")
    methods = ("3CosAdd", "3CosMul", "PairDirection", "nearest")
    done = run(
        *("roles", "analogies", "--model", tmp_path / "model", "--n", 8, "--layers", "0,1"),
        *("--out", tmp_path / "run", "--methods", *methods),
    )
    assert done.code == 0, done.err
    rows = Results.load(tmp_path / "run" / "results.jsonl")
    assert {row.layer for row in rows} == {"0", "1"}
    assert {row.method for row in rows} == {*methods, "offsets"}
    assert {json.loads(row.setting)["kind"] for row in rows} == {"ltr", "rtl", "bi", "ambiguous"}
    for method in methods:
        assert method in done.out.splitlines()
        assert metrics(rows, "bi", method) == SHARES
        assert metrics(rows, "ambiguous", method) == SHARES | RIVALS
    assert metrics(rows, "ltr", "offsets") == {"cosine"}
    assert metrics(rows, "ambiguous", "offsets") == {"cosine", "cosine-rival", "apart"}
    for row in rows.where(metric="accuracy"):
        assert 0 <= row.low <= row.value <= row.high <= 1
        assert row.n == 8
    assert list(
        json.loads((tmp_path / "run" / "results.jsonl").read_text().splitlines()[0])
    ) == list(COLUMNS)
    again = run("report", tmp_path / "run")
    assert (again.code, again.out) == (0, done.out)
    page = run("report", tmp_path / "run", "--out", tmp_path / "page.html")
    assert page.code == 2 and "tables and no page; leave out --out" in page.err
    several = run("report", tmp_path / "run", tmp_path, "--out", tmp_path / "page.html")
    assert (
        several.code == 2 and "of `probes roles analogies`, which is reported alone" in several.err
    )


def test_analogies_of_a_network_are_decoded_too(tmp_path, data):
    done = run(
        *("roles", "analogies", "--network", data / "tpdn", "--n", 50, "--kinds", "ambiguous"),
        *("--out", tmp_path / "run"),
    )
    assert done.code == 0, done.err
    rows = Results.load(tmp_path / "run" / "results.jsonl")
    assert {row.method for row in rows} == {"3CosAdd", "offsets", "decoder"}
    assert metrics(rows, "ambiguous", "decoder") == {"exact", "exact-rival"}
    assert "rival decoded" in " ".join(done.out.split())
    setting = json.loads(next(iter(rows)).setting)
    assert setting["sequences"] == setting["vectors"] > 200
    assert "different vectors" not in done.out


def test_a_model_that_reads_no_order_is_told_to_give_sequences_one_vector(tmp_path):
    """At the input of a causal model's first block, the last word's vector is the sentence's."""
    zoo.save("llama", tmp_path / "model")
    done = run(
        *("roles", "analogies", "--model", tmp_path / "model", "--n", 10, "--layers", "0"),
        *("--out", tmp_path / "run", "--kinds", "ambiguous"),
    )
    assert done.code == 0, done.err
    assert re.search(r"layer 0, ambiguous: \d+ sequences have \d different vectors", done.out)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["shwo"], "nearest: 'show'"),
        (["show"], "nothing is named"),
        (["show", "the dog", "--schemes", "tree"], "tree:right"),
        (["show", "3 1", "--schemes", "wikel"], "nearest: 'wickel'"),
        (["show", "3 1", "--scheme", "ltr"], "--schemes"),
        (["show", "( a"], "closing"),
        (["analogies", "--out", "x"], "network"),
        (["analogies", "--network", "nowhere", "--out", "x"], "nowhere"),
        (["analogies", "--network", "x", "--methods", "3CosAdds", "--out", "x"], "'3CosAdd'"),
        (["analogies", "--network", "x", "--methods", "nearest", "nearest", "--out", "x"], "once"),
        (
            ["analogies", "--network", "x", "--layers", "0", "--out", "x"],
            "--layers 0 would do noth",
        ),
        (
            ["analogies", "--network", "x", "--pooling", "last", "--out", "x"],
            "--pooling last would",
        ),
        (["analogies", "--network", "x", "--store", "s", "--out", "x"], "--store s would do noth"),
        (["vectors", "--train", "nowhere", "--test", "nowhere", "--out", "x"], "no file nowhere"),
        (["digits", "--networks", "uni/tri", "--out", "x"], "'tree'|nearest"),
        (["probe", "--task.name", "english", "--schemes", "ltr", "--shemes", "bow"], "--schemes"),
        (["fit", "--task.name", "english", "--model", "nowhere", "--out", "x"], "nowhere"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_message(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("roles", *arguments)
    assert done.code == 2
    assert re.search(says, done.err), done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("line", "says"),
    [("1 2\t0.5 x", "line 2"), ("1 2 0.5", "line 2"), ("1 2\t0.5", "line 2: 1 numbers"),
     ("1\tnan 1", "line 2")],
)  # fmt: skip
def test_a_line_that_is_no_encoding_is_named(line, says, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(f"1 2\t0.5 0.25\n{line}\n", encoding="utf-8")
    done = run("roles", "vectors", "--train", path, "--test", path, "--out", tmp_path / "run")
    assert done.code == 2
    assert says in done.err


def test_words_and_digits_are_read_as_they_stand(tmp_path):
    from probes.roles.elsewhere.read import read_encodings

    path = write_vectors(tmp_path / "words.txt", [("a", "1"), ("b",)], np.eye(2))
    sequences, Z = read_encodings(path)
    assert sequences == [("a", "1"), ("b",)]
    np.testing.assert_array_equal(Z, np.eye(2, dtype=np.float32))
    assert read_encodings(write_vectors(path, [(1, 2)], np.eye(1)))[0] == [(1, 2)]
