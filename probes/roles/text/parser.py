"""Parses of words by a spaCy pipeline that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from probes.errors import InputError
from probes.roles.trees import Tree, dependency_tree
from probes.task import Task


def parse(
    task: Task, words: Sequence[Sequence[str]], pipeline: str
) -> tuple[list[Tree | None], list[list[str | None]] | None]:
    """Parse the texts of a word task, without changing their words.

    Parameters
    ----------
    task : Task
        Of words.
    words : sequence of sequence of str
        The words of each text.
    pipeline : str
        Name or folder of an installed spaCy pipeline with a parser.

    Returns
    -------
    trees : list of Tree or None
        One a text; None where the parser sees several sentences in it.
    tags : list of list of str, or None
        Universal parts of speech, one a word; None where the pipeline gives none.

    Raises
    ------
    InputError
        If the pipeline cannot be loaded, or leaves words without a head.
    """
    nlp = _loaded(pipeline)
    from spacy.tokens import Doc

    ends = np.append(task.text_index[1:] != task.text_index[:-1], True)
    spaced = np.append(task.spans[1:, 0] > task.spans[:-1, 1], False) & ~ends
    trees: list[Tree | None] = []
    tags: list[list[str | None]] = []
    has_tags = True
    first = 0
    docs = []
    for text in words:
        spaces = spaced[first : first + len(text)].tolist()
        docs.append(Doc(nlp.vocab, words=list(text), spaces=spaces))
        first += len(text)
    for doc in nlp.pipe(docs):
        if len(doc) and not doc.has_annotation("DEP"):
            raise InputError(
                f"the spaCy pipeline {pipeline!r} has no parser ({', '.join(nlp.pipe_names)}); "
                "name one that parses, such as en_core_web_sm"
            )
        heads = [0 if token.head.i == token.i else token.head.i + 1 for token in doc]
        trees.append(dependency_tree(heads) if heads.count(0) <= 1 else None)
        has_tags = has_tags and (not len(doc) or doc.has_annotation("POS"))
        tags.append([token.pos_ or None for token in doc])
    return trees, tags if has_tags else None


def _loaded(pipeline: str) -> Any:
    import spacy  # takes seconds

    try:
        return spacy.load(pipeline)
    except (OSError, ImportError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"the spaCy pipeline {pipeline!r} cannot be loaded: {reason}; give the name or the "
            "folder of an installed pipeline with a parser"
        ) from error
