"""The job ``probes roles probe``: role schemes as the target of the main job."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from probes.configs import RolesProbeConfig
from probes.diagnostic.plan import Plan
from probes.diagnostic.questions import Ints
from probes.diagnostic.run import Progress, run_probe
from probes.roles.naming import parse_scheme
from probes.roles.text.labels import places, role_labels
from probes.task import Task

NOTES = (
    "the baseline position answers the commonest training role of a word's place, counted from "
    "both ends of its text",
    "the control task gives each word one label wherever it stands: where a word is easier to read "
    "than its role, selectivity is below zero",
)
"""What a reader of the page must know of the figures beside a role's."""


def run_roles_probe(config: RolesProbeConfig, progress: Progress | None = None) -> Path | None:
    """Probe every layer of a model for the roles of words, and write a run's folder.

    Parameters
    ----------
    config : RolesProbeConfig
        Every setting.
    progress : Progress, optional
        Where to show how far the run is; nowhere by default.

    Returns
    -------
    Path or None
        As `run_probe`.

    Raises
    ------
    InputError
        As `run_probe` and `role_labels`.

    Notes
    -----
    Word identity says how much of a role is known where only the word is (``the`` is seldom last);
    the control task, what a probe could store of a role for each word; the baseline ``position``,
    how much of a tree place or a neighbour is known where only the place in the text is, counted
    from both ends. The schemes ltr, rtl and bi it answers without a fault, by their definition.
    """
    schemes = [parse_scheme(name) for name in config.schemes]

    def ask(tasks: Sequence[Task]) -> Sequence[Task]:
        found = role_labels(
            tasks,
            schemes,
            shortest=config.shortest,
            longest=config.longest,
            pipeline=config.pipeline,
        )
        return [dataclasses.replace(task, notes=(*task.notes, *NOTES)) for task in found]

    return run_probe(config, progress, Plan("probes roles probe", ask, _position, constant=True))


def _position(task: Task) -> Mapping[str, Ints]:
    return {"position": places(task)}
