"""Linear probes of all layers × penalties × (task, control): `fit_logistic` against scikit-learn.

Run as `python tests/benchmarks/bench_solver.py [FOLDER]`, FOLDER with `X0.npy`, `X1.npy`, … (one a
layer), `y.npy` and `control.npy`; without one, made-up layers stand in. Inputs are standardised
before the clock starts. scikit-learn is fitted one problem at a time, in float32 as it comes, with
the same objective (C = 1 / (n λ)); where only a sample of its problems is fitted, its total is the
sampled layers' mean times the number of layers.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from probes.diagnostic.logistic import fit_logistic
from probes.diagnostic.scale import fit_scale

Array = npt.NDArray[np.generic]
CS = (1.0, 0.1, 0.01, 0.001, 0.0001)


def run(
    layers: Sequence[Array],
    y: Array,
    control: Array,
    *,
    Cs: Sequence[float] = CS,
    sampled_layers: Sequence[int] | None = None,
    sampled_Cs: Sequence[float] | None = None,
    tolerances: Sequence[float] = (1e-4, 1e-8),
    max_iter: int = 3000,
    memory: bool = True,
) -> dict[str, float]:
    """Time both, print the table, and return its figures.

    Parameters
    ----------
    layers : sequence of ndarray of shape (n, d)
        Vectors of each layer.
    y, control : ndarray of shape (n,), int64
        Classes of the task and of the control task, numbered from 0, all present.
    Cs : sequence of float
        scikit-learn's C; the penalties are 1 / (n C).
    sampled_layers, sampled_Cs : sequence, optional
        What scikit-learn fits; by default the middle layer, and every C.
    tolerances : sequence of float
        scikit-learn's `tol`, one run each.
    max_iter : int
        scikit-learn's, well above its default of 100, so that the tolerance decides.
    memory : bool
        Whether to measure the peak memory of both, in processes of their own.

    Returns
    -------
    dict of str to float
        ``ratio@TOL`` (scikit-learn's seconds over ours), ``worst@TOL`` (the largest of our
        objective over its, minus 1), ``seconds``.
    """
    n = len(y)
    chosen = [len(layers) // 2] if sampled_layers is None else list(sampled_layers)
    chosen_Cs = list(Cs) if sampled_Cs is None else list(sampled_Cs)
    columns = [torch.from_numpy(np.asarray(c, dtype=np.int64)) for c in (y, control)]
    penalties = [[1 / (n * C) for C in Cs]] * 2
    figures: dict[str, float] = {"seconds": 0.0}
    ours: dict[int, float] = {}
    theirs = {tol: 0.0 for tol in tolerances}
    worst = {tol: -np.inf for tol in tolerances}
    print(f"{len(layers)} layers, n = {n}, d = {layers[0].shape[1]}, C = {list(Cs)}, 2 columns")
    for number, layer in enumerate(layers):
        X = torch.from_numpy(np.array(layer, dtype=np.float32))
        X = fit_scale(X)(X)
        start = time.perf_counter()
        fit = fit_logistic(X, columns, penalties)
        ours[number] = time.perf_counter() - start
        evaluations = [e.tolist() for e in fit.n_evaluations]
        print(f"layer {number}: {ours[number]:.2f} s, evaluations {evaluations}", flush=True)
        if number not in chosen:
            continue
        for k, name in enumerate(("task", "control")):
            for C in chosen_Cs:
                i = list(Cs).index(C)
                line = f"  {name:7} C {C:<7g} F {float(fit.objective[k][i]):.6f}"
                for tol in tolerances:
                    seconds, steps, value = _scikit(X, columns[k], C, tol, max_iter)
                    difference = float(fit.objective[k][i]) / value - 1
                    theirs[tol] += seconds
                    worst[tol] = max(worst[tol], difference)
                    line += (
                        f" | tol {tol:g}: {seconds:.1f} s, {steps} steps, ours {difference:+.1e}"
                    )
                print(line, flush=True)
    figures["seconds"] = sum(ours.values())
    share = len(chosen) / len(layers)
    part = sum(ours[number] for number in chosen)
    print(f"ours, all layers: {figures['seconds']:.1f} s")
    for tol in tolerances:
        figures[f"ratio@{tol:g}"] = theirs[tol] / share / figures["seconds"]
        figures[f"worst@{tol:g}"] = float(worst[tol])
        print(
            f"scikit-learn, tol {tol:g}: {theirs[tol]:.1f} s for layers {chosen}, C {chosen_Cs}; "
            f"{theirs[tol] / share:.1f} s for all layers; "
            f"ratio {theirs[tol] / part:.1f} on the sampled layers, "
            f"{figures[f'ratio@{tol:g}']:.1f} over all; ours at most {worst[tol]:+.1e} above"
        )
    if memory:
        layer = np.array(layers[chosen[0]], dtype=np.float32)
        for who in ("ours", "scikit-learn"):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                before, after = pool.apply(_peak, (who, layer, y, control, list(Cs)))
            print(f"peak memory, {who}: {after:.0f} MB, of which {after - before:.0f} in the fit")
            figures[f"MB, {who}"] = after
    return figures


def _scikit(
    X: torch.Tensor, y: torch.Tensor, C: float, tol: float, max_iter: int
) -> tuple[float, int, float]:
    """Seconds, iterations, and the objective in fp64."""
    start = time.perf_counter()
    model = _fit_scikit(X, y, C, tol, max_iter)
    seconds = time.perf_counter() - start
    W = torch.from_numpy(model.coef_).double()
    b = torch.from_numpy(model.intercept_).double()
    loss = torch.nn.functional.cross_entropy(X.double() @ W.T + b, y)
    value = float(loss) + 0.5 / (len(X) * C) * float(W.square().sum())
    return seconds, int(model.n_iter_[0]), value


def _fit_scikit(
    X: torch.Tensor, y: torch.Tensor, C: float, tol: float, max_iter: int
) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=C, tol=tol, max_iter=max_iter).fit(X.numpy(), y.numpy())


def _peak(who: str, X: Array, y: Array, control: Array, Cs: list[float]) -> tuple[float, float]:
    """Peak resident megabytes before and after the fits of one layer, in this process."""
    data = torch.from_numpy(X.astype(np.float32))
    data = fit_scale(data)(data)
    del X
    before = _high_water(reset=True)
    columns = [torch.from_numpy(np.asarray(c, dtype=np.int64)) for c in (y, control)]
    if who == "ours":
        fit_logistic(data, columns, [[1 / (len(y) * C) for C in Cs]] * 2, max_evaluations=40)
    else:
        _fit_scikit(data, columns[0], Cs[-1], 1e-4, 20)
    return before, _high_water()


def _high_water(reset: bool = False) -> float:
    """Peak resident megabytes of this process; on Linux, since the last reset."""
    if reset and Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    if Path("/proc/self/status").exists():
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(s for s in lines if s.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def made_up(
    n: int = 20_000, d: int = 256, K: int = 17, n_layers: int = 3
) -> tuple[list[Array], Array, Array]:
    """Layers with a decaying spectrum, labels from a noisy linear rule, and a shuffled control."""
    rng = np.random.default_rng(0)
    spectrum = (1 / np.sqrt(1 + np.arange(d))).astype(np.float32)
    mix = np.linalg.qr(rng.normal(size=(d, d)))[0].astype(np.float32)
    layers: list[Array] = []
    first = (rng.normal(size=(n, d)).astype(np.float32) * spectrum) @ mix
    y = (first @ rng.normal(size=(d, K)) + 0.5 * rng.normal(size=(n, K))).argmax(1)
    for depth in range(n_layers):
        noise = rng.normal(size=(n, d)).astype(np.float32) * spectrum
        layers.append(first + 0.3 * depth * noise @ mix)
    return layers, y, rng.permutation(y)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--layers", type=int, nargs="*", help="fit these alone")
    parser.add_argument("--sampled-Cs", type=float, nargs="*")
    parser.add_argument("--tolerances", type=float, nargs="*", default=[1e-4, 1e-8])
    parser.add_argument("--max-iter", type=int, default=3000)
    parser.add_argument("--no-memory", action="store_true")
    options = parser.parse_args()
    if options.folder is None:
        layers, y, control = made_up()
    else:
        folder = options.folder
        numbers = options.layers or range(len(list(folder.glob("X*.npy"))))
        layers = [np.load(folder / f"X{k}.npy") for k in numbers]
        y, control = np.load(folder / "y.npy"), np.load(folder / "control.npy")
    run(
        layers,
        y,
        control,
        sampled_Cs=options.sampled_Cs,
        tolerances=options.tolerances,
        max_iter=options.max_iter,
        memory=not options.no_memory,
    )


if __name__ == "__main__":
    main()
