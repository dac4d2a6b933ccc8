"""The page says what the run folder says, and asks nothing of anyone."""

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from probes.errors import InputError
from probes.report.answers import answers
from probes.report.charts import MOST_POINTS, value_chart
from probes.report.page import write_page
from probes.report.summary import summarise
from runs import NASTY, made_run, real_predictions, write_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made_run(tmp_path)


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
