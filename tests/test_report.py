"""A report says what the run folder says, wherever it is read."""

import dataclasses
import io
import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from probes.errors import InputError
from probes.report.answers import answers
from probes.report.charts import MOST_POINTS, value_chart
from probes.report.page import write_page
from probes.report.plots import save_layer_curve
from probes.report.summary import summarise
from probes.report.tables import print_tables, to_csv, to_latex, to_markdown, to_text
from probes.report.words import number
from probes.results import COLUMNS, Results, Row

NASTY = "</script><b>x&amp;y</b>"


def row(**given: Any) -> Row:
    texts = {name: "" for name in COLUMNS}
    rest = dict(
        run="r", task_version="1", model="org/tiny-model", n_layers=3, split="test", value=None,
        low=None, high=None, n=400, n_groups=40, n_asked=400, n_lost=0, seed=None,
    )  # fmt: skip
    return Row(**(texts | rest | given))


def class_rows(task: str, metric: str, controls: str, best: int) -> list[Row]:
    """Rows of four layers whose figures can be told by eye."""
    second = {"accuracy": "macro-f1", "r2": "spearman"}[metric]
    rows = []
    for layer in range(4):
        value = 0.9 - 0.05 * abs(layer - best)
        common = dict(task=task, layer=str(layer), interval="cluster bootstrap by document")
        band = dict(value=value, low=value - 0.01, high=value + 0.012)
        for split in ("dev", "test"):
            rows.append(row(**common, method="probe", metric=metric, split=split, **band))
        rows.append(row(**common, method="probe", metric=second, value=value - 0.1,
                        low=value - 0.12, high=value - 0.08))  # fmt: skip
        rows.append(row(**common, method="probe-random-model", metric=metric, value=0.6))
        rows.append(row(**common, method="probe", metric="over-random", value=value - 0.6,
                        low=value - 0.62, high=value - 0.59))  # fmt: skip
        for seed in range(3):
            rows.append(row(**common, method=controls, metric=metric, seed=seed,
                            control_of=task, value=0.5 + 0.01 * seed))  # fmt: skip
        if controls == "control-task":
            rows.append(row(**common, method="control-task", metric="selectivity",
                            value=value - 0.51, low=value - 0.53, high=value - 0.49,
                            setting='{"mean": 0.51, "sd": 0.01, "draws": 3}'))  # fmt: skip
            for part, less in (("seen", 0.0), ("unseen", 0.2)):
                rows.append(row(**common, method="probe", metric=metric, split=f"test/{part}",
                                value=value - less))  # fmt: skip
    return rows


def baseline(task: str, method: str, metric: str, value: float) -> Row:
    return row(task=task, method=method, metric=metric, value=value)


def info(task: str, **more: Any) -> dict[str, Any]:
    return {
        "task": task, "title": "EWT", "labelling": task.split("/")[1], "unit": "word",
        "kind": "class", "metric": "accuracy", "classes": [], "n": {"test": 25094},
        "n_groups": {"test": 316}, "group_kind": "document", "resampled_by": "document",
        "counts": {"duplicates": 105}, "notes": [], "best_layer": "2", "penalty_at_edge": 0,
        "n_layers_probed": 4, "lost": 0, "truncated": 0, "windowed": 0, "skipped": 0,
        "unseen_classes": {}, "unseen_type_share": 0.17, "warnings": [],
    } | more  # fmt: skip


def predictions(task: str, classes: list[str], n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    gold = rng.choice(len(classes), n)
    frames = []
    for layer in range(4):
        wrong = rng.random(n) < 0.3
        answer = np.where(wrong, (gold + rng.integers(1, 3, n)) % len(classes), gold)
        frames.append(
            pd.DataFrame(
                {
                    "task": task, "item": np.arange(n), "text": [f"w{i % 37}" for i in range(n)],
                    "group": "g", "split": "test", "layer": str(layer),
                    "gold": [classes[i] for i in gold], "predicted": [classes[i] for i in answer],
                    "gold_value": np.nan, "predicted_value": np.nan,
                    "log_probability": -0.1,
                }
            )
        )  # fmt: skip
    return pd.concat(frames)


def real_predictions(task: str, n: int = 400) -> pd.DataFrame:
    frame = predictions(task, ["x"], n)
    rng = np.random.default_rng(1)
    frame["gold"] = frame["predicted"] = None
    frame["gold_value"] = np.tile(rng.normal(size=n), 4)
    frame["predicted_value"] = frame["gold_value"] + 0.3 * rng.normal(size=4 * n)
    return frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run over a word task, a sentence task with hostile names, and a real-valued task."""
    return write_run(tmp_path / "run")


def write_run(path: Path) -> Path:
    path.mkdir()
    hostile = "table/" + NASTY
    rows = class_rows("conllu/upos", "accuracy", "control-task", best=2)
    rows += class_rows(hostile, "accuracy", "permuted-labels", best=1)
    rows += class_rows("table/depth", "r2", "control-task", best=3)
    rows += [
        baseline("conllu/upos", "majority", "accuracy", 0.164),
        baseline("conllu/upos", "word-identity", "accuracy", 0.818),
        baseline(hostile, "majority", "accuracy", 0.5),
        baseline(hostile, "bag-of-words", "accuracy", 0.7),
        baseline(hostile, "length", "accuracy", 0.52),
    ]
    Results(rows).save(path / "results.jsonl")
    tags = ["ADJ", "ADV", "NOUN", "VERB"]
    tasks = [
        info("conllu/upos", classes=tags, notes=["Words of <b>two</b> tokens are pooled."]),
        info(
            hostile, title="Toy & co", labelling=NASTY, unit="sentence",
            classes=["no", NASTY, "$x$"], n={"test": 400}, n_groups={"test": 400},
            group_kind="sentence", best_layer=None,
            resampled_by="sentence", counts={}, unseen_type_share=None, lost=3, truncated=1,
            windowed=2, unseen_classes={NASTY: 4}, penalty_at_edge=2,
            warnings=["The labels are few: " + NASTY],
        ),
        info("table/depth", kind="real", metric="r2", best_layer="3"),
    ]  # fmt: skip
    run = {
        "run": "run", "model": "org/tiny-model", "revision": "abc", "n_layers": 3, "width": 8,
        "command": "probes probe --task <x>", "seconds": {"extract": 1.5, "probe": 2},
        "processes": 1, "versions": {"torch": "2.13"}, "store": "0123abcd", "tasks": tasks,
    }  # fmt: skip
    (path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    (path / "config.yaml").write_text("task: {name: conllu} # " + NASTY, encoding="utf-8")
    pd.concat(
        [
            predictions("conllu/upos", tags),
            predictions(hostile, ["no", NASTY, "$x$"]),
            real_predictions("table/depth"),
        ]
    ).to_parquet(path / "predictions.parquet")
    return path


GOLDEN = """\
UPOS · EWT · tiny-model · test n 25,094 words / 316 documents
unseen types 17 %
layer   accuracy [95 %]    over random  control ± sd  selectivity  unseen types
0       .800 [.790, .812]  +.200        .510 ± .010   .290         .600
1       .850 [.840, .862]  +.250        .510 ± .010   .340         .650
2 dev*  .900 [.890, .912]  +.300        .510 ± .010   .390         .700
3       .850 [.840, .862]  +.250        .510 ± .010   .340         .650
majority .164 · word identity .818 · macro-F1 .800 [.780, .820] at layer 2
lost 0 · duplicates 105 · penalty at edge 0/4

</script><b>x&amp;y</b> · Toy & co · tiny-model · test n 400 sentences
layer   accuracy [95 %]    macro-F1  over random
0       .850 [.840, .862]  .750      +.250
1 dev*  .900 [.890, .912]  .800      +.300
2       .850 [.840, .862]  .750      +.250
3       .800 [.790, .812]  .700      +.200
permuted labels .510 ± .010 · majority .500 · bag of words .700 · length .520
lost 3 · truncated 1 · windowed 2 · unseen classes 1 · penalty at edge 2/4
! The labels are few: </script><b>x&amp;y</b>

depth · EWT · tiny-model · test n 25,094 words / 316 documents
unseen types 17 %
        R²                           over    control                   unseen
layer   [95 %]             Spearman  random  ± sd         selectivity  types
0       .750 [.740, .762]  .650      +.150   .510 ± .010  .240         .550
1       .800 [.790, .812]  .700      +.200   .510 ± .010  .290         .600
2       .850 [.840, .862]  .750      +.250   .510 ± .010  .340         .650
3 dev*  .900 [.890, .912]  .800      +.300   .510 ± .010  .390         .700
lost 0 · duplicates 105 · penalty at edge 0/4
"""


def test_the_terminal_table_is_this_one(folder: Path) -> None:
    assert to_text(summarise([folder])) == GOLDEN


def test_a_piped_table_has_no_colour_and_80_columns(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_tables(summarise([folder]))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    "gone",
    ["probe-random-model", "control-task", "majority", "over-random", "macro-f1", "test/unseen"],
)
def test_a_table_does_without_any_kind_of_row(folder: Path, gone: str) -> None:
    rows = Results.load(folder / "results.jsonl")
    Results(r for r in rows if gone not in (r.method, r.metric, r.split)).save(
        folder / "results.jsonl"
    )
    summaries = summarise([folder])
    assert ".900 [.890, .912]" in to_text(summaries)
    assert "None" not in to_text(summaries) + to_markdown(summaries) + to_latex(summaries)
    write_page([folder], folder / "page.html")


def test_only_results_of_dev_and_of_one_layer_still_make_a_page(folder: Path) -> None:
    rows = Results.load(folder / "results.jsonl")
    Results(r for r in rows if r.split == "dev" and r.layer == "1").save(folder / "results.jsonl")
    write_page([folder], folder / "page.html")
    assert "1" in to_text(summarise([folder]))


def test_the_best_layer_is_the_one_that_dev_chose(folder: Path) -> None:
    rows = [
        dataclasses.replace(r, value=0.99) if r.split == "dev" and r.layer == "0" else r
        for r in Results.load(folder / "results.jsonl")
    ]
    Results(rows).save(folder / "results.jsonl")
    chosen = [s.best.layer for s in summarise([folder]) if s.best]
    assert chosen == ["2", "0", "3"]  # the second task's record names none


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (0.9312, False, ".931"),
        (1.0, False, "1.000"),
        (0.99961, False, "1.000"),
        (-0.0132, False, "-.013"),
        (-0.0001, True, ".000"),
        (0.2, True, "+.200"),
        (-1.25, False, "-1.250"),
        (None, True, "–"),
    ],
)
def test_numbers_have_three_decimals_and_no_leading_zero(
    value: float | None, sign: bool, text: str
) -> None:
    assert number(value, sign) == text


def test_latex_is_escaped(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(path.read_text().replace("EWT", r"50 %_{x} & \\input~#^$"), encoding="utf-8")
    latex = to_latex(summarise([folder]))
    assert r"50 \%\_\{x\} \& \textbackslash{}input\textasciitilde{}\#\textasciicircum{}\$" in latex
    assert latex.count(r"\begin{tabular}") == 3
    assert r"\textless{}/script\textgreater{}" in latex
    assert not set("±·²–") & set(latex)


def test_markdown_shows_markup_as_text(folder: Path) -> None:
    markdown = to_markdown(summarise([folder]))
    assert NASTY not in markdown
    assert r"\</script\>\<b\>x\&amp;y\</b\>" in markdown
    assert "| **2 dev\\*** | **.900 [.890, .912]** |" in markdown


def test_csv_reads_back_in_full_precision(folder: Path) -> None:
    table = pd.read_csv(io.StringIO(to_csv(summarise([folder, folder]))))
    assert len(table) == 24
    row = table[(table.task == "conllu/upos") & (table.best == 1)].iloc[0]
    assert (row.layer, row.value, row.value_low, row.control_draws) == (2, 0.9, 0.89, 3)


@pytest.mark.parametrize("ending", ["png", "pdf", "svg"])
def test_a_figure_is_the_same_bytes_every_time(folder: Path, tmp_path: Path, ending: str) -> None:
    summary = summarise([folder])[1]
    for name in ("a", "b"):
        save_layer_curve(summary, tmp_path / f"{name}.{ending}")
    first, again = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("a", "b"))
    assert first == again
    assert sorted(p.name for p in tmp_path.glob(f"*.{ending}*")) == [f"a.{ending}", f"b.{ending}"]
    with pytest.raises(InputError, match="unknown ending of a figure"):
        save_layer_curve(summary, tmp_path / "a.jpg")


def test_a_figure_leaves_no_global_state(folder: Path) -> None:
    code = (
        "import sys; from probes.report.plots import layer_curve;"
        "from probes.report.summary import summarise;"
        f"layer_curve(summarise([{str(folder)!r}])[0]); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class Reader(HTMLParser):
    """Collects tags, the text outside scripts and styles, and each script."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        elif self.cdata_elem is None:
            self.texts.append(data)


@pytest.fixture
def page(folder: Path, tmp_path: Path) -> Reader:
    reader = Reader()
    reader.feed(write_page([folder], tmp_path / "page.html").read_text(encoding="utf-8"))
    return reader


def test_the_page_holds_plotly_once_and_asks_nothing_of_the_network(page: Reader) -> None:
    version = get_plotlyjs()[:40].splitlines()[1]
    assert sum(version in script for script in page.scripts) == 1
    assert len(page.scripts) == 3
    for tag, attributes in page.tags:
        assert tag not in ("iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,"))
    policies = [a["content"] or "" for t, a in page.tags if a.get("http-equiv")]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'")
    assert "http" not in policies[0]


def test_markup_in_names_is_text_in_the_page(page: Reader) -> None:
    assert not [tag for tag, _ in page.tags if tag in ("b", "x")]
    text = "".join(page.texts)
    for wanted in (
        f"{NASTY} · Toy & co",
        "probes probe --task <x>",
        f"# {NASTY}",
        f"The labels are few: {NASTY}",
        "Words of <b>two</b> tokens are pooled.",
    ):
        assert wanted in text


def test_markup_in_names_is_text_in_the_figures(page: Reader) -> None:
    data = page.scripts[0]
    assert not set("<>&") & set(data)
    charts = json.loads(data)
    ticks = charts["task-1-answers"]["layout"]["xaxis"]["ticktext"]
    assert ticks == ["&#36;x&#36;", "&lt;/script&gt;…mp;y&lt;/b&gt;", "no"]
    hover = charts["task-1-answers"]["data"][0]["hovertext"][1][0]
    assert hover.startswith("gold &lt;/script&gt;&lt;b&gt;x&amp;amp;y&lt;/b&gt;<br>predicted &#36;")


def test_the_page_says_what_was_lost_in_words(page: Reader) -> None:
    text = "".join(page.texts)
    for wanted in (
        "None of the words asked about was lost.",
        "3 of the sentences asked about got no vector or no answer.",
        "1 text was longer than the model reads, and cut.",
        "2 texts were longer than the model reads, and read in overlapping windows.",
        "17.0 % of the test words are of a type that training lacks.",
        f"Classes that training lacks, so that no probe can answer them: {NASTY} (4).",
        "At 2 of 4 layers the penalty that dev chose lies at the edge",
        "cluster bootstrap by document",
    ):
        assert wanted in text


def test_every_figure_has_a_place_and_words_for_those_who_do_not_see_it(page: Reader) -> None:
    charts = json.loads(page.scripts[0])
    images = {a["id"]: a["aria-label"] for _, a in page.tags if a.get("role") == "img"}
    assert set(charts) == set(images)
    assert images["task-0-curve"] == (
        "accuracy on test, by layer; layer 0: .800, layer 1: .850, layer 2: .900, layer 3: .850; "
        "control task at layer 2: .510 ± .010; baselines: majority .164, word identity .818."
    )
    assert sum(tag == "th" and a.get("scope") is None for tag, a in page.tags) == 0
    assert [a.get("lang") for tag, a in page.tags if tag == "html"] == ["en"]


def test_confusions_are_counted_over_the_gold_class(folder: Path) -> None:
    frame = pd.DataFrame(
        [("a", "a", "w")] * 6 + [("a", "b", "x")] * 3 + [("a", "b", "y")] + [("b", "a", "z")],
        columns=["gold", "predicted", "text"],
    )
    frame = frame.assign(task="conllu/upos", layer="2", split="test")
    dev = frame.assign(split="dev", predicted="c")
    other = frame.assign(layer="1", predicted="d")
    pd.concat([frame, dev, other]).to_parquet(folder / "predictions.parquet")
    found = answers(summarise([folder])[0])
    assert found is not None
    assert found.classes == ("a", "b")
    assert found.counts.tolist() == [[6, 4], [1, 0]]
    assert found.totals.tolist() == [10, 1]
    first, second = found.confusions
    assert (first.gold, first.predicted, first.count, first.share) == ("a", "b", 4, 0.4)
    assert first.examples == (("x", 3), ("y", 1))
    assert second.share == 1.0


def test_of_many_classes_the_most_frequent_are_shown(folder: Path) -> None:
    names = [f"c{i:02}" for i in range(50) for _ in range(50 - i)]
    frame = pd.DataFrame({"gold": names, "predicted": names, "text": "w"})
    frame = frame.assign(task="conllu/upos", layer="2", split="test")
    frame.to_parquet(folder / "predictions.parquet")
    found = answers(summarise([folder])[0])
    assert found is not None
    assert found.classes == tuple(f"c{i:02}" for i in range(40))
    assert found.n_classes == 50
    assert found.confusions == ()


def test_many_real_values_are_shown_as_a_density(folder: Path) -> None:
    real_predictions("table/depth", MOST_POINTS + 1).to_parquet(folder / "predictions.parquet")
    found = answers(summarise([folder])[2])
    assert found is not None
    chart = value_chart(found)
    assert chart["data"][0]["type"] == "heatmap"
    json.dumps(chart, allow_nan=False)


def test_the_page_is_the_same_every_time_and_written_whole(folder: Path, tmp_path: Path) -> None:
    first = write_page([folder], tmp_path / "a.html").read_bytes()
    again = write_page([str(folder)], tmp_path / "b.html").read_bytes()
    assert first == again
    (folder / "predictions.parquet").unlink()
    with pytest.raises(InputError, match=r"no .*predictions.parquet"):
        write_page([folder], tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == first
    assert not list(tmp_path.glob("*.part"))


def test_several_runs_make_one_page_with_each_configuration_once(
    folder: Path, tmp_path: Path
) -> None:
    other = write_run(tmp_path / "other")
    text = write_page([folder, other], tmp_path / "page.html").read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    ids = [a["id"] for _, a in reader.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert sum(tag == "pre" for tag, _ in reader.tags) == 2


@pytest.mark.parametrize("gone", ["run.json", "results.jsonl", "config.yaml"])
def test_a_missing_file_is_named_with_what_to_do(folder: Path, tmp_path: Path, gone: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(InputError, match=rf"no .*{gone}.*run `probes probe`"):
        write_page([folder], tmp_path / "page.html")


def test_what_is_no_run_is_said_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no run folder .*nowhere"):
        summarise([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="name at least one folder"):
        write_page([], tmp_path / "page.html")
    with pytest.raises(InputError, match=r"no folder .* for the page"):
        write_page([folder], tmp_path / "none" / "page.html")
    pd.DataFrame({"task": ["x"]}).to_parquet(folder / "predictions.parquet")
    with pytest.raises(InputError, match="has no column text, split, layer"):
        write_page([folder], tmp_path / "page.html")
    (folder / "run.json").write_text('{"tasks": [{}]}')
    with pytest.raises(InputError, match="is not the record of a run"):
        summarise([folder])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_draws_every_figure_and_complains_of_nothing(
    folder: Path, tmp_path: Path
) -> None:
    path = write_page([folder], tmp_path / "page.html")
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000", "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count('class="main-svg"') >= 6
    assert "&lt;/script&gt;…mp;y&lt;/b&gt;" in done.stdout
