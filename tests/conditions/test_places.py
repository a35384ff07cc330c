"""Boxes, polygons, functions and combined conditions."""

import pickle
from fractions import Fraction

import numpy as np
import pytest
from asking import asked, assert_no_contradiction, group, schema, variable, zones_of
from effort import examples
from hypothesis import example, given
from hypothesis import strategies as st

import zcollection as zc
from zcollection import rows
from zcollection.conditions.expression import Expression, as_condition
from zcollection.conditions.zones import ALWAYS, NEVER, PERHAPS, Zones

EAST, NORTH = {"units": "degrees_east"}, {"standard_name": "latitude"}


def track(dtype="f8", fill=None):
    return schema(variable("lon", dtype, attrs=EAST, fill_value=fill), variable("lat", dtype, attrs=NORTH))


def positions(longitudes, latitudes, dtype="f8"):
    return {"lon": np.array(longitudes, dtype), "lat": np.array(latitudes, dtype)}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    ("west", "east", "longitudes", "expected"),
    [
        (-170.1, 10.3, [-170.1, 189.9, 10.3, 370.3, 10.4, -170.2], [0, 1, 2, 3]),
        (170.1, -170.1, [170.1, 180, -180, 189.9, -170.1, -189.9, 0, 170], [0, 1, 2, 3, 4, 5]),
        (189.9, 200, [-170.1, -160, 189.9, -159.9], [0, 1, 2]),
        (5, 5, [5, -355, 365, 6], [0, 1, 2]),
        (350, 370, [0, 355, -5, 20], [0, 1, 2]),
        (-180, 180, [0, 5000, np.nan], [0, 1]),
        (0, 360, [-7, np.nan], [0]),
    ],
)
def test_a_box_takes_longitudes_of_any_convention_and_its_edges(dtype, west, east, longitudes, expected):
    box = rows.box(west=west, south=-1, east=east, north=1)
    assert asked(box, track(dtype), positions(longitudes, [0] * len(longitudes), dtype)) == expected


def test_a_box_includes_its_southern_and_northern_edge():
    box = rows.box(west=0, south=-0.1, east=0, north=0.1)
    latitudes = [-0.1, -0.10001, 0.1, 0.10001, np.nan, 0]
    assert asked(box, track("f4"), positions([0] * 6, latitudes, "f4")) == [0, 2, 5]


def test_a_box_takes_integers_and_passes_over_their_fill_value():
    box = rows.box(west=-1.5, south=-90, east=2, north=90)
    assert asked(box, track("i2", fill=2), positions([-2, -1, 2, 1, 359], [0] * 5, "i2")) == [1, 3, 4]


@pytest.mark.parametrize(
    ("edges", "match"),
    [
        ({"south": 2, "north": 1}, "south=2.0 is greater than north=1.0"),
        ({"north": 91}, "north=91.0; accepted: degrees from -90 to 90"),
        ({"south": float("nan")}, "south=nan; accepted"),
        ({"west": float("inf")}, "west=inf; accepted: degrees from -360 to 720"),
        ({"east": None}, "east=nan; accepted"),
        ({"west": 721}, "west=721.0"),
    ],
)
def test_edges_out_of_range_are_rejected(edges, match):
    with pytest.raises(zc.ExpressionError, match=match):
        rows.box(**{"west": 0, "south": 0, "east": 1, "north": 1} | edges)


def test_positions_are_found_by_their_attributes_or_named():
    box = rows.box(west=0, south=0, east=1, north=1)
    two = schema(
        variable("lon", "f4", attrs=EAST),
        variable("lat", "f4", attrs=NORTH),
        groups=(group("ku", variable("longitude", "f8", attrs=EAST)),),
    )
    with pytest.raises(
        zc.ExpressionError, match="2 variables along 'time' are a longitude .* name: 'lon', 'ku/longitude'"
    ):
        box.bound(two, "time")
    named = rows.box(west=0, south=0, east=1, north=1, longitude="longitude")
    assert named.bound(two, "time").variables == ("ku/longitude", "lat")
    with pytest.raises(zc.ExpressionError, match="0 variables along 'time' are a longitude .* name: 'x'"):
        box.bound(schema(variable("x", "f4")), "time")
    with pytest.raises(zc.ExpressionError, match="'name' is string; accepted: a variable of numbers"):
        rows.box(west=0, south=0, east=1, north=1, longitude="name").bound(schema(variable("name", "string")), "time")


ANGLES = st.floats(-360, 720, width=32) | st.integers(-36, 72).map(lambda tens: tens * 10.0)
LATITUDES = st.floats(-90, 90, width=32) | st.integers(-9, 9).map(lambda tens: tens * 10.0)


def agree(condition, dtype, columns, size):
    declared = track(dtype)
    bound = condition.bound(declared, "time")
    count = len(columns["lon"])
    mask = bound.mask(columns, count)
    zones = {name: zones_of(values, declared.variables[name], size) for name, values in columns.items()}
    assert_no_contradiction(bound.verdicts(zones, -(-count // size)), mask, size)
    return mask


@examples(200)
@given(
    edges=st.tuples(ANGLES, LATITUDES, ANGLES, LATITUDES),
    points=st.lists(st.tuples(ANGLES | st.just(np.nan), LATITUDES), min_size=1, max_size=12),
    dtype=st.sampled_from(["f4", "f8"]),
    size=st.integers(1, 4),
)
@example(edges=(360.0, 0.0, 10.0, 0.0), points=[(-(2.0**-52), 0.0)], dtype="f4", size=1)
def test_a_box_agrees_with_arithmetic_modulo_360_and_its_zones_with_rows(edges, points, dtype, size):
    west, south, east, north = edges[0], min(edges[1], edges[3]), edges[2], max(edges[1], edges[3])
    columns = positions(*zip(*points, strict=True), dtype)
    mask = agree(rows.box(west=west, south=south, east=east, north=north), dtype, columns, size)
    width = _eastwards(west, east) if east - west < 360 else 360
    for at, (longitude, latitude) in enumerate(points):
        if np.isnan(longitude):
            assert not mask[at]
            continue
        offset = _eastwards(west, longitude)
        if abs(offset - width) > 1e-4 and 360 - offset > 1e-4:  # an edge is rounded to the numbers of the column
            assert mask[at] == (offset < width and south <= latitude <= north)


def _eastwards(west, east):
    """Return the degrees from one longitude to another, exactly: floating point takes what is just west of an edge for the edge."""
    return (Fraction(east) - Fraction(west)) % 360


def test_a_box_decides_whole_zones():
    longitudes = [10, 11, 12, 30, 31, 32, 8, 9, 10]
    zones = {
        name: zones_of(values, track().variables[name], 3) for name, values in positions(longitudes, [1.0] * 9).items()
    }
    bound = rows.box(west=370, south=0, east=380, north=2).bound(track(), "time")
    assert bound.verdicts(zones, 3).tolist() == [ALWAYS, NEVER, PERHAPS]
    assert bound.verdicts({"lat": zones["lat"]}, 3).tolist() == [PERHAPS] * 3
    everywhere = rows.box(west=0, south=0, east=360, north=2).bound(track(), "time")
    assert everywhere.verdicts(zones, 3).tolist() == [ALWAYS] * 3


def test_a_polygon_takes_rows_inside_and_on_its_edge_of_any_convention():
    shapely = pytest.importorskip("shapely")
    shape = shapely.Polygon([(170, 0), (190, 0), (180, 10)])
    columns = positions([170, 180, -175, 185, 180, 0, np.nan, 180, 180], [0, 10, 5, 4, 11, 0, 1, np.nan, 5])
    for condition in (rows.polygon(shape), pickle.loads(pickle.dumps(rows.polygon(shape)))):
        assert asked(condition, track(), columns) == [0, 1, 2, 3, 8]
        assert condition == rows.polygon(shape)
    bound = rows.polygon(shape).bound(track(), "time")
    zones = {name: zones_of(values, track().variables[name], 3) for name, values in columns.items()}
    assert bound.verdicts(zones, 3).tolist() == [PERHAPS, PERHAPS, PERHAPS]
    inside = positions([179, 181, 179, -181], [1, 2, 2, 1]), [ALWAYS, PERHAPS]
    outside = positions([0, 1, -185, -200], [1, 2, 2, 1]), [NEVER, PERHAPS]
    for where, expected in (inside, outside):
        zones = {name: zones_of(values, track().variables[name], 2) for name, values in where.items()}
        assert bound.verdicts(zones, 2).tolist() == expected


@examples(150)
@given(
    corners=st.lists(st.tuples(st.integers(-20, 20), st.integers(-9, 9)), min_size=3, max_size=6),
    points=st.lists(st.tuples(st.integers(-20, 20), st.integers(-9, 9)), min_size=1, max_size=12),
    turn=st.sampled_from([0, 360]),
    dtype=st.sampled_from(["f4", "f8"]),
    size=st.integers(1, 4),
)
def test_a_polygon_agrees_with_shapely_and_its_zones_with_rows(corners, points, turn, dtype, size):
    shapely = pytest.importorskip("shapely")
    shape = shapely.MultiPoint([(x / 2, y / 2) for x, y in corners]).convex_hull
    columns = positions([x / 2 + turn for x, _ in points], [y / 2 for _, y in points], dtype)
    mask = agree(rows.polygon(shape), dtype, columns, size)
    expected = [shape.intersects(shapely.Point(x / 2, y / 2)) for x, y in points]
    assert mask.tolist() == expected


def test_a_value_that_is_not_a_shape_is_rejected():
    shapely = pytest.importorskip("shapely")
    with pytest.raises(zc.ExpressionError, match="accepted: a shapely geometry"):
        rows.polygon("POINT (1 1)")
    with pytest.raises(zc.ExpressionError, match="not empty"):
        rows.polygon(shapely.Polygon())
    with pytest.raises(zc.ExpressionError, match="give shapely.make_valid"):
        rows.polygon(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]))
    with pytest.raises(zc.ExpressionError, match="latitudes from -90 to 90 as y"):
        rows.polygon(shapely.box(0, 0, 1, 100))


def test_a_polygon_without_shapely_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "shapely", None)
    with pytest.raises(zc.MissingDependencyError, match="geo"):
        rows.polygon(object())


def near(latitude, longitude):
    return (np.abs(latitude) < 5) & (longitude > 0)


def test_a_function_gets_its_columns_in_order_and_writes_to_none():
    columns = positions([1.0, -1.0, 1.0], [1.0, 1.0, 9.0])
    assert asked(rows.function(near, ["lat", "/lon"]), track(), columns) == [0]
    assert rows.function(near, ["lat", "lon"]) == rows.function(near, ("lat", "lon"))
    bound = rows.function(near, ["lat", "lon"]).bound(track(), "time")
    assert bound.variables == ("lat", "lon")
    assert bound.verdicts({}, 2).tolist() == [PERHAPS, PERHAPS]

    def write(latitude):
        latitude[0] = 1
        return latitude > 0

    with pytest.raises(ValueError, match="read-only"):
        rows.function(write, ["lat"]).bound(track(), "time").mask(columns, 3)
    assert columns["lat"].flags.writeable


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda x: x, r"returned float64 of shape \(3,\); accepted: booleans of shape \(3,\)"),
        (lambda x: x[:2] > 0, r"returned bool of shape \(2,\)"),
        (lambda x: True, r"returned bool of shape \(\)"),
        (lambda x: None, "returned object"),
    ],
)
def test_a_function_that_returns_no_mask_is_rejected(function, match):
    with pytest.raises(zc.ExpressionError, match=match):
        rows.function(function, ["lat"]).bound(track(), "time").mask(positions([0] * 3, [0] * 3), 3)


def test_a_function_needs_names_of_columns():
    for names in ("lat", [], 3, [1]):
        with pytest.raises(zc.ExpressionError, match="accepted: the names of one or more variables"):
            rows.function(near, names)
    with pytest.raises(zc.ExpressionError, match="accepted: a function of arrays"):
        rows.function(3, ["lat"])
    with pytest.raises(zc.ExpressionError, match=r"'lot' is unknown; accepted: 'lon', 'lat' \(did you mean"):
        rows.function(near, ["lot", "lon"]).bound(track(), "time")


def test_conditions_combine():
    west, north = rows.expression("lon < 0"), rows.expression("lat > 0")
    columns = positions([-1, -1, 1, 1], [-1, 1, -1, 1])
    assert asked(west & north, track(), columns) == [1]
    assert asked(west | north, track(), columns) == [0, 1, 3]
    assert asked(~west & ~(north | west), track(), columns) == [2]
    assert (west & north) == (rows.expression("lon < 0") & Expression("lat > 0")) != (north & west)
    assert repr(~west | north) == "(~Expression(text='lon < 0') | Expression(text='lat > 0'))"
    bound = (west | rows.expression("year == 2024 and lon > 3") & north).bound(track(), "time", ("year",))
    assert (bound.variables, bound.fields) == (("lon", "lat"), ("year",))


def test_verdicts_combine():
    yes, no = np.array([True]), np.array([False])
    zones = {
        "lon": Zones(
            np.array([1.0, -1.0, -2.0]),
            np.array([2.0, 1.0, -1.0]),
            *(np.full(3, flag) for flag in (False, False, True)),
        ),
        "lat": Zones(np.array([1.0]), np.array([1.0]), no, no, yes),
    }
    east, north = rows.expression("lon > 0"), rows.expression("lat > 0")
    for condition, expected in (
        (east, [ALWAYS, PERHAPS, NEVER]),
        (~east, [NEVER, PERHAPS, ALWAYS]),
        (east & north, [ALWAYS, PERHAPS, NEVER]),
        (east | north, [ALWAYS] * 3),
        (~(east & ~north), [ALWAYS] * 3),
    ):
        assert condition.bound(track(), "time").verdicts(zones, 3).tolist() == expected


def test_a_condition_has_no_truth_value():
    with pytest.raises(TypeError, match="combine conditions with &, | and ~"):
        bool(rows.expression("x") and rows.expression("y"))
    with pytest.raises(TypeError):
        rows.expression("x") & "y"


def test_where_accepts_a_string_or_a_condition():
    assert as_condition("x > 1") == rows.expression("x > 1")
    assert as_condition(box := rows.box(west=0, south=0, east=1, north=1)) is box
    with pytest.raises(zc.ExpressionError, match="is a dict; accepted: an expression such as"):
        as_condition({"x": 1})
