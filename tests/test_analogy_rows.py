"""The rows of a run of analogies: averages that weigh relations alike, differences, intervals."""

import json

from probes.analogy.ask import ask
from probes.analogy.questions import AnalogySet, Pair, Relation, every_question
from probes.analogy.rows import AnalogyRows
from probes.analogy.shares import Resamples
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
    assert value["p"] == max(value["p-pairing"], value["p-flipped"]) > 0
    assert value["direction"] == 1
