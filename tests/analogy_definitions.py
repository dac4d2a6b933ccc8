"""Analogies by plain loops over the definitions, vectors of all kinds, and questions of them."""

from collections.abc import Callable

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import LogisticRegression, Ridge

from probes.analogy.pairs import CosAvg, LinearMap, LRCos, OfPairs, Procrustes
from probes.analogy.solve import Space, solve
from probes.analogy.words import (
    CosAdd,
    Cosines,
    CosMul,
    OfWords,
    OnlyB,
    PairDirection,
    SimilarToAny,
)

WIDTHS = (2, 5, 50)
EQUAL = 1e-12
"""Scores of the reference that differ by less are equal, and vectors that are shorter are zero."""


def unit(x: np.ndarray) -> np.ndarray:
    length = np.sqrt((x * x).sum(axis=-1, keepdims=True))
    return np.where(length < EQUAL, 0, x / np.where(length < EQUAL, 1, length))


def cos(words: np.ndarray, x: np.ndarray) -> np.ndarray:
    return unit(words) @ unit(x)


def cos_add(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    return cos(U, U[a_star] - U[a] + U[b])


def cos_mul(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    of_a, of_a_star, of_b = ((cos(U, U[word]) + 1) / 2 for word in (a, a_star, b))
    return of_a_star * of_b / (of_a + 1e-3)


def pair_direction(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    return cos(U - U[b], U[a_star] - U[a])


def only_b(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    return cos(U, U[b])


def similar_to_any(U: np.ndarray, a: int, a_star: int, b: int) -> np.ndarray:
    return np.max([cos(U, U[word]) for word in (a, a_star, b)], axis=0)


OF_WORDS: dict[type[OfWords], Callable[..., np.ndarray]] = {
    CosAdd: cos_add,
    CosMul: cos_mul,
    PairDirection: pair_direction,
    OnlyB: only_b,
    SimilarToAny: similar_to_any,
}


def cos_avg(U: np.ndarray, others: np.ndarray, b: int, b_star: int) -> np.ndarray:
    return cos(U, U[b] + U[others[:, 1]].mean(axis=0) - U[others[:, 0]].mean(axis=0))


def linear_map(U: np.ndarray, others: np.ndarray, b: int, b_star: int) -> np.ndarray:
    X, Y = U[others[:, 0]], U[others[:, 1]] - U[others[:, 0]]
    if len(X) < 3:
        return cos(U, U[b] + Y.mean(axis=0))
    errors = {}
    for penalty in 10.0 ** np.arange(-3, 3.25, 0.5):
        errors[penalty] = 0.0
        for k in range(len(X)):
            rest = np.arange(len(X)) != k
            fit = Ridge(alpha=penalty).fit(X[rest], Y[rest])
            errors[penalty] += float(((fit.predict(X[k : k + 1]) - Y[k]) ** 2).sum())
    fit = Ridge(alpha=min(errors, key=errors.__getitem__)).fit(X, Y)
    return cos(U, U[b] + fit.predict(U[b : b + 1])[0])


def procrustes(U: np.ndarray, others: np.ndarray, b: int, b_star: int) -> np.ndarray:
    X, Y = U[others[:, 0]], U[others[:, 1]]
    pull = 1e-3 * np.eye(U.shape[1])  # the square of it is the weight of being the identity
    R, _ = orthogonal_procrustes(
        np.vstack([X - X.mean(axis=0), pull]), np.vstack([Y - Y.mean(axis=0), pull])
    )
    found = Y.mean(axis=0) + (U[b] - X.mean(axis=0)) @ R
    return cos(U, found * (np.linalg.norm(found) > 1e-5))  # shorter is what the pull leaves of 0


def lr_cos(U: np.ndarray, others: np.ndarray, b: int, b_star: int) -> np.ndarray:
    n = len(others)
    random = np.random.default_rng([0, b, b_star]).integers(0, len(U), 4 * n)
    X = np.vstack([U[others[:, 1]], *[U[others[:, 0]]] * 4, U[random]])
    y = [1] * n + [0] * 8 * n
    fit = LogisticRegression(solver="liblinear", class_weight="balanced", C=1).fit(X, y)
    return fit.predict_proba(U)[:, 1] * cos(U, U[b])


OF_PAIRS: dict[type[OfPairs], Callable[..., np.ndarray]] = {
    CosAvg: cos_avg,
    LinearMap: linear_map,
    Procrustes: procrustes,
    LRCos: lr_cos,
}


def first_best(scores: np.ndarray, left_out: tuple[int, ...] = ()) -> int:
    left_in = np.setdiff1d(np.arange(len(scores)), left_out)
    if not len(left_in):
        return -1
    top = scores[left_in].max()
    return int(left_in[scores[left_in] >= top - EQUAL * max(top, 1)][0])


def normal(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(n, width))


def cone(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(n, width)) + 3


def needle(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """All words within the rounding of a cosine in float32."""
    return rng.normal(size=(n, width)) * 1e-4 + rng.normal(size=width)


def copied(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Each word four times on average, at places and of lengths of their own."""
    of = rng.normal(size=(max(n // 4, 1), width))
    return of[rng.integers(0, len(of), n)] * rng.uniform(0.1, 10, (n, 1))


def holed(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A quarter of the words zero."""
    return rng.normal(size=(n, width)) * (rng.random((n, 1)) > 0.25)


def grid(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Integers, with exact ties, opposites, parallels and zeros."""
    return rng.integers(-1, 2, (n, width)).astype(float)


def dense_grid(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-3, 4, (n, width)).astype(float)


def pairwise_near(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Each word with others at all distances from 1e-6 to 1."""
    of = unit(rng.normal(size=(max(n // 6, 1), width)))[rng.integers(0, max(n // 6, 1), n)]
    return of + 10 ** rng.uniform(-6, 0, (n, 1)) * unit(rng.normal(size=(n, width)))


def opposed(n: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """One line, seen from both sides: cosines near 1 and -1 alone."""
    side = rng.choice([-1.0, 1.0], (n, 1))
    return side * (10 ** rng.uniform(-6, -1, (n, 1)) * rng.normal(size=(n, width)) + 1)


KINDS = (
    normal,
    cone,
    needle,
    copied,
    holed,
    grid,
    dense_grid,
    pairwise_near,
    opposed,
)


def asked(n_words: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Questions in pairs' order, every eighth of which says a word twice or three times."""
    questions = rng.integers(0, n_words, (n, 3))
    questions[:, :2] = questions[rng.integers(0, n, n), :2]  # pairs that are given again and again
    same = questions[::8]
    for k, (to, come) in enumerate(((2, 0), (1, 2), (1, 0), ([1, 2], [0]))):
        same[k::4, to] = same[k::4, come]
    return questions[np.lexsort(questions.T[::-1])]


def of_words(X: np.ndarray, questions: np.ndarray, run: int | None = None) -> list[np.ndarray]:
    """Give filtered and honest answers of all methods, shape (2, n)."""
    space = Space(X)
    cosines = Cosines(space, questions)
    answers = solve(space, [method(cosines) for method in OF_WORDS], run=run)
    return [np.stack([answer.filtered, answer.honest]) for answer in answers]


def of_pairs(X: np.ndarray, pairs: np.ndarray, relations: np.ndarray) -> list[np.ndarray]:
    space = Space(X)
    answers = solve(space, [method(space, pairs, relations) for method in OF_PAIRS])
    return [np.stack([answer.filtered, answer.honest]) for answer in answers]


def related(n_words: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of relations of 6, 4, 2 and 1, not in their order."""
    relations = rng.permutation(np.repeat(np.arange(4), (6, 4, 2, 1)))
    return rng.integers(0, n_words, (len(relations), 2)), relations
