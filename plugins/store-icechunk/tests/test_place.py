"""A repository replaces an empty directory, also on Windows, which cannot rename onto an existing directory."""

import errno
import os
from pathlib import Path

import pytest
from zcollection_store_icechunk import repository


@pytest.fixture
def made(tmp_path, monkeypatch):
    rename = Path.rename

    def renamed(self, target):
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    (tmp_path / "made").mkdir()
    (tmp_path / "made/repo").touch()
    return tmp_path / "made"


def test_an_empty_directory_is_replaced(made, tmp_path):
    (tmp_path / "place").mkdir()
    repository._move(made, tmp_path / "place")
    assert (tmp_path / "place/repo").exists()


def test_an_existing_repository_is_not_replaced(made, tmp_path):
    (tmp_path / "place").mkdir()
    (tmp_path / "place/other").touch()
    with pytest.raises(OSError, match=os.strerror(errno.ENOTEMPTY)):
        repository._move(made, tmp_path / "place")
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["other"]
