"""xarray: a Zarr store for each partition, written with `to_zarr`, read with `open_zarr` and `concat`."""

from itertools import groupby
from operator import attrgetter
from typing import ClassVar

import numpy as np
import xarray as xr
import zarr
from layouts import TIME

from peers.base import Peer


class XarrayZarr(Peer):
    """Nested groups are written and read one by one; merges write regions of the store and append to it, in place."""

    about = "xarray, to_zarr with append and region, open_zarr of each partition and concat"
    libraries: ClassVar = ("xarray", "zarr", "numcodecs")
    only_files = False

    def __init__(self, threads):
        super().__init__(threads)
        zarr.config.set({"threading.max_workers": threads})

    def add(self, place, layout, arrays):
        for part in layout.partitions:
            for group, variables in _by_group(layout.variables):
                _dataset(variables, arrays, part.slice).to_zarr(
                    self.storage.zarr(place, part.path),
                    group=group or None,
                    mode="w" if group == "" else "a",
                    encoding=_encoding(layout, variables, part.rows),
                    **_WRITING,
                )

    def query(self, place, layout, *, variable=None, partition=None):
        parts = layout.partitions if partition is None else (partition,)
        found = {}
        for group, variables in _by_group(layout.variables):
            wanted = [item for item in variables if variable in {None, item.path}]
            if wanted:
                found |= _read([self.storage.zarr(place, part.path) for part in parts], group, wanted)
        return {path: found[path] for path in layout.paths if path in found}

    def merge(self, place, layout, rows, *, how):
        # The rows that exist are delivered again with the same times, so both strategies come to the same.
        (part,) = layout.partitions
        store = self.storage.zarr(place, part.path)
        with _open(store, None) as existing:
            times = existing[TIME].to_numpy()
            start, stop = np.searchsorted(times, [rows[TIME][0], rows[TIME][-1] + 1]).tolist()
        covered = stop - start
        region = _dataset(layout.variables, rows, slice(0, covered))
        region.to_zarr(store, region={TIME: slice(start, stop)}, mode="r+", **_WRITING)
        if covered < len(rows[TIME]):
            _dataset(layout.variables, rows, slice(covered, None)).to_zarr(store, append_dim=TIME, **_WRITING)


_WRITING = {"zarr_format": 3, "consolidated": False, "write_empty_chunks": True}


def _by_group(variables):
    for group, members in groupby(sorted(variables, key=attrgetter("group")), key=attrgetter("group")):
        yield group, list(members)


def _dataset(variables, arrays, part):
    return xr.Dataset({v.name: (v.dimensions, arrays[v.path][part], v.attributes) for v in variables})


def _encoding(layout, variables, rows):
    # Without NaN as its fill value the last chunk is padded with zeros, as that of the others is.
    return {
        v.name: {
            "chunks": layout.chunks(v, rows),
            "compressors": layout.compressors(v.path) or None,
            "fill_value": 0,
            "_FillValue": None,
        }
        for v in variables
    }


def _read(stores, group, variables):
    names = [variable.name for variable in variables]
    opened = [_open(store, group)[names] for store in stores]
    joined = opened[0] if len(opened) == 1 else xr.concat(opened, dim=TIME, join="override", combine_attrs="override")
    return {variable.path: joined[variable.name].to_numpy() for variable in variables}


def _open(store, group):
    return xr.open_zarr(store, group=group or None, chunks=None, decode_cf=False, consolidated=False)
