"""The store: round trips, resumes to the same bytes, and never answers for another key."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import filelock
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from probes.encoders import TextEncoder
from probes.errors import EnvironmentFailure, InputError
from probes.states import ActivationStore, extract, layout
from probes.states.layout import cut_shards, difference
from probes.states.store import nearest, require_space
from probes.task import word_task
from zoo import SENTENCES


def words_of(sentences, label=lambda word: word[0], **fields):
    words = [s.split() for s in sentences]
    names = [str(k) for k in range(len(words))]
    fields = {"name": "words", "labelling": "initial", **fields}
    labels = [[label(w) for w in row] for row in words]
    return word_task(words, labels, splits=["train"] * len(words), groups=names, **fields)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.fixture(scope="module")
def encoder(tiny):
    return TextEncoder.from_pretrained(tiny("bert"))


@pytest.fixture
def many_shards(monkeypatch):
    monkeypatch.setattr(layout, "SHARD_TEXTS", 2)


@pytest.mark.usefixtures("many_shards")
def test_what_is_written_is_read(encoder, tmp_path):
    task = words_of(SENTENCES)
    store = extract(task, encoder, tmp_path)
    whole = {layer: store.X(layer) for layer in encoder.layers}
    assert len(store.layout.shards) == 4
    again = ActivationStore.open(store.folder)
    rows = np.array([0, 3, 4, 20, task.n_units - 1])
    for layer in encoder.layers:
        assert whole[layer].shape == (task.n_units, encoder.widths[layer])
        assert np.array_equal(again.X(layer, rows), whole[layer][rows])
    assert again.verify() == []


def test_two_labellings_over_one_corpus_make_one_pass(encoder, tmp_path, monkeypatch):
    first, second = words_of(SENTENCES), words_of(SENTENCES, len, labelling="length", kind="real")
    passes = []
    run = TextEncoder.run
    monkeypatch.setattr(TextEncoder, "run", lambda *args: (passes.append(1), run(*args)))
    one = extract(first, encoder, tmp_path)
    n = len(passes)
    two = extract(second, encoder, tmp_path)
    assert n > 0
    assert len(passes) == n
    assert one.folder == two.folder


@pytest.mark.usefixtures("many_shards")
def test_layers_asked_later_are_added_without_touching_the_others(encoder, tmp_path):
    task = words_of(SENTENCES)
    part = extract(task, encoder, tmp_path / "part", layers=["1"])
    before = contents(part.folder / "layer-01")
    assert part.layers == ("1",)
    extract(task, encoder, tmp_path / "part")
    whole = extract(task, encoder, tmp_path / "whole")
    assert contents(part.folder / "layer-01") == before
    assert contents(tmp_path / "part") == contents(tmp_path / "whole")
    assert whole.layers == encoder.layers


def test_a_changed_key_is_another_store_and_the_part_is_named(encoder, tiny, tmp_path):
    task = words_of(SENTENCES)
    base = extract(task, encoder, tmp_path)
    short = TextEncoder.from_pretrained(tiny("bert"), max_tokens=60)
    wide = TextEncoder.from_pretrained(tiny("bert"), dtype="float64")
    eager = TextEncoder.from_pretrained(tiny("bert"), attention="eager")
    other = TextEncoder.from_pretrained(tiny("bert"), random_weights=0)
    changed = {
        "pooling": extract(task, encoder, tmp_path, pooling="max"),
        "truncation": extract(task, encoder, tmp_path, truncation="window"),
        "stored as": extract(task, encoder, tmp_path, dtype="float16"),
        "texts": extract(words_of((*SENTENCES[:-1], "no")), encoder, tmp_path),
        "longest text": extract(task, short, tmp_path),
        "dtype": extract(task, wide, tmp_path),
        "attention": extract(task, eager, tmp_path),
        "weights": extract(task, other, tmp_path),
    }
    assert len({store.folder for store in (base, *changed.values())}) == 9
    for part, store in changed.items():
        parts = difference(base.layout.key, store.layout.key)
        assert any(text.startswith(f"{part} (") for text in parts), (part, parts)
    assert nearest(tmp_path, base.layout) == []  # it is there itself
    said: list[str] = []
    extract(task, encoder, tmp_path, pooling="first", say=said.append)
    assert len(said) == 1
    assert " there, " in said[0]
    extract(task, encoder, tmp_path, pooling="first", say=said.append)
    assert len(said) == 1


def test_a_manifest_of_another_key_is_refused(encoder, tmp_path):
    store = extract(words_of(SENTENCES), encoder, tmp_path)
    other = extract(words_of(SENTENCES), encoder, tmp_path / "x", pooling="max")
    shutil.copy(other.folder / "manifest.json", store.folder / "manifest.json")
    with pytest.raises(InputError, match=r"another pooling \(max there, mean here\)"):
        extract(words_of(SENTENCES), encoder, tmp_path)


@given(st.integers(0, 10**9))
def test_verify_finds_a_flipped_bit(store_to_damage, position):
    files = [p for p in sorted(store_to_damage.folder.rglob("*")) if p.is_file()]
    path = files[position % len(files)]
    whole = path.read_bytes()
    at = (position // len(files)) % (8 * len(whole))
    damaged = bytearray(whole)
    damaged[at // 8] ^= 1 << (at % 8)
    path.write_bytes(bytes(damaged))
    try:
        assert store_to_damage.verify()
    finally:
        path.write_bytes(whole)
    assert not store_to_damage.verify()


@pytest.fixture(scope="module")
def store_to_damage(encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    store = extract(words_of(SENTENCES[:3]), encoder, folder)
    for lock in folder.glob("*.lock"):
        lock.unlink()
    return store


def test_killed_and_resumed_is_the_same_byte_for_byte(tiny, tmp_path):
    run = [sys.executable, str(ROOT / "tests" / "killing.py"), tiny("bert")]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    outputs = []
    for name, kills in (("calm", 0), ("killed", 6)):
        done = subprocess.run(
            [*run, str(tmp_path / name), str(kills), "1"],
            capture_output=True,
            text=True,
            check=True,
            env=env,
        )
        outputs.append(done.stdout.split())
    assert outputs[0] == ["0", "0"]
    assert int(outputs[1][0]) >= 3, "most kills must hit an incomplete store"
    assert outputs[1][1] == "0"
    assert contents(tmp_path / "calm") == contents(tmp_path / "killed")


def test_two_processes_fill_the_same_store_as_one(tiny, tmp_path):
    code = (
        "import sys; from killing import corpus; from probes.encoders import TextEncoder\n"
        "from probes.states import extract, join, layout; layout.SHARD_TEXTS = 8\n"
        "world = join(); task = corpus()\n"
        "extract(task, TextEncoder.from_pretrained(sys.argv[1]), sys.argv[2], world=world)\n"
        "open(sys.argv[2] + f'/{world.rank}.lock', 'w').write(str(world.size)); world.close()\n"
    )
    script = tmp_path / "fill.py"
    script.write_text(code)
    env = os.environ | {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
        "ACCELERATE_USE_CPU": "1",
        "OMP_NUM_THREADS": "1",
    }
    for name, n in (("one", 1), ("two", 2)):
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        subprocess.run(
            [*torchrun, f"--nproc_per_node={n}", script, tiny("bert"), str(tmp_path / name)],
            check=True,
            capture_output=True,
            env=env,
        )
        sizes = [p.read_text() for p in sorted((tmp_path / name).glob("?.lock"))]
        assert sizes == [str(n)] * n
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_launcher_that_starts_more_processes_than_see_one_another_is_an_error():
    code = "from probes.states import join; join()"
    env = os.environ | {"WORLD_SIZE": "2", "PYTHONPATH": str(ROOT)}
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        env.pop(name, None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert "EnvironmentFailure: the launcher started 2 processes" in done.stderr


def test_a_store_that_is_being_filled_is_left_alone(encoder, tmp_path):
    task = words_of(SENTENCES)
    store = extract(task, encoder, tmp_path, layers=["0"])
    with (
        filelock.FileLock(store.folder.with_name(f"{store.folder.name}.lock")),
        pytest.raises(EnvironmentFailure, match="another run is filling"),
    ):
        extract(task, encoder, tmp_path)
    assert extract(task, encoder, tmp_path, layers=["0"]).layers == ("0",)


def test_a_pass_that_does_not_fit_the_disk_is_refused_before_it_starts(tmp_path):
    require_space(tmp_path, 1)
    with pytest.raises(EnvironmentFailure, match=r"needs 1000000000\.0 GB"):
        require_space(tmp_path, 10**18)


def test_a_full_disk_leaves_no_incomplete_file(encoder, tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFailure, match="disk is full"):
        extract(words_of(SENTENCES), encoder, tmp_path)
    assert not [p for p in contents(tmp_path) if not p.endswith(".lock")]
    monkeypatch.undo()
    assert extract(words_of(SENTENCES), encoder, tmp_path).verify() == []


def test_layers_that_are_not_stored_are_named(encoder, tmp_path):
    store = extract(words_of(SENTENCES), encoder, tmp_path, layers=["0", "1"])
    with pytest.raises(InputError, match="known: 0, 1"):
        store.X(3)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.integers(1, 10**7),
)
def test_shards_divide_the_corpus_between_texts(lengths, width):
    index = np.repeat(np.arange(len(lengths)), lengths)
    shards = cut_shards(index, width)
    assert shards[0][0] == 0
    assert shards[-1][1] == len(index)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(shards))
    assert all(start == 0 or index[start] != index[start - 1] for start, _ in shards)


def test_the_manifest_says_what_decides_a_vector(encoder, tmp_path):
    store = extract(words_of(SENTENCES), encoder, tmp_path)
    manifest = json.loads((store.folder / "manifest.json").read_text())
    for part in ("weights", "tokenizer", "dtype", "attention", "layers", "texts", "units", "torch"):
        assert manifest["key"][part]
