"""What a run of `probes roles fit` says in words: nothing that has no interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from probes.report.series import Cells
from probes.report.words import bracket
from probes.results import Results, Row
from probes.roles.pages.charts import cells_of
from probes.roles.text.substitute import UNREAD

METHODS = {
    "tpdn-given": "Decomposition, fillers given by the model's word embeddings",
    "tpdn-additive": "Decomposition, a free vector for each pair of a filler and a role",
    "substitution": "Substitution: the model goes on from the decomposed encoding",
    "mean-ablation": "Substitution by the mean training encoding, the baseline",
    "surgery": "Surgery: one word's binding is replaced in the encoding",
    "surgery-other-word": "Surgery with a third word, the control",
    "decomposition-of-edited": "The whole decomposition of the edited sentence",
    "edited-state": "The edited sentence's own vector, the most that can be had at a layer",
    "unedited": "Nothing edited, the baseline of surgery",
}
METRICS = {
    "r2": "R²",
    "r2-over-bow": "R² above that of a bag of words",
    "r2-over-permuted": "R² above that of permuted roles",
    "selected": "1 for the fewest roles within one standard error of the best",
    "mse": "mean squared error",
    "normalised-mse": "mean squared error over that of a random target",
    "agreement": "share of sentences whose likeliest answer stays the same",
    "kl": "KL divergence from the output, bits",
    "kl-restored": "1 − KL ratio: share of the baseline's divergence that is undone",
    "kl-restored-over-bow": "1 − KL ratio above that of a bag of words",
    "state-restored": "share of the last state's squared change that is undone",
    "state-restored-over-bow": "the same above a bag of words",
    "unseen-fillers": "share of fillers that training lacks",
    "unseen-roles": "share of roles that training lacks",
    "unseen-pairs": "share of filler-role pairs that training lacks",
}
POOLINGS = {
    "mean": "the mean of its words' vectors",
    "last": "the vector of its last token",
    "first": "the vector of its first token",
}


def findings(results: Results, schemes: Sequence[str], layers: Sequence[str]) -> list[str]:
    """Say what stands out, each with its control.

    Parameters
    ----------
    results : Results
        Of one run.
    schemes, layers : sequence of str
        Of the run.

    Returns
    -------
    list of str
        Sentences; each number in them is a row's, with its interval.
    """
    others = [scheme for scheme in schemes if scheme != "bow"]
    return [
        *_compared(
            cells_of(results, "tpdn-given", "r2-over-bow"),
            others,
            layers,
            "explains more of the encodings (R²) than a bag of words does",
        ),
        *_compared(
            cells_of(results, "tpdn-given", "r2-over-permuted"),
            others,
            layers,
            "explains more of the encodings (R²) than with its roles permuted in each sentence",
        ),
        *_compared(
            cells_of(results, "substitution", "kl-restored-over-bow"),
            others,
            layers,
            "restores more of the output by substitution (1 − KL ratio) than a bag of words does",
        ),
        *_surgery(results, schemes, layers),
    ]


def _compared(
    cells: Cells, schemes: Sequence[str], layers: Sequence[str], what: str
) -> Iterator[str]:
    """Say at which layers the difference to a control lies above nought, and where it is largest.

    The schemes of which it does so are said together, and so are the others.
    """
    above, nowhere = [], []
    for scheme in schemes:
        best = _largest(cells.get(scheme, {}), layers)
        if best is None:
            continue
        largest = f"{bracket(best, True)} at layer {best.layer}"
        if places := _above(cells[scheme], layers):
            above.append(f"{scheme} at {_places(places)} (most {largest})")
        else:
            nowhere.append(f"{scheme} {largest}")
    if above:
        yield f"{what[0].upper()}{what[1:]}: {'; '.join(above)}."
    if nowhere:
        head = "No other scheme" if above else "No scheme"
        yield f"{head} {what}, at any layer; the largest differences: {'; '.join(nowhere)}."


def _surgery(results: Results, schemes: Sequence[str], layers: Sequence[str]) -> Iterator[str]:
    own = cells_of(results, "surgery", "kl-restored")
    other = cells_of(results, "surgery-other-word", "kl-restored")
    rows = [row for scheme in schemes if (row := _largest(own.get(scheme, {}), layers))]
    if not rows:
        return
    best = max(rows, key=lambda row: row.value or 0.0)
    scheme = next(s for s in schemes if own.get(s, {}).get(best.layer) is best)
    text = (
        f"Surgery restores most under {scheme} at layer {best.layer}: {bracket(best)} of "
        "the edit's effect on the output"
    )
    control = other.get(scheme, {}).get(best.layer)
    if control is not None and control.value is not None:
        text += f"; with a third word in the new one's place {bracket(control)}"
        if _apart(best, control):
            text += ", and the intervals do not overlap"
    yield f"{text}."


def caution(results: Results) -> str:
    """Say what the intervals do not guard against."""
    n = sum(
        row.low is not None
        for row in results
        if row.metric in ("r2-over-bow", "r2-over-permuted", "kl-restored-over-bow")
        and row.method in ("tpdn-given", "substitution")
    )
    return (
        "More is said where the 95 % interval of a difference lies above nought. Each interval is "
        f"of its own number alone, and there are {n} such differences: where nothing is to be "
        "found, some 5 in 100 leave out nought nevertheless, and the largest of many is larger "
        "than it would be on other data."
    )


def unread(results: Results, method: str, layers: Sequence[str]) -> str:
    """Say at which layers the output hears nothing, and why there is a gap."""
    cells = cells_of(results, method, "kl-restored")
    gaps = [
        layer
        for layer in layers
        if any(layer in found and found[layer].value is None for found in cells.values())
    ]
    if not gaps:
        return ""
    what = "the mean encoding in its place" if method == "substitution" else "the edit"
    return (
        f"No value at {_places(gaps)}: there {what} changes the output by less than {UNREAD} bit, "
        "so that there is nothing to restore (what is read lies elsewhere)."
    )


def pooling_words(pooling: str) -> str:
    """Say what a sentence's encoding is."""
    return POOLINGS.get(pooling, pooling)


def head_words(head: dict[str, Any]) -> str:
    """Say what reads the model's last state."""
    if "accuracy" not in head:
        return f"the model's own head ({head['kind']})"
    return (
        f"a linear head fitted to the last layer for {head['answers']}, {head['accuracy']:.3f} "
        f"right on test (the most frequent answer: {head['majority']:.3f})"
    )


def _largest(found: dict[str, Row], layers: Sequence[str]) -> Row | None:
    rows = [found[layer] for layer in layers if layer in found and found[layer].low is not None]
    return max(rows, key=lambda row: row.value or 0.0, default=None)


def _above(found: dict[str, Row], layers: Sequence[str]) -> list[str]:
    """List the layers whose interval lies above nought."""
    lows = {layer: row.low for layer, row in found.items()}
    return [layer for layer in layers if (lows.get(layer) or 0.0) > 0]


def _apart(one: Row, other: Row) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low > other.high or one.high < other.low


def _places(layers: Sequence[str]) -> str:
    """Write layers as ``layers 0–3 and 5``; empty for none."""
    if not layers:
        return ""
    runs: list[list[str]] = []
    for layer in layers:
        last = runs[-1][-1] if runs else ""
        if layer.isdecimal() and last.isdecimal() and int(layer) == int(last) + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    names = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs]
    return f"layer{'s' if len(layers) > 1 else ''} {', '.join(names)}"
