"""Tables and figures say what the run folder says."""

import dataclasses
import io
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from probes.errors import InputError
from probes.report.page import write_page
from probes.report.plots import save_layer_curve
from probes.report.summary import summarise
from probes.report.tables import print_tables, to_csv, to_latex, to_markdown, to_text
from probes.report.words import number
from probes.results import Results
from runs import (
    NASTY,
    made_run,
)

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made_run(tmp_path)


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
