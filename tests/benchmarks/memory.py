"""Peak memory of a piece of work, in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

Prepare = Callable[..., Callable[[], object]]


def peak(prepare: Prepare, *arguments: Any) -> tuple[float, float]:
    """Measure the peak of what `prepare` returns, called in a new process.

    Parameters
    ----------
    prepare : callable
        Of a module; loads what the work needs, and returns the work.
    *arguments
        Of `prepare`.

    Returns
    -------
    tuple of float
        Resident megabytes before the work, and at its highest during it.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (prepare, arguments))


def show(rows: dict[str, tuple[float, float]]) -> None:
    """Print one line each."""
    for name, (before, after) in rows.items():
        print(
            f"  {name}: {after - before:.0f} MB above the {before:.0f} MB of data, model and "
            f"libraries; peak {after:.0f} MB"
        )


def _peak(prepare: Prepare, arguments: tuple[Any, ...]) -> tuple[float, float]:
    work = prepare(*arguments)
    before = _high_water(reset=True)
    work()
    return before, _high_water()


def _high_water(reset: bool = False) -> float:
    """Peak resident megabytes of this process; on Linux, since the last reset."""
    if reset and Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    if Path("/proc/self/status").exists():
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(s for s in lines if s.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
