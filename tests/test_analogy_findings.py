"""What a page says of analogies is true of its rows: every sentence, on rows made by hand."""

import json

import pytest

from probes.analogy.pages.findings import findings
from probes.analogy.way import Way, ways
from probes.results import Results, Row


def row(method: str, metric: str, value: float | None, *, half: float | None = 0.05, **of) -> Row:
    of = {"layer": "static", "relation": "all", "category": "all", "n": 90, **of}
    setting = {"space": "as-is", "relation": of["relation"], "category": of["category"]}
    ends = (None, None) if half is None or value is None else (value - half, value + half)
    text = dict.fromkeys(
        ("run", "task", "task_version", "model", "revision", "split", "interval", "why_lost"), ""
    )
    return Row(
        **text,
        layer=of["layer"],
        n_layers=0,
        method=method,
        setting=json.dumps(setting),
        metric=metric,
        value=value,
        low=ends[0],
        high=ends[1],
        n=of["n"],
        n_groups=10,
        n_asked=of["n"],
        n_lost=0,
        seed=0,
        control_of="",
        store="",
        config="",
    )


def way_of(rows: list[Row]) -> Way:
    (way,) = ways(Results(rows), {"spaces": []})
    return way


def macro(layer: str = "static", **values: tuple[float, float]) -> list[Row]:
    """Filtered and honest means of each method, its name with _ for a hyphen."""
    rows = []
    for name, (filtered, honest) in values.items():
        method = {"add": "3CosAdd", "mul": "3CosMul", "only": "ONLY-B", "any": "similar-to-any"}
        method = method.get(name, name)
        rows.append(row(method, "accuracy", filtered, layer=layer))
        rows.append(row(method, "accuracy-macro", filtered, layer=layer))
        rows.append(row(method, "accuracy-honest-macro", honest, layer=layer))
    return rows


def test_the_method_that_is_right_most_is_named_beside_the_baselines() -> None:
    rows = macro(add=(0.5, 0.2), mul=(0.4, 0.3), only=(0.1, 0.0), any=(0.05, 0.01))
    first, second = findings(way_of(rows))[:2]
    assert first == (
        "With a, a* and b left out of the answers, 3CosAdd is right most: .500 [.450, .550], mean "
        "over relations (ONLY-B .100, similar-to-any .050)."
    )
    assert second == (
        "Honest, where any word may be the answer, 3CosMul is right most: .300 [.250, .350], mean "
        "over relations (ONLY-B .000, similar-to-any .010)."
    )


def test_where_no_method_beats_a_baseline_that_is_said() -> None:
    rows = macro(add=(0.1, 0.0), mul=(0.2, 0.0), only=(0.2, 0.0), any=(0.05, 0.0))
    first, second = findings(way_of(rows))[:2]
    assert "no method is right more often than the baseline ONLY-B: 3CosMul has .200" in first
    assert "no method is right more often than the baseline ONLY-B: 3CosAdd and 3CosMul" in second
    assert "right most" not in first + second
    rows = macro(add=(0.1, 0.0), only=(0.05, 0.0), any=(0.3, 0.0))
    assert (
        "3CosAdd is not right more often than the baseline similar-to-any: 3CosAdd has .100"
        in (findings(way_of(rows))[0])
    )


def test_methods_that_are_right_alike_share_the_sentence_and_one_alone_is_not_most() -> None:
    first, _ = findings(way_of(macro(add=(0.5, 0.2), mul=(0.5, 0.3), only=(0.1, 0.0))))[:2]
    assert ", 3CosAdd and 3CosMul are right most: .500 [" in first
    first, _ = findings(way_of(macro(add=(0.5, 0.2), only=(0.1, 0.0))))[:2]
    assert ", 3CosAdd is right: .500 [" in first


def test_only_b_is_not_compared_with_itself() -> None:
    rows = [*macro(only=(0.1, 0.0), any=(0.05, 0.0)), row("ONLY-B", "answers-b", 1.0)]
    said = findings(way_of(rows))
    assert said[0] == (
        "With a, a* and b left out of the answers, the baseline ONLY-B is right in .100 [.050, "
        ".150], mean over relations (similar-to-any .050)."
    )
    assert len(said) == 2
    layered = [*macro("0", only=(0.1, 0.0)), *macro("1", only=(0.2, 0.0))]
    (said,) = findings(way_of(layered))
    assert "Layer 1 answers most by ONLY-B: .200 [.150, .250], mean over relations, with" in said
    assert said.count("ONLY-B") == 1


def layers(over: list[float], half: float | None = 0.05) -> list[Row]:
    rows = []
    for k, value in enumerate(over):
        accuracy = 0.3 + 0.1 * (k == 1)
        rows += macro(str(k), add=(accuracy, 0.1 * k), only=(accuracy - value, 0.0))
        rows.append(row("3CosAdd", "accuracy-over-only-b", value, half=half, layer=str(k)))
    return rows


def test_the_layer_that_answers_most_is_said_to_be_chosen_by_the_same_questions() -> None:
    said, over = findings(way_of(layers([0.2, 0.2, 0.2])))
    assert said == (
        "Layer 1 answers most by 3CosAdd: .400 [.350, .450], mean over relations, with a, a* and b "
        "left out of the answers (ONLY-B .200); honest, where any word may be the answer, .100 "
        "[.050, .150]. The layer is chosen by the same questions, which flatters it."
    )
    assert over == (
        "3CosAdd lies above what the nearest words to b alone give (ONLY-B) at every layer, by the "
        "95 % interval of the difference."
    )


@pytest.mark.parametrize(
    ("values", "half", "where"),
    [
        ([0.06, 0.04, 0.2], 0.05, "at 2 of 3 layers, by"),
        ([0.04, 0.04, -0.2], 0.05, "at none of 3 layers, by"),
        ([0.2, 0.2, 0.2], None, "at none of 3 layers, by"),
    ],
)
def test_a_layer_is_above_only_b_where_the_interval_of_the_difference_is(values, half, where):
    assert where in findings(way_of(layers(values, half)))[1]


def test_what_honest_answers_fall_on_is_counted_as_the_method_counts() -> None:
    rows = [*macro(add=(0.5, 0.2), only=(0.1, 0.0)), row("3CosAdd", "answers-b", 0.75)]
    assert findings(way_of(rows))[2] == (
        "The honest answer of 3CosAdd is b itself in .750 of the questions."
    )
    rows = [*macro(LRCos=(0.5, 0.2), only=(0.1, 0.0)), row("LRCos", "answers-b", 0.75)]
    assert (
        findings(way_of(rows))[2] == "The honest answer of LRCos is b itself in .750 of the pairs."
    )
    rows = layers([0.2, 0.2])
    rows += [row("3CosAdd", "answers-b", 0.7 + 0.1 * k, layer=str(k)) for k in range(2)]
    assert findings(way_of(rows))[2] == (
        "The honest answer of 3CosAdd is b itself in .700 to .800 of the questions, by layer."
    )


def test_easy_and_hard_relations_are_named_in_order() -> None:
    rows = macro(add=(0.5, 0.2), only=(0.9, 0.9))
    for k, value in enumerate((0.3, 0.9, 0.1, 0.7, 0.5, 0.2)):
        rows.append(row("3CosAdd", "accuracy", value, relation=f"r{k}"))
        rows.append(row("ONLY-B", "accuracy", 1 - value, relation=f"r{k}"))
    assert (
        "3CosAdd answers most of r1 .900, r3 .700, r4 .500; least of r2 .100, r5 .200, r0 .300."
        in (findings(way_of(rows)))
    )
    assert not any("answers most of" in said for said in findings(way_of(rows[:-2])))


def offsets(*are: bool | None) -> list[Row]:
    rows = []
    for k, is_direction in enumerate(are):
        rows.append(row("3CosAdd", "accuracy", 0.5, relation=f"r{k}"))
        if is_direction is not None:
            for metric, value in (
                ("ocs", 0.9 - 0.1 * k),
                ("ocs-shuffled", 0.9 - 0.3 * k),
                ("direction", is_direction),
            ):
                rows.append(row("offsets", metric, float(value), half=None, relation=f"r{k}"))
    return rows


def test_directions_are_counted_and_none_is_not_called_one() -> None:
    rows = macro(add=(0.5, 0.2), only=(0.1, 0.0))
    said = findings(way_of([*rows, *offsets(True, False, True)]))[2]
    assert said.startswith("In 2 of 3 relations the offsets have one direction: more alike than")
    assert "That says that there is a direction, not that it is followed far" in said
    said = findings(way_of([*rows, *offsets(False)]))[2]
    assert said.startswith("No relation, of 1 measured, has offsets of one direction: they")
    assert "there is a direction" not in said


def test_relations_of_which_no_offsets_are_measured_are_named_and_why() -> None:
    rows = macro(add=(0.5, 0.2), only=(0.1, 0.0))
    assert findings(way_of([*rows, *offsets(True, None)]))[-1] == (
        "No offsets are measured of r1: fewer than 5 pairs of which both words have vectors, and "
        "not one and the same."
    )
    assert "of r1, r2 and r3: " in findings(way_of([*rows, *offsets(True, None, None, None)]))[-1]
    assert "of r0, r1, r2 and 2 more: " in findings(way_of([*rows, *offsets(*[None] * 5)]))[-1]


def test_relations_are_ordered_by_how_far_their_offsets_are_above_shuffled_ones() -> None:
    rows = macro(add=(0.5, 0.2), only=(0.1, 0.0))
    way = way_of([*rows, *offsets(True, True, True, None)])
    assert (way.measured, way.unmeasured) == (["r2", "r1", "r0"], ["r3"])
