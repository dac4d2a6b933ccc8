"""Tasks by name: anyone's package is found, and a broken one breaks itself alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from commands import QUICK, run
from conftest import ROOT
from probes.errors import InputError
from probes.registry import find_tasks, load_task, load_tasks, task_options
from probes.task import Task

OURS = ["analogies", "conllu", "digits", "english", "glue", "images", "table"]
THEIRS = ["calm", "fog", "hail", "storm", "weather"]


def install(source: Path, target: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    options = ["--disable-pip-version-check", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *options, str(source)], check=True, capture_output=True)
    return target


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder into which the package of somebody else was installed."""
    home = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(ROOT / "tests" / "plugin", home / "source")
    return install(source, home / "site")


@pytest.fixture
def weather(installed, monkeypatch) -> None:
    """As if it were installed here."""
    monkeypatch.syspath_prepend(str(installed))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "layerprobes_weather"]:
        del sys.modules[name]


def test_the_built_in_tasks_are_found_as_anyone_s():
    assert list(find_tasks()) == OURS
    assert {entry.dist.name for entry in find_tasks().values()} == {"layerprobes"}


@pytest.mark.usefixtures("weather")
def test_a_package_of_somebody_else_is_found_without_importing_it():
    assert list(find_tasks()) == sorted([*OURS, *THEIRS])
    assert "layerprobes_weather" not in sys.modules
    assert "layerprobes_weather:Weather" in run("tasks").out
    assert "layerprobes_weather" not in sys.modules


@pytest.mark.usefixtures("weather")
def test_its_task_is_loaded_described_and_probed(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = load_task("weather", city="Bergen", days=8)
    assert isinstance(task, Task)
    assert task.classes == ["rain", "sun"]
    help_text = " ".join(run("tasks", "weather").out.split())
    assert "--task.city STR" in help_text
    assert "Where it is. (required)" in help_text
    command = ["probe", "--model", tiny("bert"), "--task.name", "weather", *QUICK, "--layers", "0"]
    missing = run(*command, "--out", "x")
    assert missing.code == 2
    assert "--task.city" in missing.err
    wrong = run(*command, "--out", "x", "--task.citty", "Bergen")
    assert "nearest: '--task.city'" in wrong.err
    done = run(*command, "--out", "x", "--task.city", "Bergen")
    assert done.code == 0, done.err
    assert "city: Bergen" in Path("x/config.yaml").read_text()
    results = Path("x/results.jsonl").read_bytes()
    assert run("probe", "--config", "x/config.yaml").code == 0
    assert Path("x/results.jsonl").read_bytes() == results


@pytest.mark.usefixtures("weather")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("storm", "does not import: ZeroDivisionError: the barometer is broken"),
        ("calm", "is no dataclass of options"),
        ("hail", "has no method load"),
        ("fog", "has an option `name`, which is taken"),
    ],
)
def test_a_broken_task_breaks_itself_alone(name, words):
    with pytest.raises(InputError, match=words) as caught:
        task_options(name)
    assert "layerprobes-weather" in str(caught.value)
    for done in (run("tasks", name), run("probe", "--task.name", name, "--model", "m")):
        assert done.code == 2
        assert words in done.err
    assert task_options("english").__name__ == "English"
    assert task_options("weather").__name__ == "Weather"
    assert run("tasks").code == 0


@pytest.mark.usefixtures("weather")
def test_a_name_that_two_packages_claim_is_an_error_that_names_both(tmp_path, monkeypatch):
    rival = tmp_path / "rival"
    shutil.copytree(ROOT / "tests" / "plugin" / "layerprobes_weather", rival / "rival_weather")
    project = (ROOT / "tests" / "plugin" / "pyproject.toml").read_text()
    for ours, theirs in (("layerprobes-", "rival-"), ("layerprobes_", "rival_")):
        project = project.replace(ours, theirs)
    (rival / "pyproject.toml").write_text(project)
    monkeypatch.syspath_prepend(str(install(rival, tmp_path / "site")))
    with pytest.raises(InputError) as caught:
        find_tasks()
    for words in ("'calm'", "rival-weather", "layerprobes-weather", "uninstall one"):
        assert words in str(caught.value)
    assert run("tasks").code == 2


def test_an_unknown_name_or_option_names_the_nearest():
    with pytest.raises(InputError, match=r"unknown task 'englsh' \(nearest: 'english'\)"):
        task_options("englsh")
    with pytest.raises(InputError, match=r"'sentence' \(nearest: 'sentences'\)"):
        load_tasks("english", sentence=3)
    with pytest.raises(InputError, match=r"gave 2 labellings \(tense, pos\); ask for one"):
        load_task("english", field=("tense", "pos"), sentences=100)
