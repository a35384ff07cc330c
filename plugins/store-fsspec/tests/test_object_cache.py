"""The cache of objects: on Windows, a file that another process reads cannot be replaced."""

from pathlib import Path

import pytest
from zcollection_store_fsspec import object_cache


@pytest.fixture
def _in_use(monkeypatch):
    def refused(*_):
        raise PermissionError

    monkeypatch.setattr(Path, "replace", refused)


@pytest.mark.usefixtures("_in_use")
def test_a_file_that_another_process_reads_has_the_same_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"1")
    object_cache._write(tmp_path / "x", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.usefixtures("_in_use")
def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path):
    with pytest.raises(PermissionError):
        object_cache._write(tmp_path / "x", b"1")
    assert [path.name for path in tmp_path.iterdir()] == []
