"""Recognition of other formats at the location of a collection, so that an error can name the next step."""

from typing import Final

from zcollection.contracts.objects import Read
from zcollection.contracts.store import KeyStore
from zcollection.engine.work import fetch, perform_one
from zcollection.errors import CorruptionError
from zcollection.model.documents import parse_json

REWRITE: Final = "a collection of the Zarr v3 rewrite of zcollection"

_MARKS: Final = {
    ".zcollection": "a collection of zcollection 1.x",
    "zarr.json": "a Zarr group",
    ".zgroup": "a Zarr group",
}


async def recognise(store: KeyStore) -> str | None:
    """Return a description of the format in a store without a zcollection configuration; None if it is unknown."""
    documents = await perform_one(store, fetch([Read(name) for name in _MARKS]))
    return next((what for what, data in zip(_MARKS.values(), documents, strict=True) if data is not None), None)


def is_of_rewrite(data: bytes) -> bool:
    """Return whether a configuration was written by the Zarr v3 rewrite, which uses the same file name."""
    try:
        body = parse_json(data, what="")
    except CorruptionError:
        return False
    return "kind" not in body and {"axis", "partitioning", "schema"} <= body.keys()
