"""The rows of a run of analogies: averages that weigh relations alike, differences, intervals."""

import json

import numpy as np
import pytest

from probes.analogy.ask import ask
from probes.analogy.methods import Answered, answer
from probes.analogy.offsets import concentration
from probes.analogy.questions import AnalogySet, Pair, Relation, every_question
from probes.analogy.rows import AnalogyRows
from probes.analogy.shares import Resamples, percentiles
from probes.analogy.solve import Space
from probes.analogy.vectors import checked
from probes.results import Results
from tests.test_analogy_job import made


def rows_of(of: AnalogySet, words, X) -> tuple[AnalogyRows, Space]:
    vectors = checked(tuple(words), X, name="made")
    asked = ask(of, vectors)
    fixed = dict.fromkeys(("run", "task", "model", "revision", "store", "config"), "x")
    fixed |= {"task_version": "1", "n_layers": 0}
    drawn = Resamples.of(asked.relation, 0)
    make = AnalogyRows(
        fixed, 0, "pair", asked=asked, drawn=drawn, layer="static", about={"space": "as-is"}
    )
    return make, Space(vectors.X)


def relation(name: str, n: int, category: str = "") -> Relation:
    return Relation(name, category, tuple(Pair(f"{name}{k}", (f"{name}{k}x",)) for k in range(n)))


def set_of(*relations: Relation) -> AnalogySet:
    return AnalogySet("made", relations, every_question(relations))


def test_pairs_of_one_vector_are_lost_to_offsets_and_say_why() -> None:
    words, X = made()
    at = {word: k for k, word in enumerate(words)}
    for k in (2, 5):
        X[at[f"r{k}x"]] = X[at[f"r{k}"]]
    for k in range(8):
        X[at[f"s{k}x"]] = 3 * X[at[f"s{k}"]]
    kept = [k for k, word in enumerate(words) if word != "r0"]
    of = set_of(relation("r", 12), relation("s", 12))
    make, space = rows_of(of, [words[k] for k in kept], X[kept])
    rows = Results(make.offsets(space))
    assert {json.loads(row.setting)["relation"] for row in rows} == {"r"}  # of s, four are left
    for row in rows:
        assert (row.n, row.n_asked, row.n_lost) == (9, 12, 3)
        assert json.loads(row.why_lost) == {"without a vector": 1, "without an offset": 2}
    value = {row.metric: row.value for row in rows}
    mine = [k for k in range(1, 12) if k not in (2, 5)]
    pairs = make.asked.pairs[mine]
    own = concentration(space.exact(pairs[:, 0]), space.exact(pairs[:, 1]))
    assert own is not None
    assert value["p-pairing"] == own.p_pairing < value["p-flipped"] == own.p_flipped == value["p"]
    assert (value["ocs"], value["ocs-shuffled"], value["pcs"]) == (own.ocs, own.shuffled, own.pcs)
    assert value["direction"] == 1


@pytest.fixture(scope="module")
def answered() -> tuple[AnalogyRows, Results, list[Answered]]:
    """A large relation that is easy, and a small one that is not, of one category; others."""
    words, X = made(noise=0.9)
    random = np.random.default_rng(3)
    for name, n in (("t", 7), ("u", 2)):
        words += [f"{name}{k}{end}" for k in range(n) for end in ("", "x")]
        X = np.concatenate([X, random.normal(size=(2 * n, X.shape[1])).astype(np.float32)])
    kept = [k for k, word in enumerate(words) if word != "u1x"]  # of u, no question is left
    of = set_of(
        *(relation("r", 12, "a"), relation("s", 5, "a")), relation("t", 7, "b"), relation("u", 2)
    )
    make, space = rows_of(of, [words[k] for k in kept], X[kept])
    methods = ("3CosAdd", "3CosAvg", "LRCos", "ONLY-B")
    found = answer(space, make.asked, methods)
    return make, Results(make.answers(found, None)), found


def test_a_mean_over_relations_counts_each_once(answered) -> None:
    _, rows, _ = answered
    for metric in ("accuracy", "accuracy-honest"):
        for method in ("3CosAdd", "3CosAvg", "LRCos", "ONLY-B"):
            value = {name_of(row): row for row in rows.where(method=method, metric=metric)}
            mean = {
                name_of(row): row for row in rows.where(method=method, metric=f"{metric}-macro")
            }
            assert set(mean) == {"all", "all a", "all b"}
            for name, of in {"all": "rst", "all a": "rs", "all b": "t"}.items():
                assert mean[name].value == pytest.approx(np.mean([value[r].value for r in of]))
                assert mean[name].n_groups == sum({"r": 12, "s": 5, "t": 7}[r] for r in of)
    by = {name_of(row): row.value for row in rows.where(method="3CosAdd", metric="accuracy")}
    mean = {name_of(row): row.value for row in rows.where(metric="accuracy-macro")}
    assert by["all"] - by["s"] > mean["all"] - by["s"] + 0.1  # the large one weighs more in one


def name_of(row) -> str:
    of = json.loads(row.setting)
    if of["relation"] != "all":
        return of["relation"]
    return "all" if of["category"] == "all" else f"all {of['category']}"


def test_a_difference_to_only_b_is_taken_on_the_same_resamples(answered) -> None:
    _, rows, _ = answered
    over = rows.where(metric="accuracy-over-only-b")
    assert {row.method for row in over} == {"3CosAdd", "3CosAvg", "LRCos"}
    means = rows.where(metric="accuracy-macro")
    for row in over:
        (own,) = (m for m in means.where(method=row.method) if name_of(m) == name_of(row))
        (only,) = (m for m in means.where(method="ONLY-B") if name_of(m) == name_of(row))
        assert row.value == pytest.approx(own.value - only.value)
        assert row.low is None or row.low <= row.value <= row.high


def test_intervals_of_means_and_differences_are_what_a_loop_over_resamples_finds(answered) -> None:
    make, rows, found = answered
    asked = make.asked
    right = {one.method: one.right for one in found if len(one.ends) == 2}
    shares = {name: [] for name in right}
    for times in make.drawn.times:
        for name, hits in right.items():
            of_relation = []
            for one in range(3):
                here = asked.relation[asked.ends[:, 1]] == one
                weight = times[asked.ends[here, 0]] * times[asked.ends[here, 1]]
                if weight.sum():
                    of_relation.append((weight * hits[here]).sum() / weight.sum())
            shares[name].append(np.mean(of_relation))
    ends = np.quantile(shares["3CosAdd"], [0.025, 0.975])
    row = next(
        r for r in rows.where(method="3CosAdd", metric="accuracy-macro") if name_of(r) == "all"
    )
    assert (row.low, row.high) == pytest.approx(tuple(ends))
    over = np.array(shares["3CosAdd"]) - shares["ONLY-B"]
    row = next(
        r
        for r in rows.where(method="3CosAdd", metric="accuracy-over-only-b")
        if name_of(r) == "all"
    )
    assert (row.low, row.high) == pytest.approx(tuple(np.quantile(over, [0.025, 0.975])))


@pytest.mark.parametrize(
    ("value", "low", "high"), [(1.0, 0.025 ** (1 / 12), 1), (0.0, 0, 1 - 0.025 ** (1 / 12))]
)
def test_where_all_is_right_or_nothing_the_interval_is_exact_with_pairs_as_trials(value, low, high):
    found = percentiles(value, np.full(1000, value), n=132, n_pairs=12)
    assert (found.low, found.high, found.method) == (low, high, "exact, groups as trials")
    assert percentiles(0.0, np.zeros(1000), n=132, n_pairs=12, is_share=False).low is None
    assert percentiles(0.5, np.full(9, 0.5), n=2, n_pairs=2).low is None
    assert percentiles(1.0, np.ones(9), n=1, n_pairs=1).low is None


def test_of_planted_offsets_no_interval_is_without_width() -> None:
    words, X = made()
    make, space = rows_of(set_of(relation("r", 12, "a")), words, X)
    rows = Results(make.answers(answer(space, make.asked, ("3CosAdd", "ONLY-B")), None))
    row = next(r for r in rows if r.metric == "accuracy" and name_of(r) == "r")
    assert (row.value, row.low, row.n, row.n_groups) == (
        1,
        pytest.approx(0.025 ** (1 / 12)),
        132,
        12,
    )
    assert row.interval == "exact, groups as trials by pair"
    assert all(r.low < r.high for r in rows if r.low is not None)
    mean = next(r for r in rows if r.metric == "accuracy-macro")
    assert (mean.value, mean.low) == (1, row.low)
