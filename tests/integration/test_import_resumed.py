"""An import that was interrupted goes on and doubles nothing, and what is lost or changed is noticed."""

import numpy as np
import pytest
import xarray as xr
from zcollection_import import import_collection
from zcollection_import import importing as importing_module

import zcollection as zc
from zcollection.collection.collection import Collection
from zcollection.errors import SettingError

ROWS = 60
TIMES = np.datetime64("2024-01-20", "ns") + np.arange(ROWS) * np.timedelta64(8, "h")


def dataset(rows=slice(None)):
    ssh = np.arange(ROWS * 2.0).reshape(ROWS, 2)
    return xr.Dataset({"ssh": (("time", "x"), ssh)}, coords={"time": TIMES}).isel(time=rows)


def store(tmp_path, rows=slice(None)):
    path = tmp_path / "old"
    dataset(rows).to_zarr(path, encoding={"ssh": {"chunks": (7, 2)}, "time": {"chunks": (7,)}}, consolidated=False)
    return path


def folder(tmp_path):
    (tmp_path / "old").mkdir()
    for at in range(6):
        dataset(slice(at * 10, at * 10 + 10)).to_netcdf(tmp_path / "old" / f"{at}.nc", engine="h5netcdf")
    return tmp_path / "old"


def run(old, tmp_path, **options):
    return import_collection(old, tmp_path / "new", **{"partitioning": "date:M", "block_bytes": 240} | options)


def held(tmp_path):
    return zc.open_collection(tmp_path / "new").query().to_xarray().load()


class Killed(BaseException):
    """What ends a process, as far as the import can tell."""


def killing(monkeypatch, number, *, after):
    """Let the insert of a number be the last, before or after it has committed."""
    original, calls = Collection.insert, []

    def insert(self, *args, **options):
        calls.append(options["source"])
        if len(calls) == number and not after:
            raise Killed
        report = original(self, *args, **options)
        if len(calls) == number:
            raise Killed
        return report

    monkeypatch.setattr(Collection, "insert", insert)
    return calls


@pytest.mark.parametrize("make", [store, folder])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("number", [1, 4])
def test_it_goes_on_where_it_was_killed(make, number, after, tmp_path):
    old = make(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        killing(patch, number, after=after)
        with pytest.raises(Killed):
            run(old, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        calls = killing(patch, -1, after=False)
        report = run(old, tmp_path)
    kept = number if after else number - 1
    assert len(calls) == (9 if make is store else 6) - kept
    assert report.rows == ROWS
    assert report.imported == ROWS - (min(kept * 7, ROWS) if make is store else kept * 10)
    xr.testing.assert_equal(held(tmp_path), dataset())


def test_it_goes_on_with_blocks_of_another_length(tmp_path):
    old = store(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        killing(patch, 3, after=True)
        with pytest.raises(Killed):
            run(old, tmp_path)
    report = run(old, tmp_path, block_bytes=10**6)
    assert (report.rows, report.imported) == (ROWS, ROWS - 21)
    xr.testing.assert_equal(held(tmp_path), dataset())


def test_run_again_it_changes_nothing(tmp_path):
    old = store(tmp_path)
    run(old, tmp_path)
    before = zc.open_collection(tmp_path / "new").history()
    assert run(old, tmp_path).imported == 0
    assert zc.open_collection(tmp_path / "new").history() == before


def test_rows_that_a_store_has_gained_since_are_added(tmp_path):
    old = store(tmp_path, slice(0, 31))
    assert run(old, tmp_path).rows == 31
    dataset(slice(31, ROWS)).to_zarr(old, append_dim="time", consolidated=False)
    assert run(old, tmp_path).imported == ROWS - 31
    xr.testing.assert_equal(held(tmp_path), dataset())


def test_files_that_came_since_are_added(tmp_path):
    old = folder(tmp_path)
    (old / "5.nc").rename(tmp_path / "late.nc")
    assert run(old, tmp_path).rows == 50
    (tmp_path / "late.nc").rename(old / "5.nc")
    assert run(old, tmp_path).imported == 10
    xr.testing.assert_equal(held(tmp_path), dataset())


def test_no_more_rows_are_read_at_once_than_fit(tmp_path):
    lengths = []
    original = importing_module.OpenUnit.block

    def block(self, start, stop):
        lengths.append(stop - start)
        return original(self, start, stop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing_module.OpenUnit, "block", block)
        run(store(tmp_path), tmp_path, block_bytes=15 * 24)
    assert max(lengths) == 14
    assert sum(lengths) == 1 + 2 * ROWS


@pytest.mark.parametrize("variable", ["ssh", "time"])
def test_a_value_that_was_changed_is_noticed(variable, tmp_path):
    old = store(tmp_path)
    run(old, tmp_path)

    def change(rows):
        values = rows.get_variable(variable).to_numpy().copy()
        values[3] += 1
        return {variable: values}

    zc.open_collection(tmp_path / "new", mode="rw").update(change, filters="month == 2")
    with pytest.raises(
        zc.CorruptionError, match=rf"partition 'year=2024/month=02', variable '{variable}': does not have the values"
    ):
        run(old, tmp_path)


def test_rows_that_were_lost_or_added_by_others_are_noticed(tmp_path):
    old = store(tmp_path)
    run(old, tmp_path)
    collection = zc.open_collection(tmp_path / "new", mode="rw")
    collection.delete(where="time == '2024-01-21'")
    with pytest.raises(zc.StoreError, match=f"has {ROWS - 1} rows, and {ROWS} of them were imported"):
        run(old, tmp_path)
    collection.insert(dataset(slice(0, 2)), merge="concat")
    with pytest.raises(zc.StoreError, match=f"has {ROWS + 1} rows, and {ROWS} of them"):
        run(old, tmp_path)


def test_damage_in_the_new_collection_is_noticed(tmp_path):
    old = store(tmp_path)
    run(old, tmp_path)
    chunk = next((tmp_path / "new").glob("year=2024/month=01/ssh/c/*/*"))
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(zc.CorruptionError, match="ssh"):
        run(old, tmp_path)


def test_old_data_that_are_not_what_was_imported_are_noticed(tmp_path):
    old = folder(tmp_path)
    run(old, tmp_path)
    (dataset(slice(0, 10)) + 1).to_netcdf(old / "0.nc", engine="h5netcdf")
    with pytest.raises(zc.CorruptionError, match="variable 'ssh': does not have the values"):
        run(old, tmp_path)
    dataset(slice(0, 9)).to_netcdf(old / "0.nc", engine="h5netcdf")
    with pytest.raises(zc.CorruptionError, match=r"0\.nc has 9 rows, and 10 were imported before"):
        run(old, tmp_path)
    (old / "0.nc").unlink()
    with pytest.raises(zc.StoreError, match=r"contains '0\.nc\[0:10\]', which is not a part of NetCDF files"):
        run(old, tmp_path)


def test_the_comparison_may_be_left_out(tmp_path):
    report = run(store(tmp_path), tmp_path, verify=False)
    assert report.problems is None
    assert "not compared" in str(report)


def test_a_collection_that_is_split_otherwise_is_not_gone_on_with(tmp_path):
    old = store(tmp_path)
    run(old, tmp_path)
    with pytest.raises(zc.StoreError, match="import as before, or into a new location"):
        run(old, tmp_path, partitioning="date:D")
    assert run(old, tmp_path, partitioning=None).imported == 0


@pytest.mark.parametrize("new", ["old", "old/new", "."])
def test_the_new_place_is_apart_from_the_old_one(new, tmp_path):
    old = store(tmp_path)
    with pytest.raises(zc.StoreError, match="which overlaps it; import into another location"):
        import_collection(old, tmp_path / new, partitioning="date:M")


def test_progress_is_told_of_both_passes(tmp_path):
    told = []
    run(folder(tmp_path), tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)] * 2


def test_block_bytes_is_at_least_one(tmp_path):
    with pytest.raises(SettingError, match="block_bytes=0; accepted: at least 1"):
        run(store(tmp_path), tmp_path, block_bytes=0)


@pytest.mark.parametrize("new", ["icechunk://{}/repository", "memory://import-{}"])
def test_the_new_collection_may_lie_on_any_store(new, tmp_path):
    old, new = store(tmp_path), new.format(tmp_path)
    assert import_collection(old, new, partitioning="date:M").imported == ROWS
    assert import_collection(old, new, partitioning="date:M").imported == 0
    xr.testing.assert_equal(zc.open_collection(new).query().to_xarray().load(), dataset())
