"""Conformance of the store, and tests of its zip file."""

import zipfile

import numpy as np
import pytest
import zcollection as zc
from zcollection.testing import KeyStoreSuite

from {{ cookiecutter.module }}.store import {{ cookiecutter.__class }}


class Test{{ cookiecutter.__class }}(KeyStoreSuite):
    store_class = {{ cookiecutter.__class }}

    def url(self, folder):
        return f"{{ cookiecutter.name }}://{folder}.zip"


@pytest.fixture
def collection(tmp_path):
    schema = zc.Schema().with_dimension("time").with_variable("time", dtype="int64", dimensions=("time",))
    partitioning = zc.partitioning.Date(("time",), resolution="D")
    url = f"{{ cookiecutter.name }}://{tmp_path}/tides.zip"
    collection = zc.create_collection(url, schema=schema, axis="time", partitioning=partitioning)
    collection.insert({"time": np.arange(3) * 86_400 * 10**9})
    return collection


def test_a_collection_is_stored_in_one_file_that_other_tools_can_open(collection, tmp_path):
    names = zipfile.ZipFile(tmp_path / "tides.zip").namelist()
    assert "year=1970/month=01/day=03/time/c/0" in names
    with zipfile.ZipFile(tmp_path / "tides.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    unpacked = zc.open_collection(f"file://{tmp_path}/unpacked")
    assert unpacked.query() == collection.query()


def test_a_file_that_is_not_a_zip_file_raises_an_error(tmp_path):
    (tmp_path / "tides.zip").write_text("no archive")
    with pytest.raises(zc.StoreError, match="it is not a zip file"):
        zc.open_collection(f"{{ cookiecutter.name }}://{tmp_path}/tides.zip")
