"""``zcollection demo`` inserts, queries and updates real data, and finds any wrong row."""

import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest

import zcollection as zc
from zcollection.cli.demo import source, steps
from zcollection.cli.demo.checks import CheckFailedError, check
from zcollection.cli.demo.steps import Step
from zcollection.cli.demo.track import build_track

RUN = [sys.executable, "-c", "from zcollection.cli import main; main()"]


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Return a real run, from the command line in a process of its own, the URL of its collection, and how long it took."""
    url, started = f"file://{tmp_path_factory.mktemp('demo')}/track", time.monotonic()
    done = subprocess.run([*RUN, "demo", "--url", url], capture_output=True, text=True, timeout=500, check=False)
    return done, url, time.monotonic() - started


@pytest.fixture
def quick(monkeypatch):
    """Return a function that makes the demo insert the whole track at once, then take other steps."""

    def insert(demo):
        return str(demo.collection.insert(demo.track.arrays))

    def replace(*others):
        steps_ = (Step("track", steps.make_track), Step("create", steps.create), Step("insert", insert), *others)
        monkeypatch.setattr(steps, "STEPS", steps_)

    return replace


def test_a_real_run_succeeds_and_says_what_it_did(real):
    done, url, _ = real
    assert (done.returncode, done.stderr) == (0, "")
    for said in (
        "259,200 rows, one a second, in 85 passes",
        "84 passes, shuffled: 256,113 rows added in 3 partitions; one of 3,087 rows is late",
        "600 rows around midnight, 200 milliseconds later: 600 replaced (the nearest within 500 milliseconds), 0 added,",
        "ssh of 2019-01-02: 86,400 values, as expected",
        "ssh less 0.02 m in year=2019/month=01/day=03",
        "anomaly, anomaly_gradient computed in 3 partitions",
        "3,087 rows; 2 of 3 partitions were stale",
        "259,200 rows, 2,073,600 values in 8 variables: all as expected",
        "518,400 values in 2 variables: all as expected",
        "day=03  86,400 rows",
        "altitude(time) float64",
        f"zcollection info {url}",
    ):
        assert said in done.stdout


def test_every_step_of_a_real_run_is_timed(real):
    lines = [line.split() for line in real[0].stdout.splitlines() if " s  " in line]
    assert len(lines) == len(steps.STEPS) + 1
    seconds = [float(line[0]) for line in lines]
    rounding = 0.05 * len(lines)
    assert sum(seconds[:-1]) - rounding <= seconds[-1] <= real[2] + rounding


def test_a_real_run_leaves_what_an_independent_reading_expects(real):
    found = zc.open_collection(real[1]).query()
    arrays = build_track().arrays
    assert set(found.all_variables()) == set(arrays)
    again = slice(86_400 - 300, 86_400 + 300)
    arrays["time"][again] += np.timedelta64(200, "ms")
    arrays["ssh"][again] += np.float32(0.05)
    arrays["ssh"][2 * 86_400 :] -= np.float32(0.02)
    for path, values in arrays.items():
        np.testing.assert_array_equal(found.get_variable(path).to_numpy(), values, err_msg=path, strict=True)
    assert np.any(~np.isnan(arrays["ssh"][again]))


def test_the_view_of_a_real_run_computed_only_what_it_had_to(real):
    view = zc.open_view(f"{real[1]}-derived")
    assert view.status().is_current
    assert [entry.rows for entry in view.history()] == [0, 256_113, 2 * 86_400]
    found = view.query(variables=["ssh", "mean_ssh", "anomaly", "latitude", "longitude", "anomaly_gradient"])
    values = {path: item.to_numpy().astype("float64") for path, item in found.all_variables().items()}
    np.testing.assert_allclose(values["anomaly"], values["ssh"] - values["mean_ssh"], atol=1e-6)
    # Across midnight the slope is that of three rows of two partitions, a second and some 6.4 km apart.
    at = slice(2 * 86_400 - 2, 2 * 86_400 + 2)
    before, _, after = (values["anomaly"][at][place : place + 2] for place in range(3))
    assert not np.isnan(after - before).any(), "the sea is below the satellite"
    np.testing.assert_allclose(
        values["anomaly_gradient"][at][1:3], (after - before) / (2 * 6_400), rtol=0.02, atol=1e-9
    )


def test_a_derived_value_that_is_wrong_ends_in_code_three(command, quick, tmp_path):
    def change_the_oracle(demo):
        demo.expected["mean_ssh"][np.flatnonzero(~np.isnan(demo.expected["ssh"]))[777]] += np.float32(1e-3)
        return ""

    quick(Step("view", steps.derive), Step("change", change_the_oracle), Step("check view", steps.compare_view))
    done = command("demo", "--url", f"file://{tmp_path}/derived")
    assert done.code == 3
    assert "view: variable 'anomaly' differs in 1 of 259,200 rows" in done.err


def test_a_collection_that_is_there_is_not_replaced(command, quick, tmp_path):
    quick()
    url = f"file://{tmp_path}/mine"
    assert command("demo", "--url", url).code == 0
    done = command("demo", "--url", url)
    assert done.code == 1
    assert done.err.startswith(f"error: there is a collection, or another Zarr hierarchy, at {url};")
    assert command("demo", "--url", url, "--overwrite").code == 0


@pytest.mark.parametrize(
    "change",
    [
        {"ssh": np.float32(1e-4)},
        {"orbit/pass": np.int16(1)},
        {"latitude": 1e-9},
        {"time": np.timedelta64(1, "ns")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_one_row_that_is_wrong_ends_in_code_three(command, quick, tmp_path, change):
    ((path, wrong),) = change.items()

    def corrupt(demo):
        def spoil(dataset):
            values = dataset.get_variable(path).to_numpy().copy()
            values[np.flatnonzero(np.equal(values, values))[777]] += wrong  # not NaN, which would stay as it is
            return {path: values}

        return str(demo.collection.update(spoil, filters="day == 2"))

    quick(Step("corrupt", corrupt), Step("check", steps.compare))
    done = command("demo", "--url", f"file://{tmp_path}/wrong")
    assert done.code == 3
    assert done.err.startswith(
        f"error: whole collection: variable '{path}' differs in 1 of 259,200 rows, first in row "
    )
    assert "Traceback" not in done.err


def test_a_lost_partition_ends_in_code_three(command, quick, tmp_path):
    quick(
        Step("lose", lambda demo: str(demo.collection.drop_partitions(filters="day == 1"))),
        Step("check", steps.compare),
    )
    done = command("demo", "--url", f"file://{tmp_path}/lost")
    assert done.code == 3
    assert "shape (172800,), not float32 of shape (259200,)" in done.err


def test_the_temporary_collection_is_removed(command, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    held = []
    quick(Step("look", lambda _: str(held.extend(tmp_path.iterdir()))), Step("check", steps.compare))
    assert command("demo").code == 0
    assert len(held) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("terminal", [False, True])
def test_bars_are_shown_on_a_terminal_alone(command, quick, tmp_path, monkeypatch, terminal):
    asked = []
    quick(Step("look", lambda demo: str(asked.append(demo.progress))), Step("check", steps.compare))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    done = command("demo", "--url", f"file://{tmp_path}/bars")
    assert (done.code, asked) == (0, [terminal])
    assert terminal or done.err == ""


def test_without_its_data_the_demo_says_how_to_get_them(command, monkeypatch, tmp_path):
    monkeypatch.setattr(source, "find_spec", lambda _: None)
    done = command("demo", "--url", f"file://{tmp_path}/none")
    assert done.code == 1
    assert "'swot-simulator', which is not installed" in done.err
    assert "uv run zcollection demo" in done.err
    assert "pip install --no-deps swot-simulator" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("library", ["h5netcdf", "h5py"])
def test_without_the_reader_of_maps_the_demo_says_how_to_get_it(command, monkeypatch, library):
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    monkeypatch.setitem(sys.modules, library, None)
    done = command("demo")
    assert done.code == 1
    assert "h5netcdf" in done.err
    assert "uv run zcollection demo" in done.err
    assert done.err.count("\n") == 1


def test_missing_values_are_equal_to_missing_values_and_to_nothing_else():
    schema = zc.Schema().with_dimension("x").with_variable("v", dtype="float32", dimensions=("x",)).build()
    found = zc.Dataset(schema, {"v": np.array([1, np.nan, 3], dtype="float32")})
    assert check(found, {"v": np.array([1, np.nan, 3], dtype="float32")}, what="it") == 3
    for wrong in ([1, 2, 3], [np.nan, np.nan, 3]):
        with pytest.raises(CheckFailedError, match="it: variable 'v' differs in 1 of 3 rows"):
            check(found, {"v": np.array(wrong, dtype="float32")}, what="it")
    with pytest.raises(CheckFailedError, match="float32 of shape"):
        check(found, {"v": np.array([1, np.nan, 3])}, what="it")
    with pytest.raises(CheckFailedError, match="variable 'v' is not expected"):
        check(found, {}, what="it")
    with pytest.raises(CheckFailedError, match="variable 'v' is missing"):
        check(None, {"v": np.zeros(3)}, what="it")
