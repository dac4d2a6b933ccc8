"""The words of a corpus that role schemes can be asked of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probes.errors import InputError, unknown
from probes.roles.schemes import Product, RoleScheme, TreeRoles, annotated
from probes.roles.sequences import Sentence
from probes.roles.text.corpus import narrowed, select, sentences_of
from probes.task import Task


def words_for(
    schemes: Sequence[RoleScheme],
    tasks: Sequence[Task],
    *,
    shortest: int,
    longest: int,
    pipeline: str | None = None,
) -> tuple[Task, list[Sentence]]:
    """Choose the texts of some lengths that have what schemes look at.

    Parameters
    ----------
    schemes : sequence of RoleScheme
        Where one needs a tree, texts that have none are left out.
    tasks, pipeline
        As `sentences_of`.
    shortest, longest : int
        The fewest and the most words.

    Returns
    -------
    words : Task
        The first of the tasks, narrowed to these texts; its counts say what was left out.
    sentences : list of Sentence
        One a text.

    Raises
    ------
    InputError
        If the tasks lack what a scheme looks at, or no text is left.
    """
    sentences = sentences_of(tasks, pipeline)
    _require_annotations(schemes, sentences)
    selection = select(sentences, shortest, longest, trees=any(map(_reads_tree, schemes)))
    return narrowed(tasks[0], selection), [sentences[k] for k in selection.texts]


def _reads_tree(scheme: RoleScheme) -> bool:
    """Whether a scheme needs the tree that a sentence carries."""
    return any(
        isinstance(part, TreeRoles) and part.parse in (None, annotated) for part in _simple(scheme)
    )


def _simple(scheme: RoleScheme) -> Iterator[RoleScheme]:
    """Take sums and products apart."""
    if len(scheme.parts) > 1:
        for part in scheme.parts:
            yield from _simple(part)
    elif isinstance(scheme, Product):
        yield from _simple(scheme.first)
        yield from _simple(scheme.second)
    else:
        yield scheme


def _require_annotations(schemes: Sequence[RoleScheme], sentences: Sequence[Sentence]) -> None:
    """Say which labelling of the task a scheme lacks, before it fails on the first sentence."""
    known = sentences[0].annotations
    for scheme in schemes:
        for part in _simple(scheme):
            name = getattr(part, "annotation", None)
            if name is not None and name not in known:
                what = f"labelling that the role scheme {scheme.name!r} looks at:"
                raise InputError(
                    f"{unknown(what, name, known)}; ask the task for it too, as in "
                    f"--task.field {' '.join([*known, name])}"
                )
