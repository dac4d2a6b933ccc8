"""The WiSE curve: every alpha a point, in order, with its intervals, as page and as figure."""

import json

import numpy as np
import pytest

from probes.errors import InputError
from probes.report.plots import save_figure
from probes.stats import Interval
from probes.transfer.curve import Point, wise_chart, wise_figure
from probes.transfer.robustness import clopper_pearson, fit_trend

ALPHAS = [0.0, 0.25, 0.5, 0.75, 1.0]
TREND = fit_trend([0.5, 0.7, 0.9], [0.4, 0.55, 0.8])


def points(alphas=ALPHAS):
    """A curve that bows outward, as in the paper: better under shift between the two models."""
    return [
        Point(
            a,
            clopper_pearson(round(766 + 100 * a - 10 * a * a), 1000),
            clopper_pearson(round(734 + 120 * a - 170 * a * a), 1000),
        )
        for a in alphas
    ]


def curve_of(chart):
    return next(trace for trace in chart["data"] if "error_x" in trace)


@pytest.mark.parametrize("zoomed", [False, True])
def test_every_alpha_is_a_point_in_order_whatever_the_order_given(zoomed):
    there, back = wise_chart(points(), zoomed=zoomed), wise_chart(points()[::-1], zoomed=zoomed)
    assert there == back
    trace = curve_of(there)
    assert [row[0] for row in trace["customdata"]] == ALPHAS
    assert trace["x"] == [p.home.value for p in points()]
    assert trace["y"] == [p.shifted.value for p in points()]
    assert trace["text"] == (["α = 0", "", "α = 0.5", "", "α = 1"] if zoomed else [""] * 5)
    json.dumps(there, allow_nan=False)


def test_intervals_are_drawn_from_end_to_end():
    trace = curve_of(wise_chart(points()))
    for axis, side in (("x", "home"), ("y", "shifted")):
        arms = trace[f"error_{axis}"]
        lows = np.array(trace[axis]) - arms["arrayminus"]
        highs = np.array(trace[axis]) + arms["array"]
        np.testing.assert_allclose(lows, [getattr(p, side).low for p in points()])
        np.testing.assert_allclose(highs, [getattr(p, side).high for p in points()])


def test_all_accuracies_are_shown_or_just_those_there_are():
    full, near = (wise_chart(points(), zoomed=z)["layout"] for z in (False, True))
    assert full["xaxis"]["range"] == full["yaxis"]["range"] == [0, 1]
    for axis, side in (("xaxis", "home"), ("yaxis", "shifted")):
        low, high = near[axis]["range"]
        ends = [getattr(p, side) for p in points()]
        assert 0.5 < low < min(i.low for i in ends) < max(i.high for i in ends) < high < 1


def test_the_trend_is_drawn_where_it_is_given():
    assert len(wise_chart(points(), zoomed=True)["data"]) == 1
    line = wise_chart(points(), zoomed=True, trend=TREND)["data"][0]
    np.testing.assert_allclose(line["y"], TREND.expected(line["x"]))


def test_points_without_intervals_are_points():
    bare = [Point(a, Interval(v, None, None, "", 1, 1), Interval(v, None, None, "", 1, 1))
            for a, v in ((0.0, 1.0), (1.0, 1.0))]  # fmt: skip
    trace = curve_of(wise_chart(bare, zoomed=True))
    assert trace["error_x"]["array"] == [0, 0]
    low, high = wise_chart(bare, zoomed=True)["layout"]["xaxis"]["range"]
    assert low < 1 <= high


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_figure_is_the_same_bytes_every_time(tmp_path, ending):
    written = []
    for _ in range(2):
        save_figure(wise_figure(points(), trend=TREND), tmp_path / f"wise.{ending}")
        written.append((tmp_path / f"wise.{ending}").read_bytes())
    assert written[0] == written[1]
    if ending == "svg":
        assert all(f"α = {a}".encode() in written[0] for a in ("0", "0.5", "1"))


def test_the_figure_has_a_full_and_a_near_panel():
    full, near = wise_figure(points(), trend=TREND).axes
    assert full.get_xlim() == full.get_ylim() == (0, 1)
    assert near.get_xlim()[0] > 0.5
    curve = next(line for line in near.lines if line.get_label() == "alpha between 0 and 1")
    assert curve.get_xdata().tolist() == [p.home.value for p in points()]


@pytest.mark.parametrize("draw", [wise_chart, wise_figure])
def test_what_is_no_curve_is_refused(draw):
    for alphas in ([], [0.5], [0.5, 0.5]):
        with pytest.raises(InputError, match="two or more, each once"):
            draw(points(alphas))
    (point,) = points([0.5])
    with pytest.raises(InputError, match=r"alpha 1\.5 of a curve"):
        draw([point, Point(1.5, point.home, point.shifted)])
    undefined = Interval(None, None, None, "", 0, 0)
    with pytest.raises(InputError, match="accuracy at alpha 1 is undefined"):
        draw([point, Point(1.0, point.home, undefined)])
