# The functions of os are quicker than those of pathlib.
# ruff: noqa: PTH102, PTH112
"""The floor: the same files, encoded and decoded by numcodecs, as plain files on as many threads, and nothing else.

Every document is known beforehand and none is read; nothing is checked, sorted, staged or indexed.
"""

import os
from pathlib import Path
from typing import ClassVar

import numcodecs.blosc
import numpy as np
from layouts import TIME

from peers import floor_files as files
from peers.base import Peer, swap


class Floor(Peer):
    """Documents and directories are written partition by partition, chunks one by one."""

    about = "numcodecs and plain files, documents known, as many threads as ours"
    libraries: ClassVar = ("numcodecs",)

    def __init__(self, threads):
        super().__init__(threads)
        numcodecs.blosc.use_threads = False
        self._documents = {}

    def prepare(self, layout):
        self._documents = {rows: files.documents(layout, rows) for rows in set(layout.counts)}

    def create(self, place, layout):
        place.mkdir()
        files.write(f"{place}/zarr.json", files.GROUP)

    def add(self, place, layout, arrays):
        chunks = {rows: files.chunks(layout, rows) for rows in set(layout.counts)}
        folders = {rows: files.folders(chunks[rows]) for rows in chunks}
        for folder in files.parents(layout):
            _make_parent(f"{place}/{folder}")

        def make_group(part):
            files.make_group(f"{place}/{part.path}", folders[part.rows], self._documents[part.rows])

        def write_chunk(item):
            folder, start, chunk = item
            piece = arrays[chunk.path][start + chunk.start : start + chunk.stop]
            files.write(f"{folder}/{chunk.key}", chunk.encode(piece))

        files.on_threads(self.threads, make_group, layout.partitions)
        parts = [(f"{place}/{part.path}", part.start, chunks[part.rows]) for part in layout.partitions]
        items = [(folder, start, chunk) for folder, start, every in parts for chunk in every]
        files.on_threads(self.threads, write_chunk, items)

    def query(self, place, layout, *, variable=None, partition=None):
        parts = layout.partitions if partition is None else (partition,)
        variables = [item for item in layout.variables if variable in {None, item.path}]
        rows = sum(part.rows for part in parts)
        found = {item.path: np.empty(item.shape(rows), item.dtype) for item in variables}
        chunks = {count: files.chunks(layout, count, variables) for count in {part.rows for part in parts}}
        items = [
            (f"{place}/{part.path}", part.start - parts[0].start, chunk)
            for part in parts
            for chunk in chunks[part.rows]
        ]

        def read_chunk(item):
            folder, start, chunk = item
            chunk.read(f"{folder}/{chunk.key}", found[chunk.path][start + chunk.start : start + chunk.stop])

        files.on_threads(self.threads, read_chunk, items)
        return found

    def merge(self, place, layout, rows, *, how):
        """Link the chunks that stay, patch those at the edges of the inserted rows, write the others; swap the groups.

        The rows that exist are delivered again with the same times, so both strategies come to the same; rows are added
        at the end only.
        """
        (part,) = layout.partitions
        old, new = place / part.path, Path(place, "staged")
        times = self.query(place, layout, variable=TIME, partition=part)[TIME]
        start, stop = np.searchsorted(times, [rows[TIME][0], rows[TIME][-1] + 1]).tolist()
        total = max(part.rows, start + len(rows[TIME]))
        before = {chunk.key: chunk for chunk in files.chunks(layout, part.rows)}
        after = files.chunks(layout, total)
        files.make_group(str(new), files.folders(after), files.resized(self._documents[part.rows], total))

        def put(chunk):
            if chunk.stop <= start or (stop < part.rows and chunk.start >= stop):
                os.link(old / chunk.key, new / chunk.key)
            else:
                piece = _patched(old, before.get(chunk.key), chunk, rows[chunk.path], start)
                files.write(f"{new}/{chunk.key}", chunk.encode(piece))

        files.on_threads(self.threads, put, after)
        swap(new, old)


class FloorOnOneThread(Floor):
    """Small chunks are coded faster by one thread than by several."""

    about = "the same on one thread, which is faster for small chunks"

    def __init__(self, threads):
        super().__init__(1)


def _make_parent(path):
    if not os.path.isdir(path):
        os.mkdir(path)
        files.write(f"{path}/zarr.json", files.GROUP)


def _patched(old, before, chunk, inserted, start):
    """Return a chunk's rows: inserted ones, which begin at row `start`, over those that it had."""
    first, last = max(start, chunk.start), min(start + len(inserted), chunk.stop)
    part = inserted[first - start : last - start]
    if len(part) == chunk.stop - chunk.start:
        return part
    piece = np.empty((chunk.stop - chunk.start, *inserted.shape[1:]), inserted.dtype)
    before.read(f"{old}/{chunk.key}", piece[: before.stop - before.start])
    piece[first - chunk.start : last - chunk.start] = part
    return piece
