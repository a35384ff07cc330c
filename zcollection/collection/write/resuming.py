"""Reuses partitions staged by an earlier attempt at the same change: identified by a digest of their inputs, and verified."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio

from zcollection.collection.maintain.verify import GroupCheck, Sample
from zcollection.collection.open_collection import OpenCollection
from zcollection.contracts.objects import Read
from zcollection.contracts.partitioning import KeyValue
from zcollection.engine.work import Remove, Work, enumerated, fetch
from zcollection.errors import ConflictError, CorruptionError
from zcollection.transaction.change import Stage, StagedPartition, Transaction
from zcollection.transaction.documents import PartitionRecord
from zcollection.transaction.places import Place


@contextmanager
def resumable(transaction: Transaction) -> Iterator[None]:
    """Keep the staged partitions for the next attempt if this one has a conflict or is interrupted."""
    try:
        yield
    except (ConflictError, anyio.get_cancelled_exc_class()):
        transaction.keep()
        raise


def digest(*what: Any) -> str:
    """Return a digest of JSON values that identify the inputs of a partition."""
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def layout_digest(opened: OpenCollection) -> str:
    """Return a digest of the layout in which the partitions of a collection are written."""
    configuration = opened.configuration
    return digest(configuration.axis, configuration.dimension, len(configuration.layouts), opened.schema.to_json())


def reuse(
    opened: OpenCollection, stage: Stage, path: str, place: Place, *, key: Mapping[str, KeyValue], rows: int
) -> Work[StagedPartition | None]:
    """Copy a partition staged by another attempt to this stage, and return it.

    Every document and every chunk of the copy is verified, because the writer of the original may have died while
    writing, or may still be alive and remove it. If the copy is not complete, it is removed, and None is returned.
    """
    try:
        (document,) = yield from fetch([Read(place.document)])
        record = None if document is None else PartitionRecord.from_group(document, what=place.document)
        expected = (key, rows, len(opened.configuration.layouts) - 1)
        if record is not None and (record.key, record.rows, record.layout) == expected:
            copied = yield from stage.copying(path, stage.objects, place, record)
            check = GroupCheck(opened, path, copied.record, Place(copied.prefix), sample=Sample.of(True))
            found = yield from check.checked(stage, {})
            if not (found.problems or found.lacks_statistics):
                return copied
    except CorruptionError:
        pass  # the partition is written again
    yield Remove([entry.key for entry in (yield from enumerated(stage.prefix(path)))])
    return None
