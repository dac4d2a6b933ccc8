"""Analogy questions: a is to a* as b is to which word? Pairs, relations, and sets of questions.

How such sets are read from files: `probes.analogy.formats`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.task import Task

FEWEST_PAIRS = 2  # one gives, one is asked
MOST_QUESTIONS = 10_000_000  # 240 MB
ALL = "all"
"""Stands for the name of all relations, or all categories, together."""
SINGLE = "single sub-tokens"
"""Stands for the category where only such words are asked about."""
RESERVED = (ALL, SINGLE)
"""Names that no relation and no category may have."""


@dataclass(frozen=True)
class Pair:
    """Two words between which a relation holds: king : queen.

    Parameters
    ----------
    source : str
        The first word, as written where it comes from.
    answers : tuple of str
        Every second word that counts as right. The first one is the canonical one: it stands for
        the pair where the pair is given and not asked.

    Raises
    ------
    InputError
        If a word is blank, or an answer is missing or there twice.
    """

    source: str
    answers: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise InputError(f"a pair with the answers {self.answers!r} has no source; give a word")
        if not self.answers:
            raise InputError(f"the source {self.source!r} has no answer; give at least one")
        for number, answer in enumerate(self.answers, 1):
            if not answer.strip():
                raise InputError(
                    f"answer {number} of the source {self.source!r} is blank; give a word"
                )
        if len(set(self.answers)) < len(self.answers):
            raise InputError(
                f"an answer of the source {self.source!r} is there twice "
                f"({', '.join(self.answers)}); give each once"
            )

    @property
    def target(self) -> str:
        """The canonical answer."""
        return self.answers[0]


@dataclass(frozen=True)
class Relation:
    """Pairs of one kind, such as capitals and their countries.

    Parameters
    ----------
    name : str
        Such as ``"capital-world"``.
    category : str
        A kind of relations, such as ``"semantic"`` or ``"inflection"``; empty where it is unknown.
    pairs : tuple of Pair
        At least two. One source may stand in several pairs with other targets.

    Raises
    ------
    InputError
        If the name is blank, or it or the category is one of `RESERVED`, or there are fewer than
        two pairs, or one is there twice.
    """

    name: str
    category: str
    pairs: tuple[Pair, ...]

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InputError("a relation has no name; give one")
        require_unreserved(self.name, self.category)
        if len(self.pairs) < FEWEST_PAIRS:
            raise InputError(
                f"relation {self.name!r} has {len(self.pairs)} pair(s); a question takes "
                f"{FEWEST_PAIRS}, so give more, or leave the relation out"
            )
        seen: dict[tuple[str, str], int] = {}
        for number, pair in enumerate(self.pairs):
            other = seen.setdefault((pair.source, pair.target), number)
            if other != number:
                raise InputError(
                    f"relation {self.name!r}: {pair.source} : {pair.target} is there twice (pairs "
                    f"{other} and {number}); give it once"
                )

    @property
    def shares_targets(self) -> bool:
        """Whether several pairs have one target, so that a question's answer may be its own a*."""
        return len({pair.target for pair in self.pairs}) < len(self.pairs)


@dataclass(frozen=True, eq=False)
class AnalogySet:
    """Relations, and what is asked of them.

    Parameters
    ----------
    name : str
        How a table names the set.
    relations : tuple of Relation
        Each of another name.
    questions : ndarray of shape (n, 3), int64
        A row (r, i, j): in relation r pair i is given (a : a*), and of pair j the source is given
        and the answer asked (b : ?). Two pairs may share their source: then b is a.
    source, licence, citation : str
        Where the pairs come from, and on what terms.

    Raises
    ------
    InputError
        If two relations have one name, or a question names a relation or pair that is not there,
        or asks for the pair that it gives. The message says which.
    """

    name: str
    relations: tuple[Relation, ...]
    questions: npt.NDArray[np.int64]
    source: str = ""
    licence: str = ""
    citation: str = ""

    def __post_init__(self) -> None:
        _check_relations(self)
        _check_questions(self)

    @property
    def n_questions(self) -> int:
        """Number of questions."""
        return len(self.questions)

    @property
    def words(self) -> tuple[str, ...]:
        """All different words, as written, in order: of each pair the source, then the answers."""
        words: dict[str, None] = {}
        for relation in self.relations:
            for pair in relation.pairs:
                words[pair.source] = None
                words |= dict.fromkeys(pair.answers)
        return tuple(words)


def every_question(relations: Sequence[Relation]) -> npt.NDArray[np.int64]:
    """Ask for each pair by each other pair of its relation.

    Parameters
    ----------
    relations : sequence of Relation
        With n pairs each, of whatever numbers.

    Returns
    -------
    ndarray of shape (Σ n(n − 1), 3), int64
        As `AnalogySet` has them; relation by relation, the given pair in the order of the pairs,
        then the asked one. Where two pairs share their source (b is a) they are asked too, and so
        are those that share their target (the answer is a*); where given words are no answers,
        the latter cannot be answered.

    Raises
    ------
    InputError
        If there are more than ten million.
    """
    sizes = [len(relation.pairs) for relation in relations]
    n = sum(size * (size - 1) for size in sizes)
    if n > MOST_QUESTIONS:
        largest = relations[int(np.argmax(sizes))]
        raise InputError(
            f"all ordered pairs of pairs are {n:,} questions, at most {MOST_QUESTIONS:,} are "
            f"asked; give fewer pairs (relation {largest.name!r} has {len(largest.pairs):,})"
        )
    blocks = [np.empty((0, 3), dtype=np.int64)]
    for number, size in enumerate(sizes):
        given, asked = np.nonzero(~np.eye(size, dtype=bool))
        blocks.append(np.column_stack([np.full(len(given), number), given, asked]))
    return np.concatenate(blocks).astype(np.int64, copy=False)


def set_of_task(task: Task) -> AnalogySet:
    """Read relations and pairs back out of a task over pairs of spans.

    Parameters
    ----------
    task : Task
        Each unit is a pair, labelled by its relation: ``"category/relation"``, or the relation
        alone. Units without a label are left out.

    Returns
    -------
    AnalogySet
        The first span of a unit is the source, the second an answer: several units with one
        source and label are one pair of several answers, whatever their splits. Every question
        that the pairs allow is asked (`every_question`).

    Raises
    ------
    InputError
        If the task is over other units, or its labels are no classes, or a relation has fewer than
        two sources, or one name of a relation stands in two categories.
    """
    if task.unit != "pair" or task.kind != "class":
        raise InputError(
            f"task {task.name!r}, labelling {task.labelling!r}: unit {task.unit!r} and kind "
            f"{task.kind!r}; analogy questions need pairs of spans, each labelled by its relation"
        )
    answers: dict[str, dict[str, dict[str, None]]] = {}
    for surface, label in zip(task.surfaces, task.labels, strict=True):
        if label is not None:
            source, _, target = surface.partition("\t")
            answers.setdefault(label, {}).setdefault(source, {})[target] = None
    relations = tuple(
        _labelled(label, [Pair(source, tuple(targets)) for source, targets in pairs.items()])
        for label, pairs in answers.items()
    )
    return AnalogySet(
        name=task.name,
        relations=relations,
        questions=every_question(relations),
        source=task.source,
        licence=task.licence,
        citation=task.citation,
    )


def require_unreserved(name: str, category: str, where: str = "") -> None:
    """Refuse names that results give to several relations together.

    Parameters
    ----------
    name, category : str
        Of a relation.
    where : str
        What a complaint begins with, such as a file and a line.

    Raises
    ------
    InputError
        If one of them is of `RESERVED`.
    """
    for what, came in (("relation", name), (f"the category of relation {name!r}", category)):
        if came in RESERVED:
            begins = f"{where}: " if where else ""
            raise InputError(
                f"{begins}{what} is called {came!r}, as results call several relations together; "
                "rename it"
            )


def _labelled(label: str, pairs: Sequence[Pair]) -> Relation:
    category, slash, name = label.partition("/")
    return Relation(name if slash else label, category if slash else "", tuple(pairs))


def _check_relations(found: AnalogySet) -> None:
    where = f"analogy set {found.name!r}"
    if not found.relations:
        raise InputError(f"{where} has no relation; give at least one")
    categories: dict[str, str] = {}
    for relation in found.relations:
        if relation.name in categories:
            raise InputError(
                f"{where}: relation {relation.name!r} is there twice (category "
                f"{categories[relation.name]!r}, category {relation.category!r}); rename one"
            )
        categories[relation.name] = relation.category


def _check_questions(found: AnalogySet) -> None:
    where = f"analogy set {found.name!r}"
    questions = found.questions
    if questions.ndim != 2 or questions.shape[1] != 3 or questions.dtype != np.int64:
        raise InputError(
            f"{where}: questions have shape {questions.shape} and type {questions.dtype}, expected "
            "(n, 3) and int64: relation, given pair, asked pair"
        )
    if not len(questions):
        raise InputError(f"{where} has no question; give at least one")
    number, given, asked = questions.T
    bad = np.flatnonzero((number < 0) | (number >= len(found.relations)))
    if len(bad):
        raise InputError(
            f"{where}: question {bad[0]} is about relation {number[bad[0]]}, "
            f"there are {len(found.relations)}, numbered from 0"
        )
    sizes = np.asarray([len(relation.pairs) for relation in found.relations])[number]
    for what, pair in (("gives", given), ("asks for", asked)):
        bad = np.flatnonzero((pair < 0) | (pair >= sizes))
        if len(bad):
            raise InputError(
                f"{where}: question {bad[0]} {what} pair {pair[bad[0]]} of relation "
                f"{found.relations[number[bad[0]]].name!r}, which has {sizes[bad[0]]}, numbered "
                "from 0"
            )
    bad = np.flatnonzero(given == asked)
    if len(bad):
        raise InputError(
            f"{where}: question {bad[0]} asks for pair {asked[bad[0]]} of relation "
            f"{found.relations[number[bad[0]]].name!r} and gives it; ask for another pair"
        )
