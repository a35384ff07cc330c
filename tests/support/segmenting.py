"""Catalogs in small segments from the first partition on, so that what holds for small collections is tried of large ones.

``ZCOLLECTION_TEST_SEGMENTS=2 pytest tests/kernel`` runs tests so, and the commands in `tests/faults` take the same variable.
"""

import os

from zcollection.transaction.index import segments

VARIABLE = "ZCOLLECTION_TEST_SEGMENTS"


def set_up():
    """Do as the variable of the environment says: it holds the size of segments."""
    if size := os.environ.get(VARIABLE):
        segments.MOST_WHOLE, segments.SIZE = 0, int(size)


def patch(monkeypatch, size=2, most_whole=0):
    """Do so for one test."""
    monkeypatch.setattr(segments, "MOST_WHOLE", most_whole)
    monkeypatch.setattr(segments, "SIZE", size)
