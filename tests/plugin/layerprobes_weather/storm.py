"""A module that does not import."""

from dataclasses import dataclass


@dataclass
class Storm:
    """Never seen."""


raise ZeroDivisionError("the barometer is broken")
