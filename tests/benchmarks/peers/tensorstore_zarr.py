"""tensorstore: its zarr3 driver, all arrays opened, written and read side by side, with our codecs."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorstore as ts

from peers.base import Peer, swap


class TensorstoreZarr(Peer):
    """tensorstore has no groups: only arrays are written."""

    about = "tensorstore zarr3, every array of a dataset side by side, no groups"
    libraries: ClassVar = ("tensorstore",)

    def add(self, place, layout, arrays):
        self._write([(place / part.path, part) for part in layout.partitions], layout, arrays)

    def _write(self, parts, layout, arrays):
        context = self._context()
        opened = [
            (ts.open(_creation(folder, layout, item, part.rows), context=context), arrays[item.path][part.slice])
            for folder, part in parts
            for item in layout.variables
        ]
        for written in [array.result().write(values) for array, values in opened]:
            written.result()

    def query(self, place, layout, *, variable=None, partition=None):
        context = self._context()
        parts = layout.partitions if partition is None else (partition,)
        paths = layout.paths if variable is None else (variable,)
        opened = {
            path: [ts.open(_spec(place / part.path / path), open=True, context=context) for part in parts]
            for path in paths
        }
        reads = {path: [array.result().read() for array in arrays] for path, arrays in opened.items()}
        return {path: np.concatenate([piece.result() for piece in pieces]) for path, pieces in reads.items()}

    def rewrite(self, place, layout, arrays):
        (part,) = layout.partitions
        new = Path(place, "staged")
        self._write([(new, part)], layout, arrays)
        swap(new, Path(place, part.path))

    def _context(self):
        return ts.Context({"data_copy_concurrency": {"limit": self.threads}})


def _spec(folder):
    return {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{folder}/"}}


def _creation(folder, layout, item, rows):
    metadata = {
        "shape": item.shape(rows),
        "data_type": item.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": layout.chunks(item, rows)}},
        "codecs": [dict(codec) for codec in layout.schema.get_variable(item.path).codecs],
        "attributes": item.attributes,
        "dimension_names": item.dimensions,
    }
    return {**_spec(folder / item.path), "metadata": metadata, "create": True, "store_data_equal_to_fill_value": True}
