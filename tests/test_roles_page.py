"""The page of a run of role schemes says what its rows say, and asks nothing of anyone."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from probes_tasks.digits import draw_digits
from probes_tasks.english import English

from probes.errors import InputError
from probes.report.shell import typeset
from probes.report.tables import as_text
from probes.report.words import bracket, number
from probes.results import Results
from probes.roles.digits.config import DigitsConfig
from probes.roles.digits.example import roles_example
from probes.roles.digits.job import run_digits
from probes.roles.digits.published import published, short
from probes.roles.elsewhere.job import VectorsConfig, run_vectors
from probes.roles.naming import parse_scheme
from probes.roles.notation import reading
from probes.roles.pages.figure import figure, tree_drawing
from probes.roles.pages.words import findings
from probes.roles.pages.write import write_page
from probes.roles.rows import RowMaker
from probes.roles.sequences import Sentence
from probes.roles.text.job import run_text
from probes.roles.text.settings import TEXT_SCHEMES, RolesTextConfig
from probes.roles.text.tables import tables
from probes.roles.trees import bracketed
from probes.stats import Interval
from tests.reading import Reader

NASTY = "</script><b>x&amp;y</b>$z$"
LAYERS = ("0", "1", "2", "final")
SCHEMES = ("bow", "ltr", NASTY)
BRACKET = re.compile(r"[+−]?\d?\.\d{3} \[[+−]?\d?\.\d{3}, [+−]?\d?\.\d{3}\]")


def made_rows(*, interventions: bool) -> Results:
    """Rows of every method and number, of values that no two share; layer 1 is unread."""
    fixed = dict(
        run="r", task="t/sentences", task_version="1", model=NASTY, revision="", n_layers=2,
        store="s", config="c",
    )  # fmt: skip
    make, random = RowMaker(fixed), np.random.default_rng(0)
    rows = []

    def add(layer: str, method: str, metric: str, **of: str) -> None:
        value = random.uniform(-1, 1)
        found = Interval(value, value - random.uniform(), value + random.uniform(), "exact", 9, 9)
        if metric.startswith("kl-restored") and layer == "1":
            found = Interval(None, None, None, "unread (under 0.05 bit)", 9, 9)
        rows.append(make.row(layer, method, metric, found, **of))

    for layer in LAYERS:
        for scheme in SCHEMES:
            over = [] if scheme == "bow" else ["r2-over-bow", "r2-over-permuted"]
            for metric in ("r2", "mse", *over):
                add(layer, "tpdn-given", metric, scheme=scheme)
            for what in ("fillers", "roles", "pairs"):
                share = float(random.uniform())
                rows.append(
                    make.plain(layer, "tpdn-given", f"unseen-{what}", share, 9, scheme=scheme)
                )
            add(layer, "tpdn-additive", "r2", scheme=scheme)
            if interventions:
                add(layer, "substitution", "agreement", scheme=scheme)
                add(layer, "substitution", "kl-restored", scheme=scheme)
                if scheme != "bow":
                    add(layer, "substitution", "kl-restored-over-bow", scheme=scheme)
                add(layer, "surgery", "kl-restored", scheme=scheme)
                add(layer, "surgery-other-word", "kl-restored", scheme=scheme)
        if interventions:
            add(layer, "mean-ablation", "agreement")
            add(layer, "edited-state", "kl-restored")
    return Results(rows)


def made_run(folder: Path, results: Results) -> Path:
    folder.mkdir()
    results.save(folder / "results.jsonl")
    words, tree = bracketed(f"(S (NP the {NASTY}) barks)")
    sentence = Sentence(tuple(words), tree=tree)
    example = roles_example(sentence, [parse_scheme("ltr"), parse_scheme("tree:parse")])
    run = dict(
        run=NASTY, model=f"models/{NASTY}", n_layers=2, layers=LAYERS, pooling="mean", title=NASTY,
        head={"kind": "language model"}, n={"train": 20, "test": 9}, notes=[NASTY], source=NASTY,
        example=example | {"roles": example["roles"] | {NASTY: ["r"] * 3}},
    )  # fmt: skip
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "config.yaml").write_text(
        f"shortest: 3\nlongest: 5\ncomponents: 5\nseed: 0\n# {NASTY}\n"
    )
    return folder


@pytest.fixture(scope="module")
def results() -> Results:
    return made_rows(interventions=True)


@pytest.fixture(scope="module")
def page(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(write_page(made_run(tmp_path_factory.mktemp("runs") / "made", results)))


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = DigitsConfig(
        networks=("uni/uni/autoencode",), schemes=("ltr", "rtl", "bow"), seeds=1,
        sequences=500, longest=3, most_epochs=2, out=str(tmp_path_factory.mktemp("d") / "digits"),
    )  # fmt: skip
    return run_digits(config)


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("v")
    random = np.random.default_rng(0)
    table = random.standard_normal((10, 4, 5))
    for name, seed in (("train", 1), ("test", 2)):
        lines = []
        for s in draw_digits(120, 3, seed=seed):
            z = sum(table[x, k] for k, x in enumerate(s)) + 0.1 * random.standard_normal(5)
            lines.append(f"{' '.join(map(str, s))}\t{' '.join(f'{x:.5f}' for x in z)}\n")
        (folder / name).write_text("".join(lines))
    out = folder / "run"
    run_vectors(
        VectorsConfig(
            train=str(folder / "train"),
            test=str(folder / "test"),
            out=str(out),
            schemes=("ltr", "rtl", "bow"),
            learn=2,
        )
    )
    return out


def said(results: Results) -> set[str]:
    return {typeset(bracket(row, sign)) for row in results for sign in (False, True)}


def test_every_cell_is_a_row_and_every_row_is_in_a_cell(page: Reader, results: Results) -> None:
    unread = {row.interval for row in results if row.value is None}
    shares = {f"{100 * row.value:.2f} %" for row in results if row.metric.startswith("unseen-")}
    known = said(results) | shares | {"unread", "–", ""} | {"r", "first", "second", "third"}
    known |= {"LL", "LR", "R"}
    assert {cell for cell in page.cells if cell not in known} == set()
    assert unread == {"unread (under 0.05 bit)"}
    wanted = {typeset(bracket(row)) for row in results if row.value is not None}
    assert wanted <= set(page.cells)


def test_every_point_and_band_of_a_figure_is_of_a_row(page: Reader, results: Results) -> None:
    charts = json.loads(page.scripts[0])
    values = {row.value for row in results} | {row.low for row in results}
    values |= {row.high for row in results} | {None}
    for scheme in SCHEMES[1:]:
        setting = json.dumps({"scheme": scheme})
        for layer in LAYERS:
            r2, over = (
                results.one(method="tpdn-given", metric=m, layer=layer, setting=setting).value
                for m in ("r2", "r2-over-permuted")
            )
            values.add(r2 - over)  # R² of permuted roles
    drawn = [y for chart in charts.values() for trace in chart["data"] for y in trace["y"]]
    assert set(drawn) <= values
    assert set(charts) == {
        "r2", "over-permuted", "additive", "agreement", "restored", "surgery"
    }  # fmt: skip
    images = {a["id"] for t, a in page.tags if t == "div" and a.get("role") == "img"}
    assert images == set(charts)


def test_an_unread_layer_is_a_gap_with_its_reason_in_words(page: Reader) -> None:
    chart = json.loads(page.scripts[0])["restored"]
    lines = [trace for trace in chart["data"] if trace["mode"] == "lines+markers"]
    bands = [trace for trace in chart["data"] if trace.get("fill")]
    assert [line["y"][1] for line in lines] == [None] * 3
    assert sorted(map(tuple, {tuple(band["x"]) for band in bands})) == [(0, 0), (2, 3, 3, 2)]
    assert "No value at layer 1: there the mean encoding in its place changes" in page.text
    assert "by less than 0.05 bit" in page.text


def test_each_number_in_words_is_of_a_row_and_has_an_interval(results: Results) -> None:
    sentences = [typeset(text) for text in findings(results, SCHEMES, LAYERS)]
    assert len(sentences) >= 4
    for sentence in sentences:
        found = BRACKET.findall(sentence)
        assert found and set(found) <= said(results)
        rest = BRACKET.sub("", sentence.replace(NASTY, ""))
        assert not re.search(r"\.\d", rest)


def test_more_is_said_only_where_an_interval_lies_above_nought() -> None:
    fixed = dict(
        run="r", task="t/sentences", task_version="", model="m", revision="", n_layers=3, store="",
        config="",
    )  # fmt: skip
    make = RowMaker(fixed)

    def over(low: float, layer: str, scheme: str):
        found = Interval(low + 0.1, low, low + 0.2, "exact", 9, 9)
        return make.row(layer, "tpdn-given", "r2-over-bow", found, scheme=scheme)

    lows = {"0": 0.01, "1": 0.02, "2": 0.03, "3": -0.05}
    rows = [over(low, layer, "ltr") for layer, low in lows.items()]
    rows += [over(-0.15, layer, "rtl") for layer in lows]
    said_of = findings(Results(rows), ["bow", "ltr", "rtl"], list(lows))
    assert said_of == [
        "Explains more of the encodings (R²) than a bag of words does: ltr at layers "
        "0–2 (most +.130 [+.030, +.230] at layer 2).",
        "No other scheme explains more of the encodings (R²) than a bag of words does, at any "
        "layer; the largest differences: rtl -.050 [-.150, +.050] at layer 0.",
    ]


def test_markup_in_names_is_text(page: Reader) -> None:
    assert not [tag for tag, _ in page.tags if tag in ("b", "x")]
    assert len(page.scripts) == 3
    assert not set("<>&") & set(page.scripts[0])
    names = {trace.get("name") for trace in json.loads(page.scripts[0])["r2"]["data"]}
    assert html.escape(NASTY, quote=False).replace("$", "&#36;") in names
    assert page.text.count(NASTY) > 20


@pytest.mark.parametrize("kind", ["page", "digits", "vectors"])
def test_a_page_loads_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(kind)
    reader = found if isinstance(found, Reader) else Reader(write_page(found))
    for tag, attributes in reader.tags:
        assert tag not in ("iframe", "object", "embed", "base", "image", "use")
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,"))
    policies = [a["content"] or "" for _, a in reader.tags if a.get("http-equiv")]
    assert len(policies) == 1 and policies[0].startswith("default-src 'none'")
    assert not reader.scripts[-1].count("http")


def test_a_run_without_substitution_and_without_an_example_has_a_page(tmp_path: Path) -> None:
    folder = made_run(tmp_path / "run", made_rows(interventions=False))
    run = json.loads((folder / "run.json").read_text())
    del run["example"]
    (folder / "run.json").write_text(json.dumps(run))
    reader = Reader(write_page(folder))
    assert set(json.loads(reader.scripts[0])) == {"r2", "over-permuted", "additive"}
    headings = {a.get("id") for tag, a in reader.tags if tag == "h2"}
    assert headings == {"found-title", "fit-title", "numbers-title", "run-title"}


def test_a_real_run_keeps_a_sentence_with_its_roles_and_tree(tiny, tmp_path: Path) -> None:
    config = RolesTextConfig(
        model=tiny("bert"), task=English(field=("pos", "head"), sentences=120),
        out=str(tmp_path / "run"), schemes=("ltr", "tree:parse"), components=3, shortest=3,
        layers="0", additive=False, substitutions=0, edits=0, alike="pos", answers="pos",
    )  # fmt: skip
    reader = Reader(write_page(run_text(config)))
    example = json.loads((tmp_path / "run" / "run.json").read_text())["example"]
    assert set(example["roles"]) == {"bow", "ltr", "tree:parse"}
    assert all(len(roles) == len(example["items"]) for roles in example["roles"].values())
    assert {*example["roles"]["tree:parse"], *example["roles"]["ltr"]} <= set(reader.cells)
    assert set(example["items"]) <= set(reader.texts)


def test_the_digits_page_has_our_cells_beside_the_papers(digits: Path) -> None:
    reader = Reader(write_page(digits))
    found = Results.load(digits / "results.jsonl")
    theirs = published()
    for row in found.where(metric="substitution-accuracy", method="tpdn-gradient"):
        name = (*row.model.split("/"), row.task.removeprefix("digits/"))
        scheme = json.loads(row.setting)["scheme"]
        exact = found.one(
            metric="substitution-accuracy", method="tpdn-additive", model=row.model, task=row.task,
            setting=json.dumps({"scheme": scheme}),
        )  # fmt: skip
        cell = f"{short(row.value)}paper {short(theirs[name][scheme])}exact {short(exact.value)}"
        assert cell in reader.cells
        sides = [a for _, a in reader.tags if f"--by: {abs(row.value - theirs[name][scheme]):.2f}"
                 in (a.get("style") or "")]  # fmt: skip
        assert sides


def test_the_figure_draws_the_numbers_that_the_run_keeps(digits: Path) -> None:
    example = json.loads((digits / "run.json").read_text())["example"]
    reader = Reader(write_page(digits))
    assert "3: first + 7: second + 6: third" in reader.text
    assert "3: third-to-last + 7: second-to-last + 6: last" in reader.text
    parts = example["schemes"]["ltr"]
    f, r = np.array(parts["fillers"]), np.array(parts["role_embeddings"])
    assert np.allclose(sum(map(np.outer, f, r)), parts["bound"], atol=1e-3)
    for panel, values in (
        ("network", [example["encoding"]]),
        ("binding", [f[1], r[1], np.outer(f[1], r[1]).ravel()]),
        ("tpdn", [np.ravel(parts["bound"]), parts["encoding"], example["encoding"]]),
        ("substitution", [parts["encoding"], example["encoding"]]),
    ):
        drawn = re.findall(r"<title>([^<]*)</title>", figure(example, "ltr")[panel])
        assert {f"{x:+.4f}" for row in values for x in row} <= set(drawn)
    assert np.mean((np.array(parts["encoding"]) - example["encoding"]) ** 2) == pytest.approx(
        parts["mse"], abs=1e-3
    )
    right = "".join(map(str, parts["answer"])) == "".join(map(str, example["right"]))
    answer = " ".join(map(str, parts["answer"])) + ("" if right else " (wrong)")
    assert answer in reader.cells


def test_the_vectors_page_has_the_standings_and_the_first_sequence(vectors: Path) -> None:
    reader = Reader(write_page(vectors))
    for row in Results.load(vectors / "results.jsonl"):
        if row.metric == "mse-behind-best" and row.low is not None:
            assert f"{row.value:.5f} [{row.low:.5f}, {row.high:.5f}]" in reader.cells
        elif row.metric == "mse":
            assert f"{row.value:.5f}" in reader.cells
        elif row.metric == "v-measure":
            assert number(row.value) in reader.cells
    first = (vectors.parent / "test").read_text().splitlines()[0].partition("\t")[0].split()
    assert "".join(first) in "".join(reader.texts)
    assert {"first", "second", "last", "second-to-last", "r_0"} <= set(reader.cells)
    assert "ltr is chosen" in reader.text


def widest_rows(schemes: list[str]) -> Results:
    """Numbers as wide as any: of six schemes, and of what stands beside them."""
    fixed = dict(
        run="r", task="t/sentences", task_version="", model="m", revision="", n_layers=3, store="",
        config="",
    )  # fmt: skip
    make, wide = RowMaker(fixed), Interval(1.0, 0.75, 1.0, "exact", 9, 9)
    rows = [make.row("final", "mean-ablation", "agreement", wide)]
    for scheme in schemes:
        rows.append(make.row("final", "substitution", "agreement", wide, scheme=scheme))
        rows += [
            make.plain("final", "tpdn-given", f"unseen-{what}", 0.5, 9, scheme=scheme)
            for what in ("roles", "pairs")
        ]
    return Results(rows)


def test_six_schemes_and_a_column_beside_have_room_in_80_columns() -> None:
    text = as_text(tables(widest_rows(list(TEXT_SCHEMES)), 80))
    title, above, heads, numbers, *_ = text.splitlines()
    assert title.endswith("(each on top of bow)")
    added = [name.removeprefix("bow+") for name in TEXT_SCHEMES]
    assert heads.split() == ["layer", *added, "ablated"]
    assert numbers.split() == ["final", *["1.000±.250"] * 6, "1.000"]
    assert above.split() == ["mean"]


def test_schemes_that_have_no_room_stand_in_a_further_table() -> None:
    schemes = [f"ltr*{name}" for name in TEXT_SCHEMES]
    text = as_text(tables(widest_rows(schemes), 80))
    shown = [line.split() for line in text.splitlines()]
    heads, numbers = ([row[1:] for row in shown if row[0] == key] for key in ("layer", "final"))
    assert [*heads[0], *heads[1]] == [*schemes, "ablated"]
    assert [*numbers[0], *numbers[1]] == [*["1.000±.250"] * 6, "1.000"]
    assert max(map(len, text.splitlines())) <= 80
    assert "on top of bow" not in text


def test_roles_are_written_as_on_the_slide() -> None:
    digits = (3, 1, 1, 6)
    for scheme, wanted in {
        "ltr": "3: first + 1: second + 1: third + 6: fourth",
        "rtl": "3: fourth-to-last + 1: third-to-last + 1: second-to-last + 6: last",
        "bi": "3: (0,3) + 1: (1,2) + 1: (2,1) + 6: (3,0)",
        "wickel": "3: #_1 + 1: 3_1 + 1: 1_6 + 6: 1_#",
        "tree": "3: L + 1: RLL + 1: RLR + 6: RR",
        "bow": "3: r_0 + 1: r_0 + 1: r_0 + 6: r_0",
    }.items():
        assert reading(parse_scheme(scheme), digits) == wanted


def test_a_tree_is_drawn_with_two_lines_a_merge() -> None:
    words, tree = bracketed("(S (NP a b) (VP c <d>))")
    drawn = tree_drawing(words, tree)
    assert drawn.count("<line ") == 2 * len(tree) == 6
    assert "&lt;d&gt;" in drawn and "<d>" not in drawn


def test_a_folder_that_holds_no_such_run_is_refused(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"run\.json"):
        write_page(tmp_path)
    other = tmp_path / "other"
    shutil.copytree(digits, other)
    rows = [row for row in Results.load(other / "results.jsonl") if row.method == "tpdn-additive"]
    Results(rows).save(other / "results.jsonl")
    with pytest.raises(InputError, match="holds no run of `probes roles fit`"):
        write_page(other)
