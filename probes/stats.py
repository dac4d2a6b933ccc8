"""How sure: intervals that count groups and not units.

Units of one document are alike, so 25,000 words in 300 documents are not 25,000 observations. The
intervals here treat the *group* as the observation: many groups are resampled (a cluster
bootstrap), few groups get a t with as many degrees of freedom as there are groups that weigh.

Differences of metrics (`probes.metrics`) are sums of values, influences and resampled values, so a
paired comparison sees the same units and the same resamples on both sides.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from probes.errors import InputError, unknown
from probes.metrics import Codes, Floats, Metric, Statistic, measure

FEWEST_DOCUMENTS = 40
"""With fewer documents than this, sentences are the groups."""

RESAMPLED = range(100, 5_001)
"""Numbers of groups that are resampled: fewer cover too little, more only cost (t is equal)."""

FEWEST_EFFECTIVE = 8.0
"""With fewer effective groups than this too few resamples lie in the tails to read them."""

EXACT = "exact, groups as trials"
"""Names the interval of units that are all right, or all wrong."""

_BLOCK = 250


@dataclass(frozen=True)
class Interval:
    """A number and how sure it is.

    Parameters
    ----------
    value : float or None
        The number; None where it is undefined (a constant has no R² and no rank correlation).
    low, high : float or None
        The interval, ``low <= value <= high``; None where there is none (one group alone).
    method : str
        ``"cluster bootstrap"``, ``"cluster-robust t"``, ``"exact, groups as trials"`` (all units
        right, or none), or empty where there is no interval.
    n, n_groups : int
        Number of units and of groups that the number rests on.
    """

    value: float | None
    low: float | None
    high: float | None
    method: str
    n: int
    n_groups: int


def choose_groups(documents: Sequence[Any], sentences: Sequence[Any]) -> tuple[Codes, str]:
    """Choose what is resampled: documents where there are enough of them, else sentences.

    Parameters
    ----------
    documents, sentences : sequence
        The document and the sentence of each unit, as names or numbers.

    Returns
    -------
    codes : ndarray of shape (n_units,), int64
        The group of each unit, 0 … n_groups - 1.
    name : {"document", "sentence"}
        What a group is.

    Notes
    -----
    With `FEWEST_DOCUMENTS` or more, documents. Intervals from fewer clusters are very wide, or
    cover too little (Cameron, Gelbach & Miller 2008).
    """
    codes, n_groups = _group_codes(documents)
    if n_groups >= FEWEST_DOCUMENTS:
        return codes, "document"
    return _group_codes(sentences)[0], "sentence"


def interval(
    metric: Metric,
    gold: npt.ArrayLike,
    predicted: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Interval:
    """Estimate a metric and an interval for it, from groups of units that may be alike.

    Parameters
    ----------
    metric : {"accuracy", "macro-f1", "mcc", "r2", "spearman"}
        What is estimated.
    gold, predicted : array_like of shape (n_units,)
        Class codes (int) for the first two metrics, 0 and 1 for ``"mcc"``, numbers for the others.
    groups : array_like of shape (n_units,)
        The group of each unit, as names or numbers.
    level : float
        Coverage that is asked for.
    seed : int
        Of the resamples. Equal groups and an equal seed give equal resamples, so that layers are
        compared on the same ones.
    n_resamples : int
        Number of resamples, where there are any.

    Returns
    -------
    Interval
        The value and its interval.

    Raises
    ------
    InputError
        If the columns are empty or differ in length, or the metric is unknown.

    Notes
    -----
    Let d_g be the summed influence of group g, h_g its share of the units, and
    V = Σ d_g² / (1 - h_g) its bias-corrected variance ("CR2"; Bell & McCaffrey 2002). The degrees
    of freedom ν are Satterthwaite's for V under errors that are equally correlated within a group
    (Imbens & Kolesár 2016), with the correlation estimated by analysis of variance: ν is near
    G - 1 for equal groups, and far below it where a few groups hold most units.

    With fewer groups than `RESAMPLED` holds, or fewer effective groups than `FEWEST_EFFECTIVE`
    (the less of ν and (Σ d_g²)² / Σ d_g⁴): value ± t(ν) √V on a scale without bounds (logit for
    accuracy and F1, Fisher's z for Spearman and MCC, -log(1 - R²) for R²; a difference stays on its
    own).
    Else whole groups are resampled, and the quantiles are read not at α/2 but at
    Φ(-t(ν) √(V / Σ d_g²)): the percentile interval, widened by as much as the t is wider than the
    normal (Hesterberg 2015, §5.3; on the cluster bootstrap Davison & Hinkley 1997, §3.8, and
    Cameron, Gelbach & Miller 2008). Measured over
    10 to 300 simulated groups, equal to very unequal in size (``tests/test_stats.py``): 94.3 to
    96.8 % for accuracy, 93.7 to 95.5 % for macro-F1, 94.2 to 95.5 % for R².
    """
    return contrast_interval(
        metric, [(1.0, gold, predicted)], groups, level=level, seed=seed, n_resamples=n_resamples
    )


def paired_interval(
    metric: Metric,
    gold: npt.ArrayLike,
    predicted_a: npt.ArrayLike,
    predicted_b: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    gold_b: npt.ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Interval:
    """Estimate the difference a - b of a metric over the same units, on the same resamples.

    Parameters
    ----------
    metric, groups, level, seed, n_resamples
        As in `interval`.
    gold : array_like of shape (n_units,)
        What a is scored by, and b too unless `gold_b` is given.
    predicted_a, predicted_b : array_like of shape (n_units,)
        The two predictions.
    gold_b : array_like of shape (n_units,), optional
        What b is scored by, as where b is a control task.

    Returns
    -------
    Interval
        Of the difference.
    """
    terms = [(1.0, gold, predicted_a), (-1.0, gold if gold_b is None else gold_b, predicted_b)]
    return contrast_interval(metric, terms, groups, level=level, seed=seed, n_resamples=n_resamples)


def contrast_interval(
    metric: Metric,
    terms: Sequence[tuple[float, npt.ArrayLike, npt.ArrayLike]],
    groups: npt.ArrayLike,
    *,
    level: float = 0.95,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Interval:
    """Estimate a weighted sum of one metric over the same units, on the same resamples.

    Selectivity over five draws of a control task is ``[(1, gold, predicted), (-1/5, control gold,
    control predicted), …]``.

    Parameters
    ----------
    metric, groups, level, seed, n_resamples
        As in `interval`.
    terms : sequence of (float, array_like, array_like)
        Weight, gold and predicted of each term.

    Returns
    -------
    Interval
        Of the sum.
    """
    if metric not in get_args(Metric):
        raise unknown("metric", metric, get_args(Metric))
    if not 0 < level < 1:
        raise InputError(f"level {level} of an interval; give a share between 0 and 1, as 0.95")
    codes, n_groups = _group_codes(groups)
    parts = [
        (weight, _checked(metric, gold, predicted, codes, n_groups))
        for weight, gold, predicted in terms
    ]
    single = len(parts) == 1 and parts[0][0] == 1.0
    value = parts[0][1].value
    is_edge = metric in ("accuracy", "macro-f1") and value in (0.0, 1.0)
    if single and is_edge and n_groups > 1:
        low, high = exact(value, n_groups, level)
        return Interval(value, low, high, EXACT, len(codes), n_groups)
    return interval_of(
        parts,
        codes,
        n_groups,
        level=level,
        seed=seed,
        n_resamples=n_resamples,
        scale=metric if single else None,
    )


def interval_of(
    parts: Sequence[tuple[float, Statistic]],
    codes: Codes,
    n_groups: int,
    *,
    level: float = 0.95,
    seed: int = 0,
    n_resamples: int = 1000,
    scale: Metric | None = None,
) -> Interval:
    """Estimate a weighted sum of statistics over the same units, on the same resamples.

    Parameters
    ----------
    parts : sequence of (float, Statistic)
        Weight and statistic of each term.
    codes : ndarray of shape (n_units,), int64
        The group of each unit, 0 … n_groups - 1.
    n_groups : int
        Number of groups.
    level, seed, n_resamples
        As in `interval`.
    scale : str, optional
        The metric whose scale without bounds a t is taken on; the value's own by default.

    Returns
    -------
    Interval
        Of the sum.
    """
    value = float(sum(weight * part.value for weight, part in parts))
    influence = np.sum([weight * part.influence for weight, part in parts], axis=0)
    count = (len(codes), n_groups)
    if not np.isfinite(value):
        return Interval(None, None, None, "", *count)
    if n_groups < 2 or not np.bincount(codes, influence).any():  # groups that do not differ
        return Interval(value, None, None, "", *count)
    reach, widening, effective = _reach(influence, codes, n_groups, level)
    if n_groups in RESAMPLED and effective >= FEWEST_EFFECTIVE:
        draws = np.concatenate(
            [
                sum(weight * part.resample(block) for weight, part in parts)
                for block in _resamples(n_groups, n_resamples, seed)
            ]
        )
        low, high = _quantiles(draws, widening)
        method = "cluster bootstrap"
    else:
        low, high = _t_bounds(scale, value, reach)
        method = "cluster-robust t"
    return Interval(value, min(low, value), max(high, value), method, *count)


def _checked(metric: Metric, gold: Any, predicted: Any, codes: Codes, n_groups: int) -> Statistic:
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    if not gold.shape == predicted.shape == codes.shape:
        raise InputError(
            f"{metric}: gold has shape {gold.shape}, predicted {predicted.shape}, "
            f"groups {codes.shape}; give one of each a unit"
        )
    if metric == "mcc" and not np.isin(np.concatenate([gold, predicted]), (0, 1)).all():
        raise InputError(f"{metric} is of two classes, coded 0 and 1; came others")
    if metric in ("r2", "spearman") and not (np.isfinite(gold) & np.isfinite(predicted)).all():
        raise InputError(f"{metric}: a gold or predicted value is not finite; leave such units out")
    return measure(metric, gold, predicted, codes, n_groups)


def _reach(
    influence: Floats, codes: Codes, n_groups: int, level: float
) -> tuple[float, float, float]:
    """Half-width of the t interval, the same in plain standard errors, and effective groups."""
    from scipy.special import stdtrit

    sizes = np.bincount(codes, minlength=n_groups).astype(np.float64)
    share = sizes / sizes.sum()
    moved = np.asarray(np.bincount(codes, influence, n_groups), np.float64)
    corrected, plain = float(np.sum(moved**2 / (1 - share))), float(np.sum(moved**2))
    df = _satterthwaite(1 / (1 - share), _expected(influence, moved, sizes), share)
    t = float(stdtrit(df, (1 + level) / 2))
    if plain <= 0:
        return 0.0, t, 0.0
    effective = min(df, plain**2 / float(np.sum(moved**4)))
    return t * np.sqrt(corrected), t * np.sqrt(corrected / plain), effective


def _expected(influence: Floats, moved: Floats, sizes: Floats) -> Floats:
    """Variance of each group's influence, if all units correlate equally within their group."""
    n, n_groups = len(influence), len(sizes)
    between = float(np.sum(moved**2 / sizes))
    within = float(np.sum(influence**2)) - between
    if n == n_groups or between <= 0:
        return sizes
    between, within = between / (n_groups - 1), within / (n - n_groups)
    typical = (n - np.sum(sizes**2) / n) / (n_groups - 1)
    correlation = np.clip((between - within) / (between + (typical - 1) * within), 0.0, 1.0)
    return sizes + correlation * sizes * (sizes - 1)


def _satterthwaite(scale: Floats, expected: Floats, share: Floats) -> float:
    """Degrees of freedom of Σ scale_g (e_g - share_g Σ e)², with e_g of variance expected_g.

    They are tr(K)² / tr(K²), where K is the covariance of the summed terms; K is diagonal plus
    rank two, so both traces are sums over groups.
    """
    total = expected.sum()
    own = -2 * share * expected + total * share**2
    trace = np.sum(scale * (expected + own))
    ss, ee, se = (np.sum(scale * x) for x in (share**2, expected**2, share * expected))
    off = 2 * ss * ee + 2 * se**2 + total**2 * ss**2 - 4 * total * ss * se
    squares = off + np.sum(scale**2 * expected * (expected + 2 * own))
    return float(np.clip(trace**2 / squares, 1.0, max(len(share) - 1, 1)))


def _resamples(n_groups: int, n_resamples: int, seed: int) -> list[Floats]:
    """How often each resample draws each group, in blocks of shape (≤ 250, n_groups)."""
    starts = range(0, n_resamples, _BLOCK)
    return [_block(n_groups, min(_BLOCK, n_resamples - s), seed, s) for s in starts]


@functools.lru_cache(maxsize=16)
def _block(n_groups: int, n_rows: int, seed: int, start: int) -> Floats:
    rng = np.random.default_rng([seed, start])
    drawn = rng.integers(n_groups, size=(n_rows, n_groups)) + n_groups * np.arange(n_rows)[:, None]
    counts = np.bincount(drawn.reshape(-1), minlength=n_rows * n_groups)
    weights = counts.reshape(n_rows, n_groups).astype(np.float64)
    weights.flags.writeable = False
    return weights


def _quantiles(draws: Floats, reach: float) -> tuple[float, float]:
    from scipy.special import ndtr

    tail = float(ndtr(-reach))
    draws = draws[np.isfinite(draws)]
    return float(np.quantile(draws, tail)), float(np.quantile(draws, 1 - tail))


def _t_bounds(metric: Metric | None, value: float, reach: float) -> tuple[float, float]:
    """Go `reach` both ways on a scale without bounds; a difference stays on its own."""
    if metric in ("accuracy", "macro-f1") and 0 < value < 1:
        centre, step = np.log(value / (1 - value)), reach / (value * (1 - value))
        low, high = (0.5 + 0.5 * np.tanh((centre + sign * step) / 2) for sign in (-1, 1))
    elif metric in ("spearman", "mcc") and abs(value) < 1:
        centre, step = np.arctanh(value), reach / (1 - value**2)
        low, high = (np.tanh(centre + sign * step) for sign in (-1, 1))
    elif metric == "r2" and value < 1:
        low, high = (1 - (1 - value) * np.exp(sign * reach / (1 - value)) for sign in (1, -1))
    else:
        low, high = value - reach, value + reach
    return float(low), float(high)


def exact(value: float, n_trials: int, level: float = 0.95) -> tuple[float, float]:
    """Give the Clopper-Pearson interval of no failure, or no success, with groups as trials.

    Parameters
    ----------
    value : float
        1 (no failure) or 0 (no success).
    n_trials : int
        Number of groups.
    level : float
        Coverage that is asked for.

    Returns
    -------
    low, high : float
        No variance can be estimated then, so units are taken to agree wholly within their group:
        the interval is too wide rather than too narrow (Korn & Graubard 1998).
    """
    edge = ((1 - level) / 2) ** (1 / n_trials)
    return (edge, 1.0) if value == 1.0 else (0.0, 1.0 - edge)


def _group_codes(groups: Any) -> tuple[Codes, int]:
    column = np.asarray(groups)
    if column.ndim != 1 or len(column) == 0:
        raise InputError(f"groups have shape {column.shape}; give one group a unit, one at least")
    names, codes = np.unique(column, return_inverse=True)
    return codes.reshape(-1).astype(np.int64), len(names)
