"""A sequence with what is known of it: annotations of its items, and a tree over them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from probes.errors import InputError
from probes.roles.trees import Tree

Fillers = Sequence[Hashable]
"""What a role scheme takes: a list of fillers, or a `Sentence`, which is one and knows more."""


@dataclass(frozen=True)
class Sentence(Sequence[Hashable]):
    """Words, what is said of each, and a tree over them.

    A sentence is a sequence of its words, so that schemes that need nothing else take it and a
    plain list alike.

    Parameters
    ----------
    words : tuple of str
        The fillers.
    annotations : mapping of str to tuple of str
        By the name of the annotation (``"upos"``), one a word.
    tree : Tree, optional
        A binary tree over the words (`probes.roles.trees`).

    Raises
    ------
    InputError
        If an annotation or the tree has not as many items as there are words.
    """

    words: tuple[str, ...]
    annotations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tree: Tree | None = None

    def __post_init__(self) -> None:
        for name, values in self.annotations.items():
            if len(values) != len(self.words):
                raise InputError(
                    f"annotation {name!r} has {len(values)} items for the {len(self.words)} words "
                    f"{' '.join(self.words)!r}; give one a word"
                )
        if self.tree is not None and len(self.tree) != max(len(self.words) - 1, 0):
            raise InputError(
                f"a tree of {len(self.tree) + 1} leaves for the {len(self.words)} words "
                f"{' '.join(self.words)!r}"
            )

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, index: Any) -> Any:
        return self.words[index]
