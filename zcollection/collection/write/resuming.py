"""Partitions that another attempt at the same change has staged: told by what they are made from, and taken over if they are whole."""

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
    """Leave what was staged for the next attempt, where another writer got in the way of this one, or it was interrupted."""
    try:
        yield
    except (ConflictError, anyio.get_cancelled_exc_class()):
        transaction.keep()
        raise


def digest(*what: Any) -> str:
    """Return a text that differs between any two things that a partition may be made from, given as JSON values."""
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def layout_digest(opened: OpenCollection) -> str:
    """Return the same of how the partitions of a collection are written."""
    configuration = opened.configuration
    return digest(configuration.axis, configuration.dimension, len(configuration.layouts), opened.schema.to_json())


def taken_over(
    opened: OpenCollection, stage: Stage, path: str, place: Place, *, key: Mapping[str, KeyValue], rows: int
) -> Work[StagedPartition | None]:
    """Return a partition that lies in another stage, copied to this one.

    None, and nothing of it is here, unless each document and each chunk of the copy is found to be what was written: its
    writer may have died over it, and may live and remove it.
    """
    try:
        (document,) = yield from fetch([Read(place.document)])
        record = None if document is None else PartitionRecord.from_group(document, what=place.document)
        wanted = (key, rows, len(opened.configuration.layouts) - 1)
        if record is not None and (record.key, record.rows, record.layout) == wanted:
            copied = yield from stage.copying(path, stage.objects, place, record)
            check = GroupCheck(opened, path, copied.record, Place(copied.prefix), sample=Sample.of(True))
            found = yield from check.checked(stage, {})
            if not (found.problems or found.lacks_statistics):
                return copied
    except CorruptionError:
        pass  # it is made anew
    yield Remove([entry.key for entry in (yield from enumerated(stage.prefix(path)))])
    return None
