"""How much of the machine other processes take, without which no timing can be judged."""

from __future__ import annotations

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")


class Elsewhere:
    """Measures, from when it is made, the cores that other processes keep busy (Linux alone).

    On few cores a busy stranger does more than its share of harm to whatever runs one operation on
    all cores, which waits for the slowest: scikit-learn, the plain loop, and our solver.
    """

    def __init__(self) -> None:
        self._wall, self._all, self._own = time.perf_counter(), _busy(), _own()

    def show(self) -> None:
        """Print it."""
        if STAT.exists():
            wall = time.perf_counter() - self._wall
            others = max(0.0, _busy() - self._all - (_own() - self._own)) / wall
            print(
                f"other processes kept {others:.2f} of {os.cpu_count()} cores busy meanwhile"
                + (": these timings are distorted" if others > 0.1 else "")
            )


def _busy() -> float:
    """Seconds that all cores together were not idle, since the machine was started."""
    if not STAT.exists():
        return 0.0
    user, nice, system, _, _, irq, soft, steal = map(int, STAT.read_text().split()[1:9])
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
