"""The page of a run of `probes roles vectors`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from probes.report.plates import Grid
from probes.report.shell import typeset
from probes.report.words import GAP, number
from probes.results import Results, Row
from probes.roles.pages.charts import scheme_of
from probes.roles.pages.parts import example_grid, page

NAMES = {
    "additive": "a free vector for each filler-role pair",
    "low-rank": "embeddings of limited dimensions, by alternating least squares",
    "gradient": "embeddings of limited dimensions, by the published gradient recipe",
}


def vectors_page(results: Results, run: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Make the text of the page; as `text_page`."""
    kind = config["decomposition"]
    facts = [
        ("encodings", f"{config['train']} to fit, {config['test']} to compare"),
        ("sequences", ", ".join(f"{n:,} {split}" for split, n in run["n"].items())),
        ("decomposition", NAMES.get(kind, kind)),
        ("seed", str(config["seed"])),
    ]
    if config["learn"]:
        words = f"at most {config['learn']}, by a free vector for each filler-role pair"
        facts.append(("learned roles", words))
    if kind != "additive":
        facts.append(("dimensions", f"filler {config['filler_dim']}, role {config['role_dim']}"))
    by_scheme: dict[str, dict[str, Row]] = {}
    for row in results:
        by_scheme.setdefault(scheme_of(row), {})[row.metric] = row
    return page(
        "vectors.html",
        {},
        run=run,
        facts=facts,
        findings=_findings(by_scheme),
        standings=_standings(by_scheme),
        example=example_grid(run["example"]),
    )


def _findings(by_scheme: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Say which scheme is chosen, and which others cannot be told from the best."""
    found = []
    for scheme, rows in by_scheme.items():
        setting = json.loads(rows["mse"].setting)
        if setting["selected"]:
            behind = rows["mse-behind-best"]
            how = (
                f"its MSE lies {_behind(behind)} behind it"
                if behind.value
                else "it is the best itself"
            )
            found.append(
                f"{scheme} is chosen: the fewest roles ({setting['n_roles']:,}) within one "
                f"standard error of the best; {how}."
            )
        elif (rows["mse-behind-best"].low or 0.0) > 0:
            found.append(
                f"{scheme} is worse than the best: its MSE lies "
                f"{_behind(rows['mse-behind-best'])} behind it."
            )
    return [typeset(text) for text in found]


def _standings(by_scheme: Mapping[str, Mapping[str, Row]]) -> Grid:
    learned = any("v-measure" in of for of in by_scheme.values())
    heads = [
        "scheme", "roles", "free numbers", "MSE", "R²", "MSE behind the best [95 %]", "bits",
        "unseen roles", "unseen pairs", "tied with",
    ]  # fmt: skip
    if learned:
        heads.append("V-measure of the learned roles")
    rows = []
    for scheme, of in by_scheme.items():
        setting = json.loads(of["mse"].setting)
        rows.append(
            [
                f"{scheme} *" if setting["selected"] else scheme,
                f"{setting['n_roles']:,}",
                f"{setting['n_parameters']:,}",
                f"{of['mse'].value:.5f}",
                typeset(number(of["r2"].value)),
                typeset(_behind(of["mse-behind-best"])),
                typeset(f"{of['bits'].value:.2f}"),
                *(f"{100 * (of[f'unseen-{w}'].value or 0.0):.2f} %" for w in ("roles", "pairs")),
                ", ".join(setting["tied"]),
                *([number(of["v-measure"].value) if "v-measure" in of else GAP] if learned else []),
            ]
        )
    caption = "Schemes on test; * the fewest roles within one standard error of the best"
    return Grid(caption, heads, rows)


def _behind(row: Row) -> str:
    if row.low is None or row.high is None:
        return f"{row.value or 0.0:.5f}"
    return f"{row.value or 0.0:.5f} [{row.low:.5f}, {row.high:.5f}]"
