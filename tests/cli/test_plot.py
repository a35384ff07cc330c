"""``zcollection plot`` and ``zcollection coverage --plot`` write pictures, without a display and without pyplot."""

import re
import sys

import numpy as np
import pytest
from matplotlib.image import imread

import zcollection as zc


@pytest.fixture
def track(tmp_path):
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    for name, units in (("lat", "degrees_north"), ("lon", "degrees_east"), ("ssh", "m")):
        schema = schema.with_variable(name, dtype="float64", dimensions=("time",), attrs={"units": units})
    made = zc.create_collection(tmp_path / "track", schema=schema, axis="time", partitioning="date:D")
    number = np.delete(np.arange(2000), np.s_[500:900])
    times = np.datetime64("2024-01-01", "s") + number * np.timedelta64(10, "m")
    made.insert({"time": times, "lat": 60 * np.sin(number / 99), "lon": number % 360, "ssh": np.cos(number / 50)})
    return made


def coloured(file):
    """Return how many pixels of a picture are neither grey nor white."""
    pixels = imread(file)[..., :3]
    return np.count_nonzero(np.ptp(pixels, axis=-1) > 0.2)


def test_a_map_is_written(command, track, tmp_path):
    assert track.count()
    done = command("plot", f"{tmp_path}/track", "--variable", "ssh", "-o", f"{tmp_path}/map.png")
    assert (done.code, done.err) == (0, "")
    few = command("plot", f"{tmp_path}/track", "--variable", "ssh", "--where", "ssh > 0.9", "-o", f"{tmp_path}/few.png")
    assert few.code == 0
    thinned = command(
        "plot", f"{tmp_path}/track", "--points", "40", "--filter", "day < 3", "-o", f"{tmp_path}/line.svg"
    )
    assert thinned.code == 0
    assert coloured(tmp_path / "map.png") > coloured(tmp_path / "few.png") > 1000


def test_coverage_is_drawn_beside_what_is_printed(command, track, tmp_path):
    assert track.count()
    plain = command("coverage", f"{tmp_path}/track")
    drawn = command("coverage", f"{tmp_path}/track", "--plot", f"{tmp_path}/coverage.png", "--fail-under", "99")
    assert drawn.code == 1
    assert drawn.out == plain.out
    pixels = imread(tmp_path / "coverage.png")[..., :3]
    vermillion = np.abs(pixels - np.array([0xD5, 0x5E, 0]) / 255).max(axis=-1) < 0.02
    assert vermillion.sum() > 100  # the days without rows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--variable", "ssh", "-o", "map.pngg"), "'map.pngg'; accepted: .*'png'"),
        (("--variable", "shh", "-o", "map.png"), "variable 'shh' is unknown"),
        (("--latitude", "ssh", "--longitude", "nothing", "-o", "map.png"), "variable 'nothing' is unknown"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(command, track, tmp_path, options, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert track.count()
    done = command("plot", f"{tmp_path}/track", *options)
    assert done.code == 1
    assert re.search(message, done.err)
    assert not (tmp_path / "map.png").exists()


def test_without_the_extra_it_says_what_to_install(command, track, tmp_path, monkeypatch):
    assert track.count()
    monkeypatch.setitem(sys.modules, "zcollection_plot", None)
    for make in (track.plot, track.query().plot, track.coverage().plot):
        with pytest.raises(zc.MissingDependencyError, match=r"pip install 'zcollection\[plot\]'"):
            make()
    done = command("coverage", f"{tmp_path}/track", "--plot", "coverage.png")
    assert done.code == 1
    assert "zcollection[plot]" in done.err
