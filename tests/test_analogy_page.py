"""The page of a run of analogies says what its rows say, and asks nothing of anyone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import zoo
from probes.analogy.finished import PICTURES
from probes.analogy.methods import METHODS, OF_PAIRS
from probes.analogy.pages.fans import fan_of, fans_drawing
from probes.analogy.pages.page import write_page
from probes.analogy.way import Way, ways
from probes.errors import InputError
from probes.report.shell import typeset
from probes.report.words import bracket, number
from probes.results import Results, Row
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
    return ways(Results.load(out / "results.jsonl"), run)


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


def values_of(out: Path, how: str, space: str) -> dict[tuple[str, ...], Row]:
    """Rows by method, metric, relation, category and layer."""
    found = {}
    for row in Results.load(out / "results.jsonl"):
        of = json.loads(row.setting)
        if (of.get("how", ""), of["space"]) == (how, space):
            found[row.method, row.metric, of["relation"], of["category"], row.layer] = row
    return found


FILTERED = "Accuracy, a, a* and b left out of the answers"
HONEST = "Accuracy, honest: any word may be the answer"
MEAN = "mean over relations"


def cell(row: Row | None, sign: bool = False) -> str:
    return typeset(bracket(row, sign))


@pytest.mark.parametrize(("place", "space"), [(0, "as-is"), (1, "centred")])
def test_every_cell_of_static_vectors_is_that_of_its_row_and_column(
    static: Path, place: int, space: str
) -> None:
    tables, found = sections_of(static)[place], values_of(static, "", space)
    for caption, metric in ((FILTERED, "accuracy"), (HONEST, "accuracy-honest")):
        heads, *lines = tables[caption]
        columns = [MEAN, "above ONLY-B", "over all", "n"]
        assert heads == ["method", *(c for c in columns if metric == "accuracy" or c[0] != "a")]
        assert [line[0] for line in lines] == list(METHODS)
        for name, *cells in lines:
            row = found[name, metric, "all", "all", "static"]
            shown = dict(zip(heads[1:], cells, strict=True))
            assert shown[MEAN] == cell(found[name, f"{metric}-macro", "all", "all", "static"])
            assert shown["over all"] == cell(row)
            assert shown["n"] == f"{row.n:,} {'pairs' if name in OF_PAIRS else 'questions'}"
            if metric == "accuracy":
                over = found.get((name, "accuracy-over-only-b", "all", "all", "static"))
                assert shown["above ONLY-B"] == cell(over, sign=True)
        heads, *lines = tables[f"{caption}: by relation and method"]
        assert heads == ["relation", *METHODS] and {line[0] for line in lines} == {NASTY, "s"}
        for name, *cells in lines:
            rows = [found[method, metric, name, "", "static"] for method in METHODS]
            assert cells == [typeset(number(row.value)) for row in rows]
    heads, *lines = tables["Honest answers that are a word of the question"]
    assert heads == ["method", "a", "a*", "b"] and len(lines) == len(METHODS)
    for name, *cells in lines:
        rows = [found.get((name, f"answers-{w}", "all", "all", "static")) for w in heads[1:]]
        assert cells == [typeset(number(row.value)) if row else "–" for row in rows]


@pytest.mark.parametrize(("place", "space"), [(0, "as-is"), (1, "centred")])
def test_every_cell_of_a_relation_is_that_of_its_column(
    static: Path, place: int, space: str
) -> None:
    tables, found = sections_of(static)[place], values_of(static, "", space)
    (caption,) = (name for name in tables if name.startswith("By relation"))
    heads, *lines = tables[caption]
    columns = {
        "3CosAdd filtered": ("3CosAdd", "accuracy"),
        "ONLY-B filtered": ("ONLY-B", "accuracy"),
        "3CosAdd honest": ("3CosAdd", "accuracy-honest"),
        "ONLY-B honest": ("ONLY-B", "accuracy-honest"),
    }
    scores = {"OCS": "ocs", "shuffled": "ocs-shuffled", "PCS": "pcs", "p": "p"}
    scores |= {"p of pairing": "p-pairing", "p of flips": "p-flipped"}
    assert heads == ["relation", "questions", *columns, "offsets", *scores, "direction"]
    excess = []
    for name, *cells in lines:
        of = {key[:2]: row for key, row in found.items() if key[2] == name}
        shown = dict(zip(heads[1:], cells, strict=True))
        assert (shown["questions"], shown["offsets"]) == (str(N * (N - 1)), str(N))
        for head, key in columns.items():
            assert shown[head] == cell(of[key])
        for head, metric in scores.items():
            assert shown[head] == typeset(number(of["offsets", metric].value))
        assert shown["direction"] == {1: "yes", 0: "no"}[of["offsets", "direction"].value]
        excess.append(of["offsets", "ocs"].value - of["offsets", "ocs-shuffled"].value)
    assert len(lines) == 2 and excess == sorted(excess, reverse=True)


@pytest.mark.parametrize(("place", "how"), [(0, "bare"), (1, "template")])
def test_every_cell_of_layers_is_that_of_its_layer_and_method(
    layered: Path, place: int, how: str
) -> None:
    tables, found = sections_of(layered)[place], values_of(layered, how, "as-is")
    methods = ["3CosAdd", "3CosMul", "3CosAvg", "ONLY-B", "similar-to-any"]
    over = "Accuracy above ONLY-B, a, a* and b left out; mean over relations"
    of_all = "; over all 30 questions and 6 pairs"
    shown = {
        f"{FILTERED}; {MEAN}": ("accuracy-macro", methods, "all"),
        f"{HONEST}; {MEAN}": ("accuracy-honest-macro", methods, "all"),
        over: ("accuracy-over-only-b", [m for m in methods if m != "ONLY-B"], "all"),
        f"{FILTERED}{of_all}": ("accuracy", methods, "all"),
        f"{HONEST}{of_all}": ("accuracy-honest", methods, "all"),
    }
    single = next(name for name in tables if "single sub-tokens" in name)
    shown[single] = ("accuracy", methods, "single sub-tokens")
    n = {m: found[m, "accuracy", "all", "single sub-tokens", "0"].n for m in ("3CosAdd", "3CosAvg")}
    assert single.endswith(f"alone, {n['3CosAdd']} questions and {n['3CosAvg']} pairs")
    for caption, (metric, columns, category) in shown.items():
        heads, *lines = tables[caption]
        assert heads == ["layer", *columns] and [line[0] for line in lines] == ["0", "1", "2"]
        for layer, *cells in lines:
            rows = [found[method, metric, "all", category, layer] for method in columns]
            assert cells == [cell(row, sign=caption == over) for row in rows]
    heads, *lines = tables["Offset concentration, mean over relations (of shuffled pairs)"]
    assert heads == ["layer", "relations"]
    for layer, *cells in lines:
        of = [
            number(found["offsets", metric, "noun-plural", "", layer].value)
            for metric in ("ocs", "ocs-shuffled")
        ]
        assert cells == [typeset(f"{of[0]} ({of[1]})")]


def test_categories_stand_under_the_first_method_and_under_only_b(tmp_path: Path) -> None:
    words, X = made()
    lines = [f"{w} {' '.join(map(str, row))}\n" for w, row in zip(words, X.tolist(), strict=True)]
    (tmp_path / "made.txt").write_text("".join(lines))
    rows = [f"{r}\t{r}{k}\t{r}{k}x\tof {r}\n" for r in ("r", "s") for k in range(4)]
    (tmp_path / "set.tsv").write_text("relation\tsource\ttarget\tcategory\n" + "".join(rows))
    out = tmp_path / "run"
    done = run(
        *f"analogy --vectors {tmp_path}/made.txt --set {tmp_path}/set.tsv --out {out} "
        "--methods LRCos".split()
    )
    assert done.code == 0, done
    (tables,), found = sections_of(out), values_of(out, "", "as-is")
    for caption, metric in ((FILTERED, "accuracy-macro"), (HONEST, "accuracy-honest-macro")):
        heads, line = tables[f"{caption}; {MEAN}, by category"]
        assert heads == ["layer", *(f"of {r}, {m}" for r in "rs" for m in ("LRCos", "ONLY-B"))]
        of = [
            found[m, metric, "all", f"of {r}", "static"] for r in "rs" for m in ("LRCos", "ONLY-B")
        ]
        assert line == ["static", *map(cell, of)]
    heads, *lines = next(t for name, t in tables.items() if name.startswith("By relation"))
    assert heads[1] == "pairs" and [line[1] for line in lines] == ["4", "4"]
    page = Reader(out / "report.html")
    said = "No offsets are measured of r and s: fewer than 5 pairs of which both words have vectors"
    assert said in page.text and said in " ".join(done.out.split())
    assert "of the pairs." in page.text and "questions." not in page.text
    assert "LRCos answers once a pair" in " ".join(done.out.split())
    assert not [tag for tag, of in page.tags if of.get("id") == "way-0-pairs"]


def sections_of(out: Path) -> list[dict[str, list[list[str]]]]:
    """Tables by caption, of one way of getting vectors after the other."""
    sections: list[dict[str, list[list[str]]]] = []
    for caption, lines in Reader(out / "report.html").tables:
        if not sections or caption in sections[-1]:
            sections.append({})
        sections[-1][caption] = lines
    return sections


def charts_of(out: Path) -> dict[str, dict]:
    page = Reader(out / "report.html")
    return json.loads(next(text for text in page.scripts if text.startswith("{")))


def test_the_chart_of_methods_shows_means_over_relations_at_their_methods(static: Path) -> None:
    found = values_of(static, "", "centred")
    chart = charts_of(static)["way-1-accuracy"]
    axis = chart["layout"]["yaxis"]
    names = dict(zip(axis["tickvals"], axis["ticktext"], strict=True))
    assert [trace["name"] for trace in chart["data"]] == ["a, a*, b left out", "honest"]
    for trace, metric in zip(chart["data"], ("accuracy", "accuracy-honest"), strict=True):
        assert len(trace["x"]) == len(METHODS)
        for k, value in enumerate(trace["x"]):
            row = found[names[round(trace["y"][k])], f"{metric}-macro", "all", "all", "static"]
            assert value == row.value
            up, down = trace["error_x"]["array"][k], trace["error_x"]["arrayminus"][k]
            assert (value + up, value - down) == pytest.approx((row.high, row.low))
    assert chart["layout"]["legend"]["y"] >= 1  # below, it lies on the title of the axis
    assert chart["layout"]["xaxis"]["title"]["text"] == "accuracy, mean over relations"


@pytest.mark.parametrize(("place", "how"), [(0, "bare"), (1, "template")])
def test_charts_over_layers_show_each_line_under_its_name_and_its_control_dotted(
    layered: Path, place: int, how: str
) -> None:
    found, charts = values_of(layered, how, "as-is"), charts_of(layered)

    def line(method: str, metric: str, relation: str = "all", category: str = "all") -> list:
        return [found[method, metric, relation, category, layer].value for layer in "012"]

    data = charts[f"way-{place}-accuracy"]["data"]
    named = {trace["name"]: trace for trace in data if "name" in trace}
    assert set(named) == {"3CosAdd", "3CosMul", "3CosAvg", "ONLY-B", "similar-to-any"}
    dotted = {t["line"]["color"]: t["y"] for t in data if t["line"].get("dash") == "dot"}
    for name, trace in named.items():
        assert trace["y"] == line(name, "accuracy-macro")
        if name not in ("ONLY-B", "similar-to-any"):
            assert dotted.pop(trace["line"]["color"]) == line(name, "accuracy-honest-macro")
    assert not dotted
    own, shuffled = charts[f"way-{place}-ocs"]["data"]
    assert own["y"] == line("offsets", "ocs", "noun-plural", "")
    assert shuffled["y"] == line("offsets", "ocs-shuffled", "noun-plural", "")
    assert "dash" not in own["line"] and shuffled["line"]["dash"] == "dot"


def test_every_figure_has_the_caption_of_its_kind(static: Path, layered: Path) -> None:
    begins = {
        "static-accuracy": "Accuracy by method, with a, a* and b left out of the answers and hon",
        "layered-accuracy": "Accuracy by layer, mean over relations",
        "ocs": "Offset concentration by layer",
        "pairs": "The words of a relation in the plane",
        "drawing": "Each relation's offsets, target − source",
    }
    for which, out in (("static", static), ("layered", layered)):
        captions = Reader(out / "report.html").captions
        assert set(captions) >= {"drawing", "way-0-accuracy", "way-1-pairs"}
        for place, text in captions.items():
            kind = place.rpartition("-")[2]
            assert text.startswith(begins.get(kind) or begins[f"{which}-{kind}"]), place


def test_words_of_the_page_are_those_of_one_and_of_several(static: Path, tmp_path: Path) -> None:
    page = Reader(static / "report.html")
    assert "Word vectors, as they are" in page.text and "Word vectors, centred" in page.text
    assert "264 questions of 2 relations" in page.text and "to 74 %" not in page.text
    drawings = [of for tag, of in page.tags if tag == "svg" and of.get("role") == "img"]
    assert len(drawings) == 2
    for of in drawings:
        assert str(of["aria-label"]).startswith("Each relation's offsets, target − source")
    out = tmp_path / "run"
    shutil.copytree(static, out)
    about = json.loads((out / "run.json").read_text()) | {"relations": 1, "questions": 1}
    (out / "run.json").write_text(json.dumps(about))
    frame = pd.read_parquet(out / PICTURES)
    frame.assign(offsets_share=[0.736 + 0.001 * (k % 2) for k in range(len(frame))]).to_parquet(
        out / PICTURES
    )
    text = Reader(write_page(out)).text
    assert "1 question of 1 relation " in text and "the planes hold 74 % of what" in text
    frame.assign(offsets_share=[0.5 + 0.1 * (k % 2) for k in range(len(frame))]).to_parquet(
        out / PICTURES
    )
    assert "the planes hold 50 to 60 % of what" in Reader(write_page(out)).text


def test_the_ends_of_anisotropy_name_their_layers(layered: Path) -> None:
    about = json.loads((layered / "run.json").read_text())["spaces"]
    ends = [typeset(number(about[k]["anisotropy"])) for k in (0, 2)]
    said = f"anisotropy {ends[0]} at layer 0, {ends[1]} at layer 2"
    assert said in Reader(layered / "report.html").text


def test_a_figure_that_is_lower_than_its_place_leaves_no_gap(static: Path) -> None:
    """What a place reserves is given back once it is drawn."""
    raw = (static / "report.html").read_text()
    assert ".chart { width: 100%; min-height: 20rem; }" in raw
    assert "document.getElementById(id).style.minHeight = 0;" in raw
    assert charts_of(static)["way-0-accuracy"]["layout"]["height"] == 110 + 34 * len(METHODS)


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
        for row in rows.where(method="3CosAdd", metric="accuracy-macro"):
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


def test_a_run_of_analogies_is_reported_alone(static: Path, layered: Path, tmp_path: Path) -> None:
    for folders in ((static, layered), (tmp_path, static)):
        done = run("report", *folders, "--out", tmp_path / "page.html")
        assert done.code == 2 and not (tmp_path / "page.html").exists()
        named = f"{static} is a run of `probes analogy`, which is reported alone"
        assert named in done.err and f"probes report {static}" in done.err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (PICTURES, b"PAR1 and no more", "is damaged"),
        (PICTURES, b"", "is damaged"),
        ("results.jsonl", b"", "has 0 row(s), and none of accuracy, accuracy-honest, accuracy-"),
        ("results.jsonl", b"{}\n", "line 1: not a results row"),
        ("run.json", b'{"run": ', "is not the record of a run"),
        (
            "run.json",
            b'{"command": "probes analogy"}',
            "lacks run, model, set, relations, questions",
        ),
        ("run.json", None, "lacks spaces.notes, spaces.anisotropy, or has another kind of value"),
    ],
)
def test_a_damaged_run_is_one_clear_message(static: Path, tmp_path: Path, name, content, said):
    out = tmp_path / "run"
    shutil.copytree(static, out)
    if content is None:
        about = json.loads((out / name).read_text())
        about["spaces"][1] |= {"anisotropy": "great"}
        del about["spaces"][0]["notes"]
        content = json.dumps(about).encode()
    (out / name).write_bytes(content)
    done = run("report", out)
    assert done.code == 2, done
    assert str(out / name) in done.err and said in done.err
    assert "Traceback" not in done.err and len(done.err.splitlines()) == 1


def test_fans_keep_directions_and_stay_within_their_panels() -> None:
    ends = np.array([[1.0, 0.0], [0.5, 0.5], [-0.2, 0.9]])
    columns = ("offset_x", "offset_y", "shuffled_x", "shuffled_y")
    pairs = pd.DataFrame(np.hstack([ends, -ends]), columns=columns)
    one, two = fan_of("<one>", "", pairs, True), fan_of("two", "", 7 * pairs, False)
    svg = fans_drawing([one, two], "Offsets of <two>")
    assert 'aria-label="Offsets of &lt;two&gt;"' in svg
    assert svg.index("● direction") < svg.index("two</text>") < svg.index("○ no direction")
    paths = [part.split('"')[0] for part in svg.split(' d="')[1:]]
    assert paths[:2] == paths[2:]  # of one shape, though not of one length
    drawn = np.array([list(map(float, line.split())) for line in paths[1].split("M0 0L")[1:]])
    assert drawn[:, 0] / drawn[0, 0] == pytest.approx(ends[:, 0], abs=0.01)
    assert -drawn[:, 1] / drawn[0, 0] == pytest.approx(ends[:, 1], abs=0.01)
    assert np.ptp(np.concatenate([drawn, -drawn]), axis=0).max() <= 164
    assert "&lt;one&gt;" in svg and "<one>" not in svg
    assert svg.count("var(--s1)") == svg.count("var(--s2)") == 2
