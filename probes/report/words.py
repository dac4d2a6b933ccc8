"""Numbers and findings in words, the same in every kind of report."""

from __future__ import annotations

from collections.abc import Sequence

from probes.report.summary import METRIC_NAMES, Draws, Line, Summary
from probes.results import Row

GAP = "–"
MOST_NAMED = 12  # classes in a sentence; role schemes have hundreds


def number(value: float | None, sign: bool = False) -> str:
    """Write a number with three decimals and no leading zero; a gap for None."""
    if value is None:
        return GAP
    text = f"{value:+.3f}" if sign else f"{value:.3f}"
    text = text.replace("0.", ".", 1) if abs(value) < 0.9995 else text
    return text.lstrip("-+") if float(text) == 0 else text


def bracket(row: Row | None, sign: bool = False) -> str:
    """Write a number and its interval, as ``.931 [.921, .940]``."""
    if row is None or row.value is None:
        return GAP
    if row.low is None or row.high is None:
        return number(row.value, sign)
    return f"{number(row.value, sign)} [{number(row.low, sign)}, {number(row.high, sign)}]"


def spread(draws: Draws | None) -> str:
    """Write the mean over draws and their standard deviation, as ``.712 ± .012``."""
    if draws is None:
        return GAP
    return number(draws.mean) + (f" ± {number(draws.sd)}" if draws.n > 1 else "")


def layer_name(line: Line) -> str:
    """Name a layer, marked where dev chose it."""
    return f"{line.layer} dev*" if line.best else line.layer


def heading(summary: Summary) -> list[str]:
    """Say what the table is of: labelling, data, model, size."""
    info = summary.info
    parts = [summary.labelling]
    if info.get("title"):
        parts.append(str(info["title"]))
    parts.append(summary.model)
    n = (info.get("n") or {}).get("test")
    if n is not None:
        size = f"test n {n:,} {summary.unit}"
        groups = (info.get("n_groups") or {}).get("test")
        kind = str(info.get("group_kind") or "group")
        if groups is not None and f"{kind}s" != summary.unit:
            size += f" / {groups:,} {kind}s"
        parts.append(size)
    share = info.get("unseen_type_share")
    if share is not None:
        parts.append(f"unseen types {100 * share:.0f} %")
    return parts


def constancy(summary: Summary) -> str:
    """Say in one line what every layer gives of a constant labelling; nothing of any other."""
    scores = [line.score for line in summary.lines if line.score]
    if not scores or len(summary.info.get("classes") or ()) != 1:
        return ""
    return f"{number(scores[0].value)} at every layer: constant (n {scores[0].n:,})"


def crowded(summary: Summary) -> bool:
    """Whether 80 columns have no room for the second metric of classes: the footer has it then."""
    beside = any(line.unseen or line.selectivity for line in summary.lines)
    return summary.metric != "r2" and beside


def footing(summary: Summary, wide: bool = False) -> list[str]:
    """Say what stands beside the layers: baselines, losses, duplicates, edges."""
    info = summary.info
    counted = [f"lost {info.get('lost', 0):,}"]
    counted += [
        f"{what} {info[what]:,}" for what in ("truncated", "windowed", "skipped") if info.get(what)
    ]
    counted += [
        f"{what} {n:,}"
        for what, n in (info.get("counts") or {}).items()
        if wide or what == "duplicates"
    ]
    if info.get("unseen_classes"):
        counted.append(f"unseen classes {len(info['unseen_classes'])}")
    if constancy(summary):
        return counted
    parts = [f"{name} {number(row.value)}" for name, row in summary.baselines.items()]
    best = summary.best
    if summary.permuted and not wide and best is not None and best.control is not None:
        parts.insert(0, f"permuted labels {spread(best.control)}")
    if best is not None and best.second is not None and crowded(summary) and not wide:
        parts.append(f"{METRIC_NAMES[summary.second]} {bracket(best.second)} at layer {best.layer}")
    parts += counted
    if info.get("penalty_at_edge") is not None:
        probed = info.get("n_layers_probed", len(summary.lines))
        parts.append(f"penalty at edge {info['penalty_at_edge']}/{probed}")
    return parts


def findings(summary: Summary) -> list[str]:
    """Say in whole sentences what a reader must know before believing the numbers."""
    info = summary.info
    said = [_contract(summary), _losses(summary), *_lengths(summary)]
    for what, n in (info.get("counts") or {}).items():
        if n and "duplicates" not in what:  # the notes say in words which stand where
            said.append(f"{what.replace('_', ' ').capitalize()}: {n:,}.")
    share = info.get("unseen_type_share")
    if share is not None:
        said.append(
            f"{100 * share:.1f} % of the test {summary.unit} are of a type that training lacks."
        )
    unseen = info.get("unseen_classes") or {}
    if unseen:
        named = unseen.items() if isinstance(unseen, dict) else ((name, None) for name in unseen)
        parts = [f"{name} ({n:,})" if isinstance(n, int) else str(name) for name, n in named]
        more = f", and {len(parts) - MOST_NAMED:,} more" if len(parts) > MOST_NAMED else ""
        listed = ", ".join(parts[:MOST_NAMED]) + more
        said.append(f"Classes that training lacks, so that no probe can answer them: {listed}.")
    if not constancy(summary):
        said += _choices(summary)
    for note in info.get("notes") or ():
        said.append(note[:1].upper() + note[1:] + ("" if note.endswith(".") else "."))
    return said


def _contract(summary: Summary) -> str:
    found = summary.run.get("doctor")
    if not found:
        return f"The model was not examined: probes doctor {summary.run.get('model', '')} does it."
    if found["failed"]:
        return f"The model failed its examination: {', '.join(found['failed'])}."
    warned = f", with warnings: {', '.join(found['warned'])}" if found["warned"] else ""
    return f"The model passed its examination (probes doctor){warned}."


def _losses(summary: Summary) -> str:
    lost = int(summary.info.get("lost", 0))
    if not lost:
        return f"None of the {summary.unit} asked about was lost."
    why = summary.info.get("why_lost") or {}
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in why.items())
    said = f"{lost:,} of the {summary.unit} asked about got no vector or no answer"
    return f"{said} ({reasons})." if reasons else f"{said}."


def _lengths(summary: Summary) -> list[str]:
    said = []
    for what, how in (
        ("truncated", "longer than the model reads, and cut"),
        ("windowed", "longer than the model reads, and read in overlapping windows"),
        ("mended", "aligned by characters, since the tokenizer's offsets were wrong"),
        ("shortened", "cut"),
        ("skipped", "left out"),
    ):
        n = int(summary.info.get(what, 0))
        if n and what == "shortened":
            said.append(f"{n:,} {summary.unit} were cut: only their first sub-tokens were read.")
        elif n and what == "skipped":
            said.append(f"{n:,} {summary.unit} that no sub-token covers were left out.")
        elif n:
            said.append(f"{n:,} {'text was' if n == 1 else 'texts were'} {how}.")
    if not said and summary.info.get("unit") == "image":
        return ["No image was left out."]
    if not said:
        return ["No text was truncated, windowed, or left out."]
    return said


def _choices(summary: Summary) -> list[str]:
    info, said = summary.info, []
    edge, probed = info.get("penalty_at_edge"), info.get("n_layers_probed", len(summary.lines))
    if edge:
        said.append(
            f"At {edge} of {probed} layers the penalty that dev chose lies at the edge of the "
            "grid: a wider grid might do better there."
        )
    elif edge == 0:
        said.append(f"At none of {probed} layers does the chosen penalty lie at the grid's edge.")
    if summary.best is not None:
        said.append(f"Layer {summary.best.layer} was chosen on dev; all figures are of test.")
        if summary.best.first is not None and summary.best.first.value is not None:
            said.append(
                f"Words that texts begin with: {bracket(summary.best.first)} at that layer "
                f"({summary.best.first.n:,} words)."
            )
    kinds = sorted({line.score.interval for line in summary.lines if line.score} - {""})
    if kinds:
        by = str(info.get("resampled_by") or "")
        named = [kind if " by " in kind or not by else f"{kind} by {by}" for kind in kinds]
        said.append(f"Brackets are 95 % intervals: {', '.join(named)}.")
    draws = next((line.control for line in summary.lines if line.control), None)
    if draws is not None:
        what = "Permuted labels" if summary.permuted else "The control task"
        said.append(f"{what}: mean over {draws.n} draw{'s' * (draws.n != 1)} ± their sd.")
    return said


def columns(summary: Summary, wide: bool) -> list[tuple[str, Sequence[str]]]:
    """Lay out the table of a task: each column's head and cells; gaps-only columns are left out.

    Parameters
    ----------
    summary : Summary
        The task.
    wide : bool
        Whether every number comes with its interval, or the first alone (80 columns).

    Returns
    -------
    list of (str, sequence of str)
        From left to right.
    """
    lines, full = summary.lines, bracket if wide else _short
    first, second = METRIC_NAMES.get(summary.metric, summary.metric), summary.second
    laid: list[tuple[str, Sequence[str]]] = [
        ("layer", [layer_name(line) for line in lines]),
        (f"{first} [95 %]", [bracket(line.score) for line in lines]),
    ]
    if wide or not crowded(summary):
        laid.append((METRIC_NAMES.get(second, second), [full(line.second) for line in lines]))
    if wide:
        laid.append(("random model", [full(line.random) for line in lines]))
    laid.append(("over random", [full(line.over_random, True) for line in lines]))
    if not summary.permuted:
        laid.append(("control ± sd", [spread(line.control) for line in lines]))
        laid.append(("selectivity", [full(line.selectivity) for line in lines]))
    elif wide:
        laid.append(("permuted labels", [spread(line.control) for line in lines]))
    if wide:
        laid.append(("seen types", [full(line.seen) for line in lines]))
    laid.append(("unseen types", [full(line.unseen) for line in lines]))
    return laid[:2] + [(head, cells) for head, cells in laid[2:] if set(cells) != {GAP}]


def _short(row: Row | None, sign: bool = False) -> str:
    return number(row.value if row else None, sign)
