"""The command: what a run leaves, that it repeats itself, and how it ends."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from commands import FAST, QUICK, run, write_treebank
from conftest import ROOT
from probes import cli
from probes.configs import ProbeConfig
from probes.flags import task_config
from probes.results import COLUMNS, Results

LEFT = {"config.yaml", "run.json", "results.jsonl", "results.parquet", "predictions.parquet"}
LEFT |= {"report.html"}


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A finished run, ``runs/x`` in a folder of its own, and what was printed."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        done = run("probe", "--model", tiny("bert"), *FAST, "--out", "runs/x")
    assert done.code == 0, done.err
    return home, done


def test_a_run_prints_its_table_and_leaves_its_files(finished):
    home, done = finished
    assert {path.name for path in (home / "runs" / "x").iterdir()} == LEFT
    assert "report: runs/x/report.html" in done.out
    for word in ("layer", "accuracy [95 %]", "majority", "dev*", "lost 0"):
        assert word in done.out
    rows = Results.load(home / "runs" / "x" / "results.jsonl")
    table = pq.read_table(home / "runs" / "x" / "results.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert table.num_rows == len(rows)
    tested = rows.where(method="probe", split="test", metric="accuracy")
    assert [row.layer for row in tested] == ["0", "1"]
    for row in tested:
        assert row.n == row.n_asked - row.n_lost
        assert row.n_lost == 0
        assert 0 <= row.low <= row.value <= row.high <= 1
    record = json.loads((home / "runs" / "x" / "run.json").read_text())
    assert record["tasks"][0]["n"]["test"] == tested[0].n
    assert "plotly" in (home / "runs" / "x" / "report.html").read_text()


def test_the_saved_configuration_gives_the_same_files_again(finished, monkeypatch):
    home, _ = finished
    monkeypatch.chdir(home)
    folder = home / "runs" / "x"
    before = {name: (folder / name).read_bytes() for name in ("config.yaml", "results.jsonl")}
    (folder / "results.jsonl").unlink()
    assert run("probe", "--config", "runs/x/config.yaml").code == 0
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_two_processes_give_the_results_of_one(finished, tiny, tmp_path):
    home, _ = finished
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "ACCELERATE_USE_CPU": "1",
        "OMP_NUM_THREADS": "1",
    }
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*torchrun, "-m", "probes", "probe", "--model", tiny("bert"), *FAST, "--out", "runs/x"],
        capture_output=True,
        text=True,
        env=env,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report: ") == 1
    one, two = (folder / "runs" / "x" / "results.jsonl" for folder in (home, tmp_path))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("first", [True, False], ids=["flag before", "flag after"])
def test_a_flag_goes_over_the_file_wherever_it_stands(monkeypatch, tmp_path, first):
    (tmp_path / "x.yaml").write_text("model: m\nout: o\nseed: 3\ntask: {name: english, seed: 4}\n")
    flags, file = ["--seed", "5", "--task.seed=6"], ["--config", str(tmp_path / "x.yaml")]
    config = task_config(ProbeConfig, "probe", flags + file if first else file + flags)
    assert (config.model, config.seed, config.draws) == ("m", 5, 5)
    assert (config.task.name, config.task.seed, config.task.sentences) == ("english", 6, 4000)


def test_another_task_than_the_file_s_takes_none_of_its_options(tmp_path):
    (tmp_path / "x.yaml").write_text("model: m\nout: o\ntask: {name: english, seed: 4}\n")
    arguments = ["--config", str(tmp_path / "x.yaml"), "--task.train", "t", "--task.name", "conllu"]
    config = task_config(ProbeConfig, "probe", arguments)
    assert (config.task.name, config.task.train, config.task.seed) == ("conllu", "t", 0)


def test_help_names_every_command_and_option():
    assert all(f"  {name}" in run("--help").out for name in cli.COMMANDS)
    assert run().out == run("-h").out
    text = run("probe", "--help").out
    assert all(flag in text for flag in ("--layers", "--no-random-model", "--task.sentences"))
    assert "--task.train" in run("probe", "--task.name", "conllu", "--help").out
    assert "--task.train" in run("tasks", "conllu").out
    for command in ("report", "verify", "tasks"):
        assert run(command, "--help").out.startswith(f"usage: probes {command}")
    assert run("--version").out.startswith("probes ")


def test_help_answers_in_half_a_second():
    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "probes", "--help"], check=True, capture_output=True)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.5


def test_listing_tasks_imports_none_of_them():
    code = (
        "import sys; from probes.cli import main; main(['tasks']);"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'probes_tasks', 'torch', 'tyro'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "english" in done.stdout


# A shell starts what it runs in the background with SIGINT ignored, and children inherit that.
SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from probes.cli import main
from probes.encoders import TextEncoder
from probes.states import layout
layout.SHARD_TEXTS = 8
encode = TextEncoder.run
TextEncoder.run = lambda *arguments: (time.sleep(0.4), encode(*arguments))[1]
main(sys.argv[1:])
"""


def test_an_interrupted_run_says_how_to_go_on_and_goes_on(finished, tiny, tmp_path, monkeypatch):
    home, _ = finished
    command = ["probe", "--model", tiny("bert"), *FAST, "--out", "runs/x"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, *command], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.rglob("shards/*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert [path.name for path in (tmp_path / "runs" / "x").iterdir()] == ["config.yaml"]
    assert 2 <= len(list(tmp_path.rglob("shards/*.json"))) < 25
    monkeypatch.chdir(tmp_path)
    assert run(*command).code == 0
    one, two = (folder / "runs" / "x" / "results.jsonl" for folder in (home, tmp_path))
    assert one.read_bytes() == two.read_bytes()
    (store,) = (tmp_path / "runs" / "store").glob("*/")
    assert run("verify", store).out == "every byte is as it was written\n"


def test_a_file_system_that_fails_is_one_message_and_no_incomplete_file(
    tiny, tmp_path, monkeypatch
):
    command = ["probe", "--model", tiny("bert"), *FAST, "--out", "runs/x"]
    done = subprocess.run(
        [sys.executable, "-m", "probes", *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000)),
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr
    assert not list(tmp_path.rglob("*.npy")) + list(tmp_path.rglob("*.part"))
    monkeypatch.chdir(tmp_path)
    assert run(*command).code == 0


@pytest.mark.parametrize(
    "name", [f"{name}.{os.getpid()}.part" for name in ("predictions.parquet", "results.jsonl")]
)
def test_a_full_disk_is_one_message_and_leaves_what_was_there(finished, monkeypatch, name):
    home, _ = finished
    monkeypatch.chdir(home)
    folder = home / "runs" / "x"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / name).symlink_to("/dev/full")
    done = run("probe", "--config", "runs/x/config.yaml")
    assert done.code == 1
    assert "the disk is full" in done.err
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert after.keys() == before.keys()
    assert after["predictions.parquet"] == before["predictions.parquet"]
    assert after["results.jsonl"] == before["results.jsonl"]


def test_memory_that_is_not_there_is_one_message(monkeypatch):
    import torch

    for take in (lambda: torch.empty(1 << 50), lambda: np.empty(1 << 50)):
        monkeypatch.setattr(cli, "_tasks", lambda _, take=take: take())
        done = run("tasks")
        assert done.code == 1
        assert "out of memory" in done.err


def test_a_bug_is_not_hidden(monkeypatch):
    def wrong(_: object) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(cli, "_tasks", wrong)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        run("tasks")


def test_a_class_that_training_lacks_counts_as_wrong_and_is_shown_as_text(tiny, tmp_path):
    for split, tags in (("train", ("NOUN", "VERB")), ("dev", ("NOUN", "VERB"))):
        write_treebank(tmp_path / f"{split}.conllu", split, tags=tags)
    write_treebank(tmp_path / "test.conllu", "<i>owl</i>", tags=("NOUN", "<b>X</b>"))
    files = [part for s in ("train", "dev", "test") for part in (f"--task.{s}", f"{s}.conllu")]
    command = ["probe", "--model", tiny("bert"), "--task.name", "conllu", *files, *QUICK]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        wrong = run(*command, "--layers", "0", "--out", "wrong")
        drop = run(*command, "--layers", "0", "--out", "drop", "--unseen", "drop")
        error = run(*command, "--layers", "0", "--out", "error", "--unseen", "error")
    assert (wrong.code, drop.code, error.code) == (0, 0, 2)
    assert "counted as wrong: '<b>X</b>' (12 in test)" in " ".join(wrong.out.split())
    assert "left out: '<b>X</b>' (12 in test)" in " ".join(drop.out.split())
    assert "choose --unseen wrong or --unseen drop" in error.err
    assert not (tmp_path / "error").exists()
    tested = {"method": "probe", "split": "test", "metric": "accuracy"}
    row = Results.load(tmp_path / "wrong" / "results.jsonl").one(**tested)
    assert row.value <= 0.5
    assert (row.n, row.n_lost) == (24, 0)
    row = Results.load(tmp_path / "drop" / "results.jsonl").one(**tested)
    assert (row.n, row.n_asked, row.n_lost) == (12, 24, 12)
    page = (tmp_path / "wrong" / "report.html").read_text(encoding="utf-8")
    assert "<b>X</b>" not in page
    assert "&lt;b&gt;X&lt;/b&gt;" in page
    assert "<i>owl" not in page


def test_words_without_sub_tokens_are_left_out_and_counted_where_asked(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"she {w} {k},{t}" for k in range(20) for w, t in (("ran", "past"), ("runs", "now"))]
    rows += [f"{chr(1) * (k + 1)},past" for k in range(20)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    command = ["probe", "--model", tiny("bert"), "--task.name", "table", "--task.path", "t.csv"]
    refused = run(*command, *QUICK, "--out", "x")
    assert refused.code == 2
    assert "no sub-token covers the sentence '\\x01'" in refused.err
    assert "(and 19 more)" in refused.err
    assert "--lost skip" in refused.err
    done = run(*command, *QUICK, "--out", "x", "--lost", "skip")
    assert done.code == 0, done.err
    assert "skipped 20" in done.out
    rows = Results.load("x/results.jsonl").where(method="probe", metric="accuracy", layer="0")
    assert all(row.n == row.n_asked - row.n_lost for row in rows)
    assert sum(row.n_lost for row in rows) > 0


def test_a_reader_that_stops_reading_is_no_error(monkeypatch, capsys):
    from probes.cli import main

    def stop(arguments):
        raise BrokenPipeError(32, "Broken pipe")

    turned = []
    monkeypatch.setattr("probes.cli._dispatch", stop)
    monkeypatch.setattr("probes.cli.os.dup2", lambda old, new: turned.append(new))
    with pytest.raises(SystemExit) as ended:
        main(["toy"])
    assert ended.value.code == 141 and len(turned) == 1
    assert capsys.readouterr().err == ""
