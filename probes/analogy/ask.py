"""A set of analogies among the words of a vocabulary: what can be asked, and what is right."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from probes.analogy.questions import AnalogySet
from probes.analogy.vectors import Vectors
from probes.errors import InputError

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NONE = -2
"""No word; a question without an answer has -1."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What of a set can be asked of a vocabulary.

    Parameters
    ----------
    of : AnalogySet
        The set.
    words : ndarray of shape (n_questions, 3), int64
        a, a* and b of each question by their places in the vocabulary. Questions of one given pair
        stand together.
    ends : ndarray of shape (n_questions, 2), int64
        The pair that is given and the pair that is asked, by their numbers in `pairs`.
    pairs : ndarray of shape (n_pairs, 2), int64
        Of all pairs of the set, relation by relation, the source and the first answer by their
        places; -1 where the vocabulary lacks it.
    relation : ndarray of shape (n_pairs,), int64
        Of each pair.
    accepted : tuple of ndarray of int64
        Of each pair, the answers that the vocabulary has, by their places.
    n_lost : ndarray of shape (n_relations,), int64
        Questions that cannot be asked, since the vocabulary lacks a, a*, b or all answers.
    """

    of: AnalogySet
    words: Ints
    ends: Ints
    pairs: Ints
    relation: Ints
    accepted: tuple[Ints, ...]
    n_lost: Ints

    @property
    def whole(self) -> Ints:
        """The pairs of which the vocabulary has both words."""
        return np.flatnonzero((self.pairs >= 0).all(axis=1))

    def right(self, pairs: Ints, answers: Ints) -> Flags:
        """Say which words answer which pairs, each of shape (n,)."""
        return np.asarray((self._table[pairs] == answers[:, None]).any(axis=1))

    def given_away(self) -> Flags:
        """Say which questions have no answer but a, a* or b: filtered, none is right."""
        answers = self._table[self.ends[:, 1]]
        own = (answers[:, :, None] == self.words[:, None, :]).any(axis=2)
        return np.asarray((own | (answers == NONE)).all(axis=1))

    @cached_property
    def _table(self) -> Ints:
        """The accepted answers, a row a pair, filled up with no word."""
        longest = max((len(words) for words in self.accepted), default=0)
        table = np.full((len(self.accepted), max(longest, 1)), NONE, np.int64)
        for pair, words in enumerate(self.accepted):
            table[pair, : len(words)] = words
        return table


def ask(of: AnalogySet, vectors: Vectors) -> Asked:
    """Look up the words of a set.

    Parameters
    ----------
    of : AnalogySet
        Relations and questions.
    vectors : Vectors
        The vocabulary; a word counts as known where it is there but for case.

    Returns
    -------
    Asked
        The questions that can be asked.

    Raises
    ------
    InputError
        If there is none.
    """
    pairs: list[list[int]] = []
    relation: list[int] = []
    accepted: list[Ints] = []
    starts: list[int] = []
    for number, one in enumerate(of.relations):
        starts.append(len(pairs))
        for pair in one.pairs:
            places = [vectors.place(answer) for answer in pair.answers]
            source = vectors.place(pair.source)
            pairs.append([-1 if place is None else place for place in (source, places[0])])
            accepted.append(np.array([p for p in places if p is not None], np.int64))
            relation.append(number)
    table, first = np.array(pairs, np.int64).reshape(-1, 2), np.array(starts, np.int64)
    ends = of.questions[:, 1:] + first[of.questions[:, 0]][:, None]
    words = np.column_stack([table[ends[:, 0]], table[ends[:, 1], 0]])
    has_answer = np.array([len(words) > 0 for words in accepted])
    known = (words >= 0).all(axis=1) & has_answer[ends[:, 1]]
    if not known.any():
        raise InputError(
            f"none of the {of.n_questions:,} questions of {of.name} can be asked of the "
            f"{len(vectors):,} words of {vectors.name}; give vectors of the set's language, or "
            "more words"
        )
    lost = np.bincount(of.questions[~known, 0], minlength=len(of.relations))
    order = np.argsort(ends[known, 0], kind="stable")
    return Asked(
        of,
        words[known][order],
        ends[known][order],
        table,
        np.array(relation, np.int64),
        tuple(accepted),
        lost,
    )
