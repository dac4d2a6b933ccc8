"""Settings of `probes roles digits`."""

from __future__ import annotations

from dataclasses import dataclass

from probes.errors import InputError, unknown
from probes.roles.naming import SIX

SHAPES = ("uni", "bi", "tree")
AS_PUBLISHED = "bi-published"
"""The encoder that the authors' code has for ``bi``."""
TASKS = ("autoencode", "reverse", "sort", "interleave")
SCHEMES = tuple(scheme.name for scheme in SIX)
MOST_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class DigitsConfig:
    """Teach digit networks, decompose their encodings, and let their decoders read the result."""

    out: str
    """Folder of the run: results, tables."""
    networks: tuple[str, ...] = ("all",)
    """Which, in this order: encoder/decoder, each of uni, bi, tree, on all four tasks (autoencode,
    reverse, sort, interleave); encoder/decoder/task; or all. The encoder bi-published is what the
    authors' code has for bi."""
    schemes: tuple[str, ...] = SCHEMES
    """Role schemes of the decompositions."""
    seeds: int = 3
    """How many decompositions by gradient of each network and scheme, from weights of their own."""
    filler_dim: int = 20
    """Width of a filler's embedding, in the decompositions by gradient."""
    role_dim: int = 20
    """Width of a role's embedding, in the decompositions by gradient."""
    sequences: int = 50_000
    """How many distinct sequences, over all splits: 80 % train, 10 % dev, 10 % test."""
    longest: int = 6
    """The most digits of a sequence."""
    most_epochs: int = 100
    """The end of a network's teaching, at the latest; else when dev stops to improve."""
    seed: int = 0
    """Of the sequences, and of the networks: the weights they begin with, the order of batches."""
    store: str | None = None
    """Folder of taught networks and finished decompositions, which any run reads; by default
    `networks` beside the run's folder."""

    def __post_init__(self) -> None:
        names_of(self.networks)
        if not self.schemes:
            raise InputError("schemes is empty; give one or more")
        if len(set(self.schemes)) < len(self.schemes):
            raise InputError(f"schemes {', '.join(self.schemes)}: one stands twice")
        for name, least, most in (
            ("seeds", 1, MOST_SEEDS),
            ("filler_dim", 1, 10_000),
            ("role_dim", 1, 10_000),
            ("most_epochs", 1, 10_000),
            ("seed", 0, 2**32 - 1),
        ):
            if not least <= getattr(self, name) <= most:
                raise InputError(f"{name} {getattr(self, name)}: expected {least} to {most}")


def names_of(networks: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Read the names of networks.

    Parameters
    ----------
    networks : tuple of str
        As `DigitsConfig.networks` has them.

    Returns
    -------
    list of tuple of str
        Encoder, decoder and task of each.

    Raises
    ------
    InputError
        If a name is none, or a network is named twice.
    """
    if not networks:
        raise InputError("networks is empty; give encoder/decoder/task, or all")
    found: list[tuple[str, str, str]] = []
    for text in networks:
        named = _all() if text == "all" else _read(text)
        for names in named:
            if names in found:
                raise InputError(f"networks: {'/'.join(names)} is named twice; name it once")
        found += named
    return found


def _all() -> list[tuple[str, str, str]]:
    return [(e, d, task) for e in SHAPES for d in SHAPES for task in TASKS]


def _read(text: str) -> list[tuple[str, str, str]]:
    parts = text.split("/")
    if len(parts) not in (2, 3):
        raise InputError(
            f"network {text!r}: expected encoder/decoder or encoder/decoder/task, such as "
            "uni/uni or uni/tree/autoencode, or all"
        )
    known = (("encoder", (*SHAPES, AS_PUBLISHED)), ("decoder", SHAPES), ("task", TASKS))
    for came, (what, names) in zip(parts, known, strict=False):
        if came not in names:
            raise unknown(f"{what} of the network {text!r}:", came, names)
    tasks = TASKS if len(parts) == 2 else (parts[2],)
    return [(parts[0], parts[1], task) for task in tasks]
