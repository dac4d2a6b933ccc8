"""What a test asks of relations and sets of analogy questions."""

import numpy as np

from probes.analogy.questions import AnalogySet, Relation


def pairs_of(relation: Relation) -> list[tuple[str, tuple[str, ...]]]:
    return [(pair.source, pair.answers) for pair in relation.pairs]


def same(one: AnalogySet, other: AnalogySet) -> bool:
    return one.relations == other.relations and np.array_equal(one.questions, other.questions)
