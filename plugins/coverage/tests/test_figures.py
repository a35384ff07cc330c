"""Grids of keys, ticks of axes and shares of columns."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zcollection_coverage.drawing import Line, Tile, as_svg, heat_map, ticks
from zcollection_coverage.figures import shares_between
from zcollection_coverage.grid import MOST_CELLS, Grid

from zcollection.plugin import Key, to_html

NAMES = st.sampled_from([("year", "month", "day"), ("cycle", "pass"), ("station",), ("a", "b", "c", "d")])
TEXT = st.text(max_size=8)


@st.composite
def keys(draw):
    names = draw(NAMES)
    values = (
        st.tuples(*(st.integers(-3, 3000) for _ in names)) if draw(st.booleans()) else st.tuples(*(TEXT for _ in names))
    )
    return [
        Key(dict(zip(names, found, strict=True)))
        for found in draw(st.lists(values, min_size=1, max_size=80, unique=True))
    ]


@settings(deadline=None)
@given(keys())
def test_every_key_is_in_one_cell_of_a_grid_that_is_not_too_large(given):
    grid = Grid.of(given)
    members = [key for held in grid.cells.values() for key in held]
    assert sorted(members) == sorted(given)
    assert len(grid.cells) <= MOST_CELLS
    assert all(row < len(grid.rows) and column < len(grid.columns) for row, column in grid.cells)
    assert len(grid.rows) * len(grid.columns) <= 4 * MOST_CELLS


@pytest.mark.parametrize(
    "names", [("year", "month", "day"), ("cycle", "pass"), ("number",), ("year", "month", "day", "hour")]
)
def test_ten_thousand_keys_are_folded(names):
    sizes = {"year": 30, "month": 12, "day": 28, "hour": 24, "cycle": 40, "pass": 250, "number": 10_000}
    shape = [sizes[name] for name in names]
    columns = np.unravel_index(np.arange(10_000), shape)
    grid = Grid.of([Key(dict(zip(names, map(int, values), strict=True))) for values in zip(*columns, strict=True)])
    assert sum(map(len, grid.cells.values())) == 10_000
    assert 100 < len(grid.cells) <= 60 * 64
    assert grid.folded


INSTANTS = st.integers(-(2**40), 2**40).map(
    lambda number: np.datetime64("1970-01-01", "s") + np.timedelta64(number, "s")
)


@settings(deadline=None)
@given(INSTANTS, st.integers(0, 2**38))
def test_ticks_lie_between_the_ends_and_are_few(first, length):
    last = first + np.timedelta64(length, "s")
    found = ticks(first, last)
    assert 1 <= len(found) <= 8
    assert all(first <= value <= last or label == str(value.astype("M8[Y]")) for value, label in found)
    assert [value for value, _ in found] == sorted(value for value, _ in found)
    assert all(label for _, label in found)
    assert "T" not in "".join(label for _, label in found)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_of_numbers_are_round(first, length):
    found = ticks(first, first + length)
    assert 1 <= len(found) <= 9


def test_ticks_of_a_calendar_are_days():
    assert next(label for _, label in ticks(np.timedelta64(0, "D"), np.timedelta64(10, "D"))) == "0 d"


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=60))
def test_shares_of_columns_are_those_of_the_gaps(lengths):
    edges = np.cumsum(lengths).astype(np.float64)
    starts, stops = edges[:-1:2][: len(edges) // 2], edges[1::2]
    whole = float(edges[-1]) + 5
    found = shares_between(starts, stops, length=whole)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.sum() * whole / len(found) == pytest.approx((stops - starts).sum(), rel=1e-6, abs=1e-6)
    fine = np.linspace(0, whole, 10_001)[:-1] + whole / 20_000
    inside = ((fine[:, None] > starts) & (fine[:, None] < stops)).any(axis=1)
    assert found.mean() == pytest.approx(inside.mean(), abs=1e-2)


def test_a_place_on_a_line_is_in_proportion():
    line = Line(first=np.datetime64("2024-01-01"), last=np.datetime64("2024-01-11"), left=0.0, right=100.0)
    assert line.at(np.array(["2024-01-02", "2024-01-11"], "M8[h]")).tolist() == [10.0, 100.0]
    assert Line(first=3, last=3).at(3) == 0.0


@settings(deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=20, unique=True))
def test_a_heat_map_is_well_formed_whatever_names_are(names):
    grid = Grid.of([Key({"name": name}) for name in names])
    tiles = {place: Tile("zc-l4", str(keys[0]["name"])) for place, keys in grid.cells.items()}
    for is_titled in (True, False):
        drawn = to_html(heat_map("<a>", "b & c", grid, tiles, {"zc-l4": "<all>"}, is_titled=is_titled))
        (picture,) = re.findall("<svg.*</svg>", drawn, flags=re.DOTALL)
        cells = [part for part in ET.fromstring(picture).iter() if part.get("class") == "zc-l4"]
        assert len(cells) == (len(grid.cells) if is_titled else 1)


def test_a_picture_may_be_a_file_of_its_own():
    grid = Grid.of([Key({"name": name}) for name in ("<a>", "b & c")])
    tiles = {place: Tile("zc-l4", "<x>") for place in grid.cells}
    whole = ET.fromstring(as_svg(heat_map("<a>", "b & c", grid, tiles, {})))
    assert whole.tag == "{http://www.w3.org/2000/svg}svg"
    assert [text for text in whole.itertext() if text == "<x>"] == ["<x>", "<x>"]
    assert "prefers-color-scheme:dark" in whole[2].text
