"""Maps draw the rows at their positions: offsets and colours are read back, and compared with the rows."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from zcollection_plot import track

import zcollection as zc
from zcollection.plugin import SettingError

ROWS = 12_000


def schema():
    return (
        zc.Schema()
        .with_dimension("time", chunks=256)
        .with_dimension("across", size=3)
        .with_variable("time", dtype="datetime64[s]", dimensions=("time",))
        .with_variable("lat", dtype="float64", dimensions=("time",), attrs={"units": "degrees_north"})
        .with_variable("lon", dtype="float64", dimensions=("time",), attrs={"units": "degrees_east"})
        .with_variable(
            "ssh",
            dtype="float32",
            dimensions=("time",),
            fill_value=np.nan,
            attrs={"units": "m", "long_name": "sea level"},
        )
        .with_variable("flag", dtype="int8", dimensions=("time",), fill_value=-1)
        .with_variable("name", dtype="S4", dimensions=("time",))
        .with_variable("wave", dtype="float32", dimensions=("time", "across"), fill_value=np.nan)
        .with_variable("wide_lat", dtype="float64", dimensions=("time", "across"), attrs={"units": "degrees_north"})
        .with_variable("wide_lon", dtype="float64", dimensions=("time", "across"), attrs={"units": "degrees_east"})
    )


def orbit(rows=ROWS, *, from_0=True):
    """Return positions and values of an orbit, some missing; a row a second."""
    number = np.arange(rows)
    latitude = 66 * np.sin(2 * np.pi * number / 6745)
    longitude = (120 + number * 0.061 + 30 * np.sin(4 * np.pi * number / 6745)) % 360
    if not from_0:
        longitude = (longitude + 180) % 360 - 180
    ssh = np.cos(number / 500).astype("float32")
    ssh[::7] = np.nan
    latitude[50:60] = np.nan
    across = np.array([-0.5, 0, 0.5])
    return {
        "time": np.datetime64("2024-01-01", "s") + number.astype("timedelta64[s]"),
        "lat": latitude,
        "lon": longitude,
        "ssh": ssh,
        "flag": ((number + 1) % 5 - 1).astype("int8"),
        "name": np.full(rows, b"abcd"),
        "wave": np.repeat(ssh, 3).reshape(-1, 3),
        "wide_lat": latitude[:, None] + across,
        "wide_lon": longitude[:, None] + across,
    }


@pytest.fixture(scope="module")
def collection():
    made = zc.create_collection(
        "memory://orbit", schema=schema(), axis="time", partitioning=zc.partitioning.Date(("time",), resolution="h")
    )
    made.insert(orbit())
    return made


def drawn(axes):
    """Return longitude, latitude and value of each point."""
    points = axes.collections[-1]
    offsets = np.asarray(points.get_offsets())
    return offsets[:, 0], offsets[:, 1], np.asarray(points.get_array())


def test_each_row_with_a_position_and_a_value_is_a_point_of_its_colour(collection, ax):
    rows = orbit()
    assert collection.plot("ssh", ax=ax) is ax
    seen = np.isfinite(rows["lat"]) & np.isfinite(rows["ssh"])
    longitude, latitude, values = drawn(ax)
    np.testing.assert_allclose(longitude, rows["lon"][seen])
    np.testing.assert_array_equal(latitude, rows["lat"][seen])
    np.testing.assert_array_equal(values, rows["ssh"][seen])
    points = ax.collections[-1]
    assert points.get_cmap().name == "RdBu_r"
    furthest = np.abs(rows["ssh"][seen]).max()
    assert points.get_clim() == pytest.approx((-furthest, furthest))
    np.testing.assert_allclose(points.to_rgba(values), points.get_cmap()((values + furthest) / (2 * furthest)))
    assert ax.get_figure().axes[1].get_xlabel() == "sea level [m]"
    assert ax.get_title(loc="right") == ""
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 360), (-90, 90))


@pytest.mark.parametrize("points", [1, 100, 1000, 5000])
def test_of_many_rows_some_are_drawn_and_the_title_says_so(collection, ax, points):
    rows = orbit()
    collection.plot("flag", points=points, ax=ax)
    longitude, latitude, values = drawn(ax)
    places = zip(rows["lon"].round(6), rows["lat"], rows["flag"], strict=True)
    where = {(longitude, latitude): flag for longitude, latitude, flag in places}
    assert 0 < len(values) <= points
    assert all(
        where[lon, lat] == value != -1
        for lon, lat, value in zip((longitude % 360).round(6), latitude, values, strict=True)
    )
    count, _, total = ax.get_title(loc="right").replace(" rows", "").partition(" of ")
    assert total == "12,000"
    assert len(values) <= int(count.replace(",", "")) <= points


def test_what_is_read_is_a_few_times_what_is_drawn_however_much_there_is(tmp_path):
    """Chunks that are not drawn are not read, so they may be missing."""
    made = zc.create_collection(tmp_path / "orbit", schema=schema(), axis="time", partitioning="date:h")
    made.insert(orbit())
    chunks = sorted(tmp_path.glob("orbit/**/ssh/c/*"))
    opened = {}
    with monitored_opens(opened):
        track(made, "ssh", points=60, ax=Figure().subplots())
    read = {path for path in map(str, chunks) if path in opened}
    assert len(chunks) > 40
    assert 0 < len(read) <= 5  # 16 × 60 rows, of 256 a chunk


class monitored_opens:  # noqa: N801 - used as a function
    """Records which files are opened."""

    hooked = None

    def __init__(self, opened):
        self.opened = opened

    def __enter__(self):
        import sys

        if monitored_opens.hooked is None:
            sys.addaudithook(monitored_opens.hook)
        monitored_opens.hooked = self.opened

    def __exit__(self, *_):
        monitored_opens.hooked = {}

    @staticmethod
    def hook(event, args):
        if event == "open" and monitored_opens.hooked is not None:
            monitored_opens.hooked[str(args[0])] = True


def test_conditions_and_filters_choose_rows(collection, ax):
    rows = orbit()
    collection.plot("ssh", where="ssh > 0.5 and lat < 0", filters="hour < 2", ax=ax)
    chosen = (rows["ssh"] > 0.5) & (rows["lat"] < 0) & (np.arange(ROWS) < 7200)
    longitude, latitude, _ = drawn(ax)
    np.testing.assert_array_equal(np.sort(latitude), np.sort(rows["lat"][chosen]))
    found = collection.find("ssh > 0.5 and lat < 0", filters="hour < 2")
    other = Figure().subplots()
    collection.plot("ssh", where=found, ax=other)
    np.testing.assert_array_equal(drawn(other)[1], latitude)
    np.testing.assert_array_equal(drawn(other)[0], longitude)


def test_thinned_rows_of_a_condition_are_rows_that_pass(collection, ax):
    collection.plot("ssh", where="ssh > 0.5", points=50, ax=ax)
    _, _, values = drawn(ax)
    assert 10 < len(values) <= 50
    assert (values > 0.5).all()


def test_a_dataset_is_drawn_every_nth_row(collection, ax):
    rows, dataset = orbit(), collection.query()
    dataset.plot("flag", points=1000, ax=ax)
    seen = np.isfinite(rows["lat"][::12]) & (rows["flag"][::12] != -1)
    np.testing.assert_array_equal(drawn(ax)[1], rows["lat"][::12][seen])
    lazy = Figure().subplots()
    collection.query(lazy=True).plot("flag", ax=lazy)
    whole = Figure().subplots()
    collection.plot("flag", ax=whole)
    np.testing.assert_array_equal(drawn(lazy)[1], drawn(whole)[1])
    with pytest.raises(SettingError, match="filters and where select rows of a collection"):
        track(dataset, "flag", where="flag == 0", ax=ax)


def test_a_view_is_drawn_with_its_own_variables(collection, ax):
    view = zc.create_view(
        "memory://orbit-view",
        base=collection,
        variables=[zc.VariableSchema("double", dtype="float32", dimensions=("time",), fill_value=np.float32("nan"))],
        overwrite=True,
    )
    view.update(lambda rows: {"double": 2 * rows["ssh"].to_numpy()}, filters="hour == 0")
    view.plot("double", ax=ax)
    rows = orbit(3600)
    seen = np.isfinite(rows["lat"]) & np.isfinite(rows["ssh"])
    np.testing.assert_array_equal(drawn(ax)[2], 2 * rows["ssh"][seen])
    np.testing.assert_array_equal(drawn(ax)[1], rows["lat"][seen])


def test_a_swath_has_a_point_for_each_value(collection, ax):
    rows = orbit()
    collection.plot("wave", points=3 * ROWS, ax=ax)
    seen = np.isfinite(rows["wide_lat"]) & np.isfinite(rows["wave"])
    longitude, latitude, values = drawn(ax)
    np.testing.assert_array_equal(latitude, rows["wide_lat"][seen])
    np.testing.assert_array_equal(values, rows["wave"][seen])
    np.testing.assert_allclose(longitude, rows["wide_lon"][seen] % 360)


def test_times_colour_rows_as_dates(collection, ax):
    collection.plot("time", ax=ax)
    values = drawn(ax)[2]
    assert values[0] == 19_723  # days to 2024-01-01
    assert values[-1] == pytest.approx(19_723 + (ROWS - 1) / 86_400)
    assert type(ax.get_figure().axes[1].xaxis.get_major_formatter()).__name__ == "ConciseDateFormatter"


@pytest.mark.parametrize("from_0", [True, False])
def test_lines_end_at_the_edge_of_the_map_and_where_rows_are_missing(ax, from_0):
    rows = orbit(from_0=from_0)
    keep = np.ones(ROWS, bool)
    keep[3000:3050] = False
    dataset = zc.Dataset(schema().build(), {name: values[keep] for name, values in rows.items()})
    dataset.plot(latitude="lat", longitude="lon", ax=ax)
    (line,) = ax.lines
    longitude, latitude = line.get_data()
    there = np.isfinite(longitude)
    known = np.isfinite(rows["lat"][keep])
    np.testing.assert_array_equal(latitude[there], rows["lat"][keep][known])
    np.testing.assert_allclose(longitude[there], rows["lon"][keep][known])
    assert np.nanmax(np.abs(np.diff(longitude))) < 1  # no jump is drawn
    jumps = np.abs(np.diff(rows["lon"][keep])) > 180
    pieces = np.count_nonzero(np.diff(there.astype(int)) == 1) + 1
    assert pieces == jumps.sum() + 1 + 1 + 1  # the rows left out, the missing positions


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.floats(-180, 540), st.floats(-90, 90)), min_size=1, max_size=30),
    st.one_of(st.none(), st.floats(-180, 180)),
)
def test_points_are_on_the_map_at_the_same_place_of_the_earth(places, centre):
    longitude, latitude = np.array(places).T
    count = len(latitude)
    names = {"lat": latitude, "lon": longitude, "ssh": np.arange(count)}
    axes = Figure().subplots()
    track(zc.Dataset(schema().build(), names), "ssh", centre=centre, ax=axes)
    drawn_longitude, drawn_latitude, values = drawn(axes)
    np.testing.assert_array_equal(values, np.arange(count))
    np.testing.assert_array_equal(drawn_latitude, latitude)
    turns = (drawn_longitude - longitude) / 360
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)
    assert drawn_longitude.max() - drawn_longitude.min() <= 360
    west, east = axes.get_xlim()
    assert ((drawn_longitude >= west - 1e-9) & (drawn_longitude <= east + 1e-9)).all()
    if centre is not None:
        assert (np.abs(drawn_longitude - centre) <= 180 + 1e-9).all()


def test_a_region_across_the_dateline_is_one_map(ax):
    longitude = np.array([175.0, 178, -179, -176])
    track(zc.Dataset(schema().build(), {"lat": np.full(4, 10.0), "lon": longitude, "ssh": np.arange(4)}), "ssh", ax=ax)
    assert drawn(ax)[0].tolist() == [175, 178, 181, 184]
    assert ax.xaxis.get_major_formatter()(181, 0) == "179°W"
    assert ax.yaxis.get_major_formatter()(-5, 0) == "5°S"
    assert [ax.xaxis.get_major_formatter()(each, 0) for each in (0, 180, 360, 90)] == ["0°", "180°", "0°", "90°E"]


def test_colours_may_leave_out_extremes_or_be_chosen(ax):
    values = np.r_[np.arange(1, 100), 10_000.0]
    dataset = zc.Dataset(
        schema().build(), {"lat": np.linspace(0, 50, 100), "lon": np.linspace(0, 50, 100), "ssh": values}
    )
    dataset.plot("ssh", robust=True, ax=ax)
    assert ax.collections[-1].get_clim() == pytest.approx(tuple(np.percentile(values, (2, 98))))
    assert ax.collections[-1].get_cmap().name == "viridis"
    dataset.plot("ssh", vmin=-5, vmax=7, cmap="magma", s=11, ax=ax)
    assert ax.collections[-1].get_clim() == (-5, 7)
    assert ax.collections[-1].get_cmap().name == "magma"
    assert ax.collections[-1].get_sizes().tolist() == [11]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variable": "shh"}, "variable 'shh' is unknown; .*did you mean 'ssh'"),
        ({"variable": "name"}, "accepted: a variable of numbers or times"),
        ({}, "accepted: latitude=… with one of"),
        (
            {"variable": "wave", "latitude": "lat"},
            r"variable 'wave' has the dimensions \(time, across\).*'lat' has \(time\)",
        ),
        ({"variable": "ssh", "points": 0}, "points=0; accepted: an integer, 1 or more"),
    ],
)
def test_what_cannot_be_drawn_says_why(collection, ax, options, message):
    with pytest.raises(zc.ZCollectionError, match=message):
        collection.plot(ax=ax, **options)


def test_without_positions_it_says_what_else_there_is(series, ax):
    with pytest.raises(zc.SchemaError, match=r"no variable is a latitude.*coverage\(\)\.plot\(\)"):
        series(np.arange(3).astype("datetime64[s]"), station=[1, 2, 3]).plot("station", ax=ax)


def test_positions_are_found_by_name_where_no_attribute_says_them(ax):
    made = zc.Schema().with_dimension("time")
    for name in ("Latitude", "lon", "ssh"):
        made = made.with_variable(name, dtype="float64", dimensions=("time",))
    zc.Dataset(made.build(), {"Latitude": [1, 2], "lon": [3, 4], "ssh": [5, 6]}).plot("ssh", ax=ax)
    assert drawn(ax)[1].tolist() == [1, 2]


@pytest.mark.parametrize("options", [{"where": "ssh > 99"}, {"filters": "hour == 23"}])
def test_no_rows_are_an_empty_map(collection, ax, options):
    collection.plot("ssh", ax=ax, **options)
    assert len(drawn(ax)[0]) == 0
    assert ax.get_title(loc="right") == "no rows"
    ax.get_figure().savefig("/dev/null", format="png")
