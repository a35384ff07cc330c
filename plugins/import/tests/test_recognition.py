"""The form of the data at a location is recognised, or rejected with the accepted forms."""

import json
import zipfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr
from zcollection_import import recognise

from zcollection.errors import CollectionNotFoundError, CorruptionError, StoreError

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "old").mkdir()
    return tmp_path / "old"


@pytest.mark.parametrize("archive", sorted(GOLDEN.glob("first-*.zip")), ids=lambda path: path.stem)
def test_collections_of_the_first_series(archive, folder):
    zipfile.ZipFile(archive).extractall(folder)
    assert recognise(folder).kind == "zcollection-1"
    assert str(recognise(folder)) == f"a collection of zcollection 1.x (Zarr v2) at file://{folder}"


@pytest.mark.parametrize("archive", sorted(GOLDEN.glob("rewrite-*.zip")), ids=lambda path: path.stem)
def test_collections_of_the_rewrite(archive, folder):
    zipfile.ZipFile(archive).extractall(folder)
    assert recognise(f"file://{folder}").kind == "zcollection-rewrite"


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_zarr_stores_and_groups_in_them(zarr_format, folder):
    dataset = xr.Dataset({"ssh": ("time", np.arange(3.0))})
    dataset.to_zarr(folder, group="a/b", zarr_format=zarr_format, consolidated=False)
    assert recognise(folder).kind == recognise(folder / "a/b").kind == "zarr"


@pytest.mark.parametrize(
    ("name", "kind"), [("cycle=1/x.parquet", "parquet"), ("a/b.nc", "netcdf"), ("C.NC4", "netcdf")]
)
def test_files_by_their_ending_in_folders_and_alone(name, kind, folder):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"")
    (folder / "README.txt").write_bytes(b"not one of them")
    assert recognise(folder).kind == recognise(folder / name).kind == kind


def test_a_place_that_is_not_local_is_read_through_fsspec():
    files = fsspec.filesystem("memory")
    files.pipe("/recognition/a.nc", b"")
    try:
        assert recognise("memory://recognition").kind == "netcdf"
    finally:
        files.rm("/recognition", recursive=True)


def test_a_collection_needs_no_import(folder):
    (folder / "_zcollection.json").write_text(json.dumps({"format_version": 1, "kind": "collection"}))
    with pytest.raises(StoreError, match=r"a collection already; open it, or copy it with 'zcollection copy'"):
        recognise(folder)


def test_a_configuration_that_is_no_json_is_damage(folder):
    (folder / "_zcollection.json").write_text("{")
    with pytest.raises(CorruptionError, match="not valid JSON"):
        recognise(folder)


def test_several_kinds_of_files_are_rejected(folder):
    for name in ("a.nc", "a.parquet"):
        (folder / name).write_bytes(b"")
    with pytest.raises(StoreError, match="NetCDF files and Parquet files; import the folder of each"):
        recognise(folder)


def test_nothing_that_is_known(folder):
    (folder / "a.txt").write_bytes(b"")
    with pytest.raises(CollectionNotFoundError, match=r"has no known form; accepted: .*\.zcollection"):
        recognise(folder)
    with pytest.raises(CollectionNotFoundError, match=r"nothing exists at .*/none; check the URL"):
        recognise(folder / "none")


def test_a_file_system_that_fsspec_does_not_know():
    with pytest.raises(StoreError, match="cannot be read through fsspec"):
        recognise("nosuch://host/path")
