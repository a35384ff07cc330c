"""The demo's track is what it says: once a second, three days, passes from pole to pole, heights from the maps."""

import h5py
import numpy as np
import pytest

from zcollection.cli.demo import source
from zcollection.cli.demo.orbit import half_orbits, positions
from zcollection.cli.demo.track import build_track

LAND = -2147483647
DAYS = ("20190101", "20190102", "20190103")


@pytest.fixture(scope="module")
def track():
    return build_track()


@pytest.fixture(scope="module")
def ephemeris():
    path = source._file("ephemeris_science_sept2015_ell.txt")
    return np.loadtxt(path, comments="#", unpack=True)


def raw_map(day):
    with h5py.File(source._file(f"dt_global_allsat_phy_l4_{day}_20190515.nc")) as file:
        return file["adt"][0], file["latitude"][:].astype("f8"), file["longitude"][:].astype("f8")


def on_sphere(longitude, latitude):
    longitude, latitude = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])


def test_it_has_a_row_a_second_for_three_days(track):
    time = track.arrays["time"]
    assert track.rows == 259_200
    assert time[0] == np.datetime64("2019-01-01T00:00:00")
    assert time[-1] == np.datetime64("2019-01-03T23:59:59")
    assert np.all(np.diff(time) == np.timedelta64(1, "s"))
    assert {len(values) for values in track.arrays.values()} == {track.rows}


def test_it_goes_through_every_point_of_the_ephemeris(track, ephemeris):
    seconds, longitude, latitude, altitude = ephemeris[:, ephemeris[0] < 3 * 86_400]
    every = seconds.astype(int)
    found = on_sphere(track.arrays["longitude"][every], track.arrays["latitude"][every])
    np.testing.assert_allclose(found, on_sphere(longitude, latitude), atol=1e-12)
    np.testing.assert_allclose(track.arrays["orbit/altitude"][every], altitude, atol=1e-6)


def test_it_moves_steadily_over_the_sphere_across_the_date_line_and_the_poles(track):
    points = on_sphere(track.arrays["longitude"], track.arrays["latitude"])
    kilometres = np.linalg.norm(np.diff(points), axis=0) * 6371
    assert 6.3 < kilometres.min() < kilometres.max() < 6.5
    assert np.abs(np.diff(kilometres)).max() < 1e-3
    assert np.all((track.arrays["longitude"] >= 0) & (track.arrays["longitude"] <= 360))


def test_points_left_out_of_the_ephemeris_are_found_again(ephemeris):
    seconds, longitude, latitude, altitude = ephemeris[:, :2_001]
    coarse = source.Ephemeris(
        cycle_duration=1e6,
        seconds=seconds[::2],
        longitude=longitude[::2],
        latitude=latitude[::2],
        altitude=altitude[::2],
    )
    place = positions(coarse, seconds)
    apart = np.linalg.norm(on_sphere(place.longitude, place.latitude) - on_sphere(longitude, latitude), axis=0) * 6371
    assert apart.max() < 0.2  # kilometres, at twice the step of the real ephemeris
    assert np.abs(place.altitude - altitude).max() < 1


def test_the_pass_changes_exactly_where_latitude_turns(track):
    number, step = track.arrays["orbit/pass"].astype(int), np.diff(track.arrays["latitude"])
    turning = np.flatnonzero(step[1:] * step[:-1] <= 0) + 1
    np.testing.assert_array_equal(np.flatnonzero(np.diff(number)) + 1, turning)
    assert np.all(np.diff(number)[turning - 1] == 1)
    assert (number[0], number[-1]) == (1, 85)
    assert np.all(np.abs(track.arrays["latitude"][turning]) > 77.6)


def test_three_days_lie_in_the_first_cycle(track):
    assert np.all(track.arrays["orbit/cycle"] == 1)


def test_a_cycle_has_584_passes(ephemeris):
    seconds, _, latitude, _ = ephemeris
    assert half_orbits(latitude[seconds < 20.86455 * 86_400])[-1] == 584


def test_passes_are_the_rows_in_order(track):
    passes = track.passes()
    assert len(passes) == 85
    assert np.concatenate([np.arange(part.start, part.stop) for part in passes]).tolist() == list(range(track.rows))
    for number, part in enumerate(passes, start=1):
        assert set(track.arrays["orbit/pass"][part].tolist()) == {number}


@pytest.mark.parametrize("day", range(3))
def test_heights_are_those_of_the_map_of_the_day_and_land_is_nan(track, day):
    raw, latitudes, longitudes = raw_map(DAYS[day])
    rows = slice(day * 86_400, (day + 1) * 86_400)
    middle_of_latitudes = (latitudes[1:] + latitudes[:-1]) / 2
    middle_of_longitudes = (longitudes[1:] + longitudes[:-1]) / 2
    row = np.searchsorted(middle_of_latitudes, track.arrays["latitude"][rows], side="right")
    column = np.searchsorted(middle_of_longitudes, track.arrays["longitude"][rows], side="right")
    below, heights = raw[row, column], track.arrays["ssh"][rows]
    np.testing.assert_array_equal(np.isnan(heights), below == LAND)
    sea = below != LAND
    np.testing.assert_array_equal(heights[sea], (below[sea] * 0.0001).astype("float32"))
    assert np.abs(heights[sea]).max() < 3
    assert 0.3 < np.mean(~sea) < 0.5


def test_a_map_holds_nan_for_land_and_nothing_of_the_raw_value():
    raw, latitudes, longitudes = raw_map("20181231")
    grid = source.read_map(np.datetime64("2018-12-31"))
    np.testing.assert_array_equal(np.isnan(grid.height), raw == LAND)
    assert np.nanmin(grid.height) > -5
    assert (grid.latitude[0], grid.longitude[0], grid.height.shape) == (-89.875, 0.125, (720, 1440))
    np.testing.assert_array_equal(grid.latitude, latitudes)
    np.testing.assert_array_equal(grid.longitude, longitudes)


def test_swot_simulator_itself_is_not_imported(track):
    import sys

    assert "swot_simulator" not in sys.modules


def test_the_mean_is_that_of_the_maps_of_all_days(track):
    maps = [raw_map(day)[0] for day in DAYS]
    heights = np.mean([np.where(each == LAND, np.nan, each * 1e-4) for each in maps], axis=0)
    rows = np.random.default_rng(7).integers(0, track.rows, 5_000)
    row = np.round((track.arrays["latitude"][rows] + 89.875) / 0.25).astype(int)
    column = np.round((track.arrays["longitude"][rows] - 0.125) / 0.25).astype(int) % 1440
    np.testing.assert_allclose(track.arrays["mean_ssh"][rows], heights[row, column], atol=1e-4)
