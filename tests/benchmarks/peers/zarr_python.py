"""zarr-python: a group for each partition, written and read array by array, with our codecs."""

import asyncio
from pathlib import Path
from typing import ClassVar

import numpy as np
import zarr

from peers.base import Peer, swap


def settings(layout, variable, rows):
    """Return how zarr-python makes an array: as zcollection lays it out, fill-only chunks written too."""
    return {
        "shape": variable.shape(rows),
        "dtype": variable.dtype,
        "chunks": layout.chunks(variable, rows),
        "compressors": layout.compressors(variable.path) or None,
        "attributes": variable.attributes,
        "dimension_names": variable.dimensions,
        "config": {"write_empty_chunks": True},
    }


class ZarrPython(Peer):
    """The synchronous API."""

    about = "zarr-python, a group a partition, array by array"
    libraries: ClassVar = ("zarr", "numcodecs")
    only_files = False

    def __init__(self, threads):
        super().__init__(threads)
        zarr.config.set({"threading.max_workers": threads})

    def create(self, place, layout):
        zarr.create_group(self.storage.zarr(place))

    def add(self, place, layout, arrays):
        root = zarr.open_group(self.storage.zarr(place), mode="a")
        for part in layout.partitions:
            self._write(root.create_group(part.path), layout, part, arrays)

    def _write(self, group, layout, part, arrays):
        for variable in layout.variables:
            array = group.create_array(variable.path, **settings(layout, variable, part.rows))
            array[...] = arrays[variable.path][part.slice]

    def query(self, place, layout, *, variable=None, partition=None):
        root = zarr.open_group(self.storage.zarr(place), mode="r")
        parts = layout.partitions if partition is None else (partition,)
        paths = layout.paths if variable is None else (variable,)
        found = {path: [] for path in paths}
        for part in parts:
            group = root[part.path]
            for path in paths:
                found[path].append(group[path][...])
        return {path: pieces[0] if len(pieces) == 1 else np.concatenate(pieces) for path, pieces in found.items()}

    def rewrite(self, place, layout, arrays):
        (part,) = layout.partitions
        new = Path(place, "staged")
        self._write(zarr.create_group(str(new)), layout, part, arrays)
        swap(new, Path(place, part.path))


class ZarrPythonAsync(ZarrPython):
    """The asynchronous API: the arrays of a partition side by side, partition after partition."""

    about = "zarr-python's asynchronous API, the arrays of a partition side by side"

    def add(self, place, layout, arrays):
        asyncio.run(self._add(place, layout, arrays))

    async def _add(self, place, layout, arrays):
        root = await zarr.api.asynchronous.open_group(self.storage.zarr(place), mode="a")
        for part in layout.partitions:
            group = await root.create_group(part.path)
            await asyncio.gather(*(self._put(group, layout, part, v, arrays) for v in layout.variables))

    async def _put(self, group, layout, part, variable, arrays):
        array = await group.create_array(variable.path, **settings(layout, variable, part.rows))
        await array.setitem(Ellipsis, arrays[variable.path][part.slice])

    def query(self, place, layout, *, variable=None, partition=None):
        parts = layout.partitions if partition is None else (partition,)
        paths = layout.paths if variable is None else (variable,)
        pieces = asyncio.run(self._get(place, parts, paths))
        return {path: np.concatenate([piece[i] for piece in pieces]) for i, path in enumerate(paths)}

    async def _get(self, place, parts, paths):
        root = await zarr.api.asynchronous.open_group(self.storage.zarr(place), mode="r")
        return [await asyncio.gather(*(self._values(root, f"{part.path}/{path}") for path in paths)) for part in parts]

    async def _values(self, root, path):
        return await (await root.getitem(path)).getitem(Ellipsis)
