"""The page of a run of `probes roles digits`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probes.report.plates import Grid
from probes.results import Results
from probes.roles.digits.published import Cells, claims, published, short
from probes.roles.digits.table import agreements, cells_of, in_paper
from probes.roles.naming import TITLES
from probes.roles.pages.figure import figure, peaks
from probes.roles.pages.parts import page


@dataclass(frozen=True)
class _Cell:
    """One network under one scheme; ``difference`` is ours less the published."""

    ours: str
    paper: str
    exact: str
    difference: float | None


def digits_page(results: Results, run: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Make the text of the page; as `text_page`."""
    ours = cells_of(results, "tpdn-gradient")
    schemes = list(dict.fromkeys(scheme for row in ours.values() for scheme in row))
    return page(
        "digits.html",
        {},
        run=run,
        facts=_facts(results, config, len(ours)),
        schemes=[TITLES.get(scheme, scheme) for scheme in schemes],
        table=_table(results, ours, schemes),
        agreements=agreements(results),
        claims=claims(ours),
        errors=[_errors(results, method, schemes) for method in ("tpdn-gradient", "tpdn-additive")],
        shown=_shown(run.get("example")),
    )


def _facts(results: Results, config: Mapping[str, Any], n: int) -> list[tuple[str, str]]:
    n_test = results.where(method="network")[0].n
    return [
        ("networks", f"{n}, taught once each, seed {config['seed']}"),
        (
            "data",
            f"{config['sequences']:,} distinct sequences of 1 to {config['longest']} digits over "
            f"all splits; {n_test:,} are test",
        ),
        ("decomposed", "the encoder's last vector, 60 numbers a sequence"),
        (
            "ours",
            f"embeddings of {config['filler_dim']} and {config['role_dim']} dimensions by "
            f"gradient, mean of {config['seeds']} seed{'s' if config['seeds'] > 1 else ''}",
        ),
        ("exact", "least squares, one free vector a filler and role"),
        ("paper", "McCoy, Linzen, Dunbar, Smolensky (2019), one network and one seed a cell"),
    ]


def _table(
    results: Results, ours: Cells, schemes: list[str]
) -> list[tuple[str, str, str, list[_Cell | None]]]:
    """Lay out networks down, schemes across."""
    theirs, exact = published(), cells_of(results, "tpdn-additive")
    right = {(row.model, row.task): row.value for row in results.where(method="network")}
    lines = []
    for name, row in ours.items():
        model, task = "/".join(name[:2]), name[2]
        cells = [
            _cell(row[s], theirs[in_paper(name)].get(s), exact.get(name, {}).get(s))
            if s in row
            else None
            for s in schemes
        ]
        lines.append((model, task, f"{right[model, f'digits/{task}']:.4f}", cells))
    return lines


def _cell(ours: float, paper: float | None, exact: float | None) -> _Cell:
    return _Cell(
        short(ours),
        "" if paper is None else short(paper),
        "" if exact is None else short(exact),
        None if paper is None else ours - paper,
    )


def _errors(results: Results, method: str, schemes: list[str]) -> Grid:
    """Lay out how far the decompositions are from the encodings."""
    mse, r2 = (cells_of(results, method, metric) for metric in ("mse", "r2"))
    rows = [
        [
            " ".join(("/".join(name[:2]), name[2])),
            *(f"{of[s]:.5f} (R² {r2[name][s]:.3f})" if s in of else "" for s in schemes),
        ]
        for name, of in mse.items()
    ]
    what = "by gradient, mean over seeds" if method == "tpdn-gradient" else "exact"
    caption = f"Mean squared error of the encodings on test ({what}), and R²"
    return Grid(caption, ["network", *(TITLES.get(s, s) for s in schemes)], rows)


def _shown(example: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Draw the decomposition of one sequence under the scheme that dev chooses."""
    if not example:
        return None
    schemes = example["schemes"]
    best = max(schemes, key=lambda name: schemes[name]["dev"])
    sequence = example["sequence"]
    lines = []
    for name, parts in schemes.items():
        pairs = zip(sequence, parts["roles"], strict=True)
        lines.append(
            (
                TITLES.get(name, name),
                " + ".join(f"{filler}: {role}" for filler, role in pairs),
                f"{parts['mse']:.5f}",
                " ".join(map(str, parts["answer"])),
                parts["answer"] == example["right"],
                f"{parts['test']:.3f}",
            )
        )
    return {
        "example": example,
        "scheme": TITLES.get(best, best),
        "parts": schemes[best],
        "panels": figure(example, best),
        "peaks": {name: f"{value:.3f}" for name, value in peaks(example, best).items()},
        "lines": lines,
    }
