"""Coastlines of cartopy from files that these tests write, without network access."""

import socket
import sys

import numpy as np
import pytest
import shapefile
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import zcollection as zc
from zcollection.plugin import SettingError

cartopy = pytest.importorskip("cartopy")
import cartopy.crs as ccrs  # noqa: E402
from cartopy.io import Downloader  # noqa: E402


@pytest.fixture(autouse=True)
def _no_network(monkeypatch, tmp_path):
    def refuse(*_, **__):
        message = "the network was reached for"
        raise AssertionError(message)

    monkeypatch.setattr(Downloader, "_urlopen", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setitem(cartopy.config, "pre_existing_data_dir", tmp_path / "shared")
    monkeypatch.setitem(cartopy.config, "data_dir", tmp_path / "own")


def write(folder, resolution, lines):
    """Write a shapefile of coastlines where cartopy expects those of Natural Earth."""
    place = folder / "shapefiles" / "natural_earth" / "physical"
    place.mkdir(parents=True, exist_ok=True)
    with shapefile.Writer(str(place / f"ne_{resolution}_coastline"), shapeType=shapefile.POLYLINE) as file:
        file.field("name", "C")
        for line in lines:
            file.line([line])
            file.record("coast")


def rows(west=0.0, east=359.0):
    schema = zc.Schema().with_dimension("time")
    for name, units in (("lat", "degrees_north"), ("lon", "degrees_east"), ("ssh", "m")):
        schema = schema.with_variable(name, dtype="float64", dimensions=("time",), attrs={"units": units})
    number = np.linspace(0, 1, 50)
    values = {"lat": 100 * number - 50, "lon": west + (east - west) * number, "ssh": number}
    return zc.Dataset(schema.build(), values)


def coasts(ax):
    return [each for each in ax.collections if isinstance(each, LineCollection)]


COAST = [[-20.0, 10.0], [-10.0, 20.0], [5.0, 15.0]]


@pytest.mark.parametrize("place", ["shared", "own"])
def test_coastlines_are_drawn_where_the_map_shows_them(ax, tmp_path, place):
    write(tmp_path / place, "110m", [COAST, [[100, 80], [110, 85]]])
    rows().plot("ssh", ax=ax)
    (drawn,) = coasts(ax)
    found = [np.asarray(line).tolist() for line in drawn.get_segments()]
    turned = (np.array(COAST) + np.array([360, 0])).tolist()
    assert sorted(found) == sorted([COAST, turned, [[100, 80], [110, 85]]])


def test_a_map_of_a_region_has_the_finest_that_there_is(ax, tmp_path):
    write(tmp_path / "own", "110m", [COAST])
    write(tmp_path / "own", "10m", [[[3.0, 1.0], [4.0, 2.0]]])
    rows(0, 8).plot("ssh", ax=ax)
    assert [len(each.get_segments()) for each in coasts(ax)] == [1]
    assert coasts(ax)[0].get_segments()[0].tolist() == [[3, 1], [4, 2]]
    other = Figure().subplots()
    rows(0, 60).plot("ssh", ax=other)  # 50m is not there
    assert coasts(other)[0].get_segments()[0].tolist() == [[3, 1], [4, 2]]
    write(tmp_path / "shared", "50m", [COAST, COAST])
    wider = Figure().subplots()
    rows(0, 60).plot("ssh", ax=wider)
    assert len(coasts(wider)[0].get_segments()) == 2


@pytest.mark.parametrize("wanted", [None, False])
def test_without_files_there_is_a_grid_and_no_coast(ax, wanted):
    rows().plot("ssh", ax=ax, coastlines=wanted)
    assert coasts(ax) == []
    assert any(line.get_visible() for line in ax.get_xgridlines())


def test_coastlines_that_are_wanted_and_not_there_are_an_error(ax, monkeypatch):
    with pytest.raises(SettingError, match="not downloaded; .*CARTOPY_DATA_DIR"):
        rows().plot("ssh", ax=ax, coastlines=True)
    monkeypatch.setitem(sys.modules, "cartopy.io.shapereader", None)
    with pytest.raises(zc.MissingDependencyError, match=r"zcollection-plot\[coastlines\]"):
        rows().plot("ssh", ax=ax, coastlines=True)
    rows().plot("ssh", ax=ax)
    assert coasts(ax) == []


def test_axes_of_cartopy_have_the_points_in_their_projection(tmp_path):
    write(tmp_path / "own", "110m", [COAST])
    figure = Figure()
    projection = ccrs.Orthographic(central_longitude=20)
    ax = figure.add_subplot(projection=projection)
    dataset = rows(0, 60)
    assert dataset.plot("ssh", ax=ax) is ax
    points = ax.collections[-1]
    transform = points.get_offset_transform() - ax.transData
    found = transform.transform(np.asarray(points.get_offsets()))
    wanted = projection.transform_points(ccrs.PlateCarree(), dataset["lon"].to_numpy(), dataset["lat"].to_numpy())[
        :, :2
    ]
    np.testing.assert_allclose(found, wanted, atol=1)
    assert len(coasts(ax)) == 1
    assert any(type(each).__name__ == "Gridliner" for each in ax.artists)
    figure.savefig("/dev/null", format="png")
