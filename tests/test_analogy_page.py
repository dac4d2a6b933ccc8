"""The page of a run of analogies says what its rows say, and asks nothing of anyone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zoo
from probes.analogy.pages.fans import fan_of, fans_drawing
from probes.analogy.pages.page import PICTURES, write_page
from probes.analogy.pages.way import Way, ways
from probes.errors import InputError
from probes.report.shell import typeset
from probes.report.words import bracket
from probes.results import Results
from tests.commands import run
from tests.reading import Reader
from tests.test_analogy_job import N, made

NASTY = "</script><b>x&amp;y</b>$z$"


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = tmp_path_factory.mktemp("static")
    words, X = made()
    lines = [f"{w} {' '.join(map(str, row))}\n" for w, row in zip(words, X.tolist(), strict=True)]
    (files / "made.txt").write_text("".join(lines))
    rows = [
        f"{name}\t{r}{k}\t{r}{k}x\n" for r, name in (("r", NASTY), ("s", "s")) for k in range(N)
    ]
    (files / "set.tsv").write_text("relation\tsource\ttarget\n" + "".join(rows))
    done = run(
        *f"analogy --vectors {files}/made.txt --set {files}/set.tsv --out {files}/run "
        "--spaces as-is centred".split()
    )
    assert done.code == 0, done
    assert f"report: {files / 'run' / 'report.html'}" in done.out
    return files / "run"


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = tmp_path_factory.mktemp("layered")
    zoo.save("bert", files / "bert", n_layers=2)
    nouns = ["dog", "cat", "house", "tree", "river", "stone"]
    rows = [f"noun-plural\t{word}\t{word}s\n" for word in nouns]
    (files / "nouns.tsv").write_text("relation\tsource\ttarget\n" + "".join(rows))
    (files / "words.txt").write_text("walk\ngreen\nquickly\nunder\n")
    done = run(
        *f"analogy --model {files}/bert --set {files}/nouns.tsv --candidates {files}/words.txt "
        f"--how bare template --out {files}/run".split()
    )
    assert done.code == 0, done
    return files / "run"


def ways_of(out: Path) -> list[Way]:
    run = json.loads((out / "run.json").read_text())
    return ways(Results.load(out / "results.jsonl"), run, pd.read_parquet(out / PICTURES))


@pytest.mark.parametrize("which", ["static", "layered"])
def test_every_figure_has_its_place_and_nothing_is_loaded(which: str, request) -> None:
    page = Reader(request.getfixturevalue(which) / "report.html")
    places = [of["id"] for tag, of in page.tags if tag == "div" and of.get("class") == "chart"]
    charts = json.loads(next(text for text in page.scripts if text.startswith("{")))
    assert sorted(charts) == sorted(map(str, places))
    assert len(places) == len(set(places)) == {"static": 4, "layered": 6}[which]
    for tag, of in page.tags:
        assert tag not in ("link", "img", "iframe", "b") or of.get("href") == "data:,"
        assert "src" not in of
    assert all(of.get("aria-label") for _, of in page.tags if of.get("class") == "chart")


@pytest.mark.parametrize("which", ["static", "layered"])
def test_every_accuracy_over_all_relations_stands_in_a_table(which: str, request) -> None:
    out = request.getfixturevalue(which)
    cells = set(Reader(out / "report.html").cells)
    shown = [
        row
        for way in ways_of(out)
        for metric in ("accuracy", "accuracy-honest")
        for of in way.cells(metric).values()
        for row in of.values()
    ]
    assert len(shown) > 10
    assert {typeset(bracket(row)) for row in shown} <= cells


def test_names_are_shown_as_they_are(static: Path) -> None:
    page = Reader(static / "report.html")
    assert NASTY in page.text
    raw = (static / "report.html").read_text()
    assert raw.count("</script>") == 3  # the data, plotly, the page's own


def test_the_menu_shows_each_relation_with_its_own_words(static: Path) -> None:
    page = Reader(static / "report.html")
    charts = json.loads(next(text for text in page.scripts if text.startswith("{")))
    chart = charts["way-0-pairs"]
    menu = chart["layout"]["updatemenus"][0]["buttons"]
    assert len(menu) == 2
    for trace, values in enumerate(menu[0]["args"][0]["x"]):
        assert chart["data"][trace]["x"] == values
    frame = pd.read_parquet(static / PICTURES)
    of_s = frame[(frame["relation"] == "s") & (frame["space"] == "as-is")]
    args = next(b["args"][0] for b in menu if b["label"] == "s")
    arrows, words = args["x"]
    assert arrows[2::3] == [None] * N
    assert arrows[0::3] == pytest.approx(of_s["source_x"], abs=1e-4)
    assert words[N:] == arrows[1::3]
    assert args["hovertext"][1][0] == "s0 → s0x"


def test_the_layer_shown_is_the_one_that_answers_most(layered: Path) -> None:
    rows = Results.load(layered / "results.jsonl")
    for way in ways_of(layered):
        values = {}
        for row in rows.where(method="3CosAdd", metric="accuracy"):
            of = json.loads(row.setting)
            if (of["how"], of["category"]) == (way.how, "all"):
                values[row.layer] = row.value
        assert values[way.best] == max(values.values())
        assert list(values) == way.layers


def test_a_page_is_made_again_byte_for_byte_and_a_run_without_pictures_says_so(
    static: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    shutil.copytree(static, out)
    assert write_page(out).read_bytes() == (static / "report.html").read_bytes()
    with pytest.raises(InputError, match="is a folder"):
        write_page(out, tmp_path)
    with pytest.raises(InputError, match="no folder"):
        write_page(out, tmp_path / "nowhere" / "page.html")
    (out / PICTURES).unlink()
    done = run("report", out)
    assert done.code == 2 and PICTURES in done.err and "again" in done.err
    with pytest.raises(InputError, match="no finished run"):
        write_page(tmp_path)


def test_fans_keep_directions_and_stay_within_their_panels() -> None:
    ends = np.array([[1.0, 0.0], [0.5, 0.5], [-0.2, 0.9]])
    columns = ("offset_x", "offset_y", "shuffled_x", "shuffled_y")
    pairs = pd.DataFrame(np.hstack([ends, -ends]), columns=columns)
    one, two = fan_of("<one>", "", pairs, True), fan_of("two", "", 7 * pairs, False)
    svg = fans_drawing([one, two])
    paths = [part.split('"')[0] for part in svg.split(' d="')[1:]]
    assert paths[:2] == paths[2:]  # of one shape, though not of one length
    drawn = np.array([list(map(float, line.split())) for line in paths[1].split("M0 0L")[1:]])
    assert drawn[:, 0] / drawn[0, 0] == pytest.approx(ends[:, 0], abs=0.01)
    assert -drawn[:, 1] / drawn[0, 0] == pytest.approx(ends[:, 1], abs=0.01)
    assert np.ptp(np.concatenate([drawn, -drawn]), axis=0).max() <= 164
    assert "&lt;one&gt;" in svg and "<one>" not in svg
    assert svg.count("var(--s1)") == svg.count("var(--s2)") == 1
