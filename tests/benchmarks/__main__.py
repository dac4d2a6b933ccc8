"""Every benchmark of the package: ratios measured side by side in one run, never asserted.

`make bench`, or `python -m tests.benchmarks [--quick] [--only PART]`; a part is extract, solver,
tpdn, analogy, transfer or help.
The data lie where LAYERPROBES_DATA says, by default in ../shared/data beside the repository.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers.utils.logging import disable_progress_bar

from probes.diagnostic.control import control_task
from probes.diagnostic.questions import ask
from probes.encoders import TextEncoder
from probes.registry import load_task
from probes.states import extract
from probes.task import Task
from tests.benchmarks import (
    bench_analogy,
    bench_extract,
    bench_solver,
    bench_tpdn,
    bench_transfer,
)

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "all-MiniLM-L6-v2"
PARTS = ("extract", "solver", "tpdn", "analogy", "transfer", "help")


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="run this part alone")
    parser.add_argument("--quick", action="store_true", help="fewer pairs, fewer fits")
    options = parser.parse_args()
    parts = options.only or PARTS
    disable_progress_bar()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that its stores are removed
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, numpy {np.__version__}")
    if "help" in parts:
        time_help()
    if parts == ["help"]:
        return
    folder = Path(os.environ.get("LAYERPROBES_DATA", ROOT / ".." / "shared" / "data"))
    if "tpdn" in parts and not (folder / "tpdn").is_dir():
        print(f"tpdn skipped: {folder / 'tpdn'} is not there (set LAYERPROBES_DATA)")
    elif "tpdn" in parts:
        bench_tpdn.run(folder / "tpdn", options.quick)
    if "analogy" in parts and not (folder / "analogy").is_dir():
        print(f"analogy skipped: {folder / 'analogy'} is not there (set LAYERPROBES_DATA)")
    elif "analogy" in parts:
        bench_analogy.run(folder / "analogy", options.quick)
    if "transfer" in parts and not ((folder / "cola").is_dir() and MODEL.is_dir()):
        print(f"transfer skipped: {folder / 'cola'} or {MODEL} is not there")
    elif "transfer" in parts:
        bench_transfer.run(folder / "cola", str(MODEL), options.quick)
    if not {"extract", "solver"} & {*parts}:
        return
    data = folder / "ud_en_ewt"
    for there, remedy in ((data, "set LAYERPROBES_DATA"), (MODEL, "`make bench` installs it")):
        if not there.is_dir():
            print(f"extract and solver skipped: {there} is not there ({remedy})")
            return
    # Of the labels, only those of the solver matter, and it takes all words alike.
    dev, test = (str(data / f"en_ewt-ud-{split}.conllu") for split in ("dev", "test"))
    task = load_task("conllu", train=dev, test=test)
    (ROOT / "build").mkdir(exist_ok=True)  # /tmp is memory on many a machine
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="bench-") as folder:
        if "extract" in parts:
            bench_extract.run(task, str(MODEL), Path(folder), pairs=1 if options.quick else 5)
        if "solver" in parts:
            solve(task, Path(folder), options.quick)


def time_help() -> None:
    """Time the command's help, and the interpreter alone."""
    command = Path(sys.executable).with_name("probes")
    print("\n== probes --help")
    for name, line in (
        ("probes --help", [str(command), "--help"]),
        ("python -c pass", [sys.executable, "-c", "pass"]),
    ):
        seconds = []
        for _ in range(6):
            start = time.perf_counter()
            subprocess.run(line, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
        kept = seconds[1:]
        print(
            f"{name}: {statistics.median(kept):.3f} s, median of {len(kept)} "
            f"({min(kept):.3f} to {max(kept):.3f}; the first, {seconds[0]:.3f}, not counted)"
        )
    print("bound: 0.5 s", flush=True)


def solve(task: Task, folder: Path, quick: bool) -> None:
    """Encode the words, and time the solvers on all layers."""
    print("\n== solver: linear probes of all layers")
    encoder = TextEncoder.from_pretrained(str(MODEL))
    store = extract(task, encoder, str(folder / "mean"))
    questions = ask(task, store.lost, "wrong")
    rows = np.sort(np.concatenate(list(questions.rows.values())))
    rows = rows[questions.gold[rows] < questions.n_known]
    _, y = np.unique(questions.gold[rows], return_inverse=True)
    _, control = np.unique(control_task(questions, 0, 0)[rows], return_inverse=True)
    layers = [store.X(layer, rows) for layer in store.layers]
    first, middle, last = 0, len(layers) // 2, len(layers) - 1
    tight = [(middle, column, C) for column in (0, 1) for C in ((0.01,) if quick else (1.0, 0.01))]
    bench_solver.run(
        layers,
        y,
        control,
        sampled_layers=[middle] if quick else [first, middle, last],
        sampled_Cs=[1.0, 0.01, 0.0001] if quick else bench_solver.CS,
        tight=tight if quick else [*tight, (first, 0, 0.01), (last, 0, 0.01)],
    )


if __name__ == "__main__":
    main()
