"""Two places that overlap are known as such, with the paths of each system."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from zcollection_import import place
from zcollection_import.place import Place

from zcollection.plugin import StoreURL


@pytest.mark.parametrize(
    ("paths", "one", "two", "overlap"),
    [
        (PurePosixPath, "/data/old", "/data/old/new", True),
        (PurePosixPath, "/data/old", "/data/older", False),
        (PurePosixPath, "/data/old", "/data/OLD", False),
        (PureWindowsPath, "C:\\data\\old", "C:\\data\\old\\new", True),
        (PureWindowsPath, "C:\\data\\old", "c:\\DATA\\old", True),
        (PureWindowsPath, "C:\\data\\old", "C:\\data\\older", False),
        (PureWindowsPath, "C:\\data", "D:\\data", False),
        (PureWindowsPath, "\\\\server\\share\\old", "\\\\server\\share\\old\\x", True),
    ],
)
def test_one_lies_below_the_other(monkeypatch, paths, one, two, overlap):
    monkeypatch.setattr(place, "PurePath", paths)
    first, second = (StoreURL("file", path) for path in (one, two))
    assert Place(first, None, one).overlaps(second) is overlap
    assert Place(second, None, two).overlaps(first) is overlap
