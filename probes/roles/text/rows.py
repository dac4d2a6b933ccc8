"""Rows of a run of `probes roles fit`: fits, substitution and surgery as tidy numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.metrics import Statistic
from probes.results import Row
from probes.roles.rows import RowMaker
from probes.roles.text.fits import Floats, SchemeFit
from probes.roles.text.substitute import (
    UNREAD,
    Outputs,
    is_read,
    mean_bits,
    restored,
    restored_state,
)
from probes.roles.tpdn.compare import select
from probes.roles.tpdn.ratios import explained, mean_of
from probes.stats import Interval


def fit_rows(
    make: RowMaker,
    fits: Sequence[SchemeFit],
    layers: Sequence[str],
    Z_test: npt.NDArray[Any],
) -> list[Row]:
    """Make the rows of fitted schemes of one kind.

    Parameters
    ----------
    make : RowMaker
        Knows the run.
    fits : sequence of SchemeFit
        Of which the first is bow, with which the others are compared.
    layers : sequence of str
        Their names.
    Z_test : ndarray of shape (n_layers, n_test, width)
        Encodings.

    Returns
    -------
    list of Row
        Of each layer and scheme: mse, r2, normalised-mse, r2-over-bow, r2-over-permuted,
        selected (1 for the fewest roles within one standard error of the best, by sentence), and
        the shares of fillers, roles and pairs that training lacked.
    """
    rows = []
    for k, layer in enumerate(layers):
        Z = np.asarray(Z_test[k], np.float64)
        spread = ((Z - Z.mean(0)) ** 2).mean(-1)
        n_roles = [fit.decomposition.n_roles_ for fit in fits]
        chosen = fits[select([fit.errors[k] for fit in fits], n_roles)]
        for fit in fits:
            selected = fit is chosen and bool(spread.sum() > 0)
            rows += _fit_rows(make, fit, fits[0], k, layer, spread, selected)
    return rows


def _fit_rows(
    make: RowMaker,
    fit: SchemeFit,
    bow: SchemeFit,
    k: int,
    layer: str,
    spread: Floats,
    selected: bool,
) -> list[Row]:
    method, errors = f"tpdn-{fit.kind}", fit.errors[k]
    of: dict[str, Any] = {
        "scheme": fit.scheme.name,
        "n_roles": fit.decomposition.n_roles_,
        "penalty": float(f"{fit.penalties[k]:.3g}"),
    }
    varies = spread.sum() > 0  # [CLS] at layer 0 does not: there is nothing to explain
    relative = errors / fit.random[k] if varies else np.full(len(errors), np.nan)
    own = (1.0, explained(errors, spread))
    found = {
        "mse": make.estimate((1.0, mean_of(errors))),
        "r2": make.estimate(own),
        "normalised-mse": make.estimate((1.0, mean_of(relative))),
    }
    if fit is not bow:
        of_bow = (-1.0, explained(bow.errors[k], spread))
        found["r2-over-bow"] = make.estimate(own, of_bow)
    if fit.permuted is not None:
        control = (-1.0, explained(fit.permuted[k], spread))
        found["r2-over-permuted"] = make.estimate(own, control)
    shares = {"fillers": fit.shares.fillers, "roles": fit.shares.roles, "pairs": fit.shares.pairs}
    return [
        *(make.row(layer, method, metric, one, **of) for metric, one in found.items()),
        make.plain(layer, method, "selected", float(selected), len(errors), **of),
        *(
            make.plain(layer, method, f"unseen-{what}", share, fit.shares.n, **of)
            for what, share in shares.items()
        ),
    ]


def output_rows(
    make: RowMaker,
    layer: str,
    variants: Sequence[tuple[str, dict[str, Any]]],
    outputs: Outputs,
    baseline: Outputs,
) -> list[Row]:
    """Make the rows of what a model's output became, at one layer.

    Parameters
    ----------
    make : RowMaker
        Knows the run.
    layer : str
        Where the vectors were put in.
    variants : sequence of (str, dict)
        Method and setting of each variant.
    outputs : Outputs
        Of the variants, beside the reference.
    baseline : Outputs
        One variant: that of which nothing is restored.

    Returns
    -------
    list of Row
        Of each variant: agreement, kl (bits), kl-restored and state-restored, and of both the
        difference from bow under the same method. The last four have no value, and the interval
        ``"unread"``, where the baseline changes the output by less than `UNREAD` bits.
    """
    rows = []
    bows = {
        method: outputs[k] for k, (method, of) in enumerate(variants) if of.get("scheme") == "bow"
    }
    for k, (method, of) in enumerate(variants):
        rows += _output_rows(make, layer, (method, of), outputs[k], baseline, bows.get(method))
    return rows


def _output_rows(
    make: RowMaker,
    layer: str,
    variant: tuple[str, dict[str, Any]],
    one: Outputs,
    baseline: Outputs,
    bow: Outputs | None,
) -> list[Row]:
    method, of = variant
    n = len(one.bits)
    rows = [
        make.row(layer, method, "agreement", make.share(one.agree), **of),
        make.row(layer, method, "kl", make.estimate((1.0, mean_bits(one))), **of),
    ]
    if method in BASELINES:
        return rows
    read = is_read(baseline)
    for metric, statistic in (("kl-restored", restored), ("state-restored", restored_state)):
        own = (1.0, statistic(one, baseline))
        terms: dict[str, tuple[tuple[float, Statistic], ...]] = {metric: (own,)}
        if bow is not None and of.get("scheme") != "bow":
            terms[f"{metric}-over-bow"] = (own, (-1.0, statistic(bow, baseline)))
        for name, parts in terms.items():
            found = Interval(None, None, None, f"unread (under {UNREAD} bit)", n, n)
            rows.append(
                make.row(layer, method, name, make.estimate(*parts) if read else found, **of)
            )
    return rows


BASELINES = ("mean-ablation", "unedited")
