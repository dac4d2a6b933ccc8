"""Linear probes of all layers × penalties × (task, control): `fit_logistic` against scikit-learn.

Run as `python -m tests.benchmarks.bench_solver [FOLDER]`, FOLDER with `X0.npy`, `X1.npy`, … (one a
layer), `y.npy` and `control.npy`; without one, made-up layers stand in. Inputs are standardised
before the clock starts. scikit-learn is fitted one problem at a time, in float32 as it comes, with
the same objective, C = 1 / (n λ).
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from probes.diagnostic.logistic import LogisticFit, fit_logistic
from probes.diagnostic.scale import fit_scale
from tests.benchmarks import memory
from tests.benchmarks.load import Elsewhere

Array = npt.NDArray[np.generic]
CS = (1.0, 0.1, 0.01, 0.001, 0.0001)
TOLERANCE, TIGHT = 1e-4, 1e-8
NAMES = ("task", "control")
Problem = tuple[int, int, float]
"""Layer, column (0 the task, 1 the control), C."""


def run(
    layers: Sequence[Array],
    y: Array,
    control: Array,
    *,
    Cs: Sequence[float] = CS,
    sampled_layers: Sequence[int] | None = None,
    sampled_Cs: Sequence[float] | None = None,
    tight: Sequence[Problem] = (),
    max_iter: int = 5000,
    with_memory: bool = True,
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
        What scikit-learn fits at its default tolerance, for both columns; by default the middle
        layer, and every C.
    tight : sequence of (int, int, float)
        Problems (layer, column, C), among those sampled, that it also fits at `TIGHT`.
    max_iter : int
        scikit-learn's, well above its default of 100, so that the tolerance decides.
    with_memory : bool
        Whether to measure the peak memory of both, in processes of their own.

    Returns
    -------
    dict of str to float
        ``ratio``, ``tight ratio`` (scikit-learn's seconds over ours), ``worst``, ``tight worst``
        (the largest of our objective over its, minus 1), ``seconds`` (ours).
    """
    chosen = [len(layers) // 2] if sampled_layers is None else list(sampled_layers)
    chosen_Cs = list(Cs) if sampled_Cs is None else list(sampled_Cs)
    n = len(y)
    columns = [torch.from_numpy(np.asarray(c, dtype=np.int64)) for c in (y, control)]
    print(
        f"{len(layers)} layers × {len(Cs)} penalties × (task, control): "
        f"{len(layers) * len(Cs) * 2} fits, n = {n:,}, d = {layers[0].shape[1]}, "
        f"{int(columns[0].max()) + 1} classes, C = {', '.join(f'{C:g}' for C in Cs)}"
    )
    table = _Table(len(layers), Cs, chosen, chosen_Cs, tight)
    elsewhere = Elsewhere()
    for number, layer in enumerate(layers):
        X = _standardised(layer)
        fit = table.ours(number, X, columns)
        if number in chosen:
            for column, name in enumerate(NAMES):
                for C in chosen_Cs:
                    value = float(fit.objective[column][list(Cs).index(C)])
                    line = f"  {name:7} C {C:<6g} objective {value:.6f}"
                    for tol in (TOLERANCE, TIGHT)[: 1 + ((number, column, C) in tight)]:
                        line += table.theirs((number, column, C), tol, value, X, columns, max_iter)
                    print(line, flush=True)
            table.ours(number, X, columns)
    elsewhere.show()
    figures = table.close()
    if with_memory:
        print(
            "peak memory, one layer, each in a process of its own (scikit-learn: the fits one "
            "after\n  another, stopped after 20 iterations, with which its memory does not grow):"
        )
        _show_memory(layers[chosen[0]], y, control, Cs)
    return figures


class _Table:
    """Seconds of both sides, and how the sample stands for all."""

    def __init__(
        self,
        n_layers: int,
        Cs: Sequence[float],
        layers: Sequence[int],
        sampled_Cs: Sequence[float],
        tight: Sequence[Problem],
    ) -> None:
        self._n_layers, self._Cs = n_layers, Cs
        self._layers, self._sampled_Cs, self._tight = layers, sampled_Cs, tight
        self._ours: dict[int, list[float]] = {}
        self._theirs: dict[float, dict[Problem, float]] = {TOLERANCE: {}, TIGHT: {}}
        self._worst = {TOLERANCE: -np.inf, TIGHT: -np.inf}

    def ours(self, layer: int, X: torch.Tensor, columns: Sequence[torch.Tensor]) -> LogisticFit:
        start = time.perf_counter()
        fit = fit_logistic(X, columns, [[1 / (len(X) * C) for C in self._Cs]] * 2)
        seconds = time.perf_counter() - start
        again = layer in self._ours
        self._ours.setdefault(layer, []).append(seconds)
        evaluations = " / ".join(" ".join(map(str, e.tolist())) for e in fit.n_evaluations)
        text = "once more" if again else f"passes {evaluations}"
        print(f"layer {layer}: all {2 * len(self._Cs)} fits in {seconds:.2f} s, {text}", flush=True)
        return fit

    def theirs(
        self,
        problem: Problem,
        tol: float,
        ours: float,
        X: torch.Tensor,
        columns: Sequence[torch.Tensor],
        max_iter: int,
    ) -> str:
        y, C = columns[problem[1]], problem[2]
        start = time.perf_counter()
        model = _fit_scikit(X, y, C, tol, max_iter)
        seconds = time.perf_counter() - start
        steps = int(model.n_iter_[0])
        difference = ours / _objective(X, y, C, model) - 1
        self._theirs[tol][problem] = seconds
        self._worst[tol] = max(self._worst[tol], difference)
        stopped = " (stopped)" if steps >= max_iter else ""
        return f" | tol {tol:g}: {seconds:6.2f} s, {steps:3} steps{stopped}, ours {difference:+.1e}"

    def close(self) -> dict[str, float]:
        """Print totals and ratios."""
        per_layer = {k: float(np.mean(times)) for k, times in self._ours.items()}
        ours = sum(per_layer.values())
        default, tight = self._theirs[TOLERANCE], self._theirs[TIGHT]
        share = len(self._layers) / self._n_layers * len(self._sampled_Cs) / len(self._Cs)
        total = sum(default.values()) / share
        print(f"ours, measured on all layers: {ours:.1f} s")
        layers = ", ".join(map(str, self._layers))
        Cs = ", ".join(f"{C:g}" for C in self._sampled_Cs)
        print(
            f"scikit-learn at its default tolerance {TOLERANCE:g}, measured: layers {layers} × "
            f"C {Cs} × (task, control),\n  {len(default)} fits, {sum(default.values()):.1f} s; "
            f"divided by the sampled share of all fits ({share:.3f}): {total:.1f} s"
        )
        for layer in self._layers:
            part = sum(s for p, s in default.items() if p[0] == layer)
            ratio = part * len(self._Cs) / len(self._sampled_Cs) / per_layer[layer]
            print(f"  layer {layer}: {ratio:.1f} ×")
        figures = {"seconds": ours, "ratio": total / ours, "worst": float(self._worst[TOLERANCE])}
        print(
            f"ratio at the default tolerance: {figures['ratio']:.1f} × (bound: 8, aim: 20); "
            f"our objective is at most {figures['worst']:+.1e} above its (relative)"
        )
        if tight:
            same = sum(default[p] for p in tight)
            grown = sum(tight.values()) / same
            figures |= {"tight ratio": grown * total / ours, "tight worst": self._worst[TIGHT]}
            print(
                f"scikit-learn at tolerance {TIGHT:g}, measured: {len(tight)} of these fits, "
                f"{sum(tight.values()):.1f} s,\n  where the default took {same:.1f} s; its total "
                f"for all fits grown by that factor: {grown * total:.1f} s"
            )
            print(
                f"ratio at tolerance {TIGHT:g}: {figures['tight ratio']:.1f} ×; our objective is "
                f"at most {figures['tight worst']:+.1e} above its (bound: 1e-4)",
                flush=True,
            )
        return figures


def _standardised(layer: Array) -> torch.Tensor:
    X = torch.from_numpy(np.array(layer, dtype=np.float32))
    return fit_scale(X)(X)


def _objective(X: torch.Tensor, y: torch.Tensor, C: float, model: LogisticRegression) -> float:
    """Mean log loss and penalty of its solution, in fp64."""
    W = torch.from_numpy(model.coef_).double()
    b = torch.from_numpy(model.intercept_).double()
    loss = torch.nn.functional.cross_entropy(X.double() @ W.T + b, y)
    return float(loss) + 0.5 / (len(X) * C) * float(W.square().sum())


def _fit_scikit(
    X: torch.Tensor, y: torch.Tensor, C: float, tol: float, max_iter: int
) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=C, tol=tol, max_iter=max_iter).fit(X.numpy(), y.numpy())


def _show_memory(X: Array, y: Array, control: Array, Cs: Sequence[float]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, array in {"X0": X, "y": y, "control": control}.items():
            np.save(Path(folder) / f"{name}.npy", array)
        sides = ("ours", "scikit-learn")
        rows = {who: memory.peak(prepare_fit, who, folder, list(Cs)) for who in sides}
    memory.show(rows)


def prepare_fit(who: str, folder: str, Cs: list[float]) -> Callable[[], object]:
    """Load one layer, and give the fits of both columns at every C."""
    X = _standardised(np.load(Path(folder) / "X0.npy"))
    columns = [
        torch.from_numpy(np.load(Path(folder) / f"{name}.npy").astype(np.int64))
        for name in ("y", "control")
    ]
    if who == "ours":
        return lambda: fit_logistic(X, columns, [[1 / (len(X) * C) for C in Cs]] * 2)
    return lambda: [_fit_scikit(X, y, C, TOLERANCE, 20) for y in columns for C in Cs]


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
    parser.add_argument("--tight-Cs", type=float, nargs="*", default=[])
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
        tight=[(len(layers) // 2, column, C) for column in (0, 1) for C in options.tight_Cs],
        with_memory=not options.no_memory,
    )


if __name__ == "__main__":
    main()
