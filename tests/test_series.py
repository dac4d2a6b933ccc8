"""Numbers by layer, a line a name: no line looks like the control of another."""

from probes.report.series import COLOURS, series_chart
from tests.test_analogy_findings import row


def test_dots_are_of_controls_alone_whatever_the_number_of_lines() -> None:
    names = [f"name {k}" for k in range(3 * COLOURS)]
    cells = {name: {"0": row(name, "accuracy", 0.5, layer="0")} for name in names}
    faint = {name: {"0": 0.4} for name in names[-2:]}
    chart = series_chart(
        cells, names, ["0"], "accuracy", faint=faint, beside={"most": cells["name 0"]}
    )
    lines = [trace for trace in chart["data"] if "name" in trace]
    dashes = {trace["name"]: trace["line"]["dash"] for trace in lines}
    assert [dashes[name] for name in names[::COLOURS]] == ["solid", "dash", "longdash"]
    assert dashes["most"] == "dashdot"
    dotted = [trace for trace in chart["data"] if trace["line"].get("dash") == "dot"]
    assert [trace["y"] for trace in dotted] == [[0.4], [0.4]]
    looks = [(t["line"]["color"], t["line"]["dash"], t["marker"]["symbol"]) for t in lines]
    assert len(set(looks)) == len(looks) == len(names) + 1
