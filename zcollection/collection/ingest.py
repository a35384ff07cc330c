"""From a dataset to a collection in one call."""

from collections.abc import Mapping
from typing import Any

from zcollection.collection.collection import Collection
from zcollection.collection.create import partitioning_for
from zcollection.collection.stores import Location
from zcollection.collection.write.merging import Merge
from zcollection.contracts.partitioning import Partitioning
from zcollection.errors import CollectionExistsError, SchemaError
from zcollection.model.conventions import Conventions
from zcollection.progress import ProgressOption


async def ingest(
    dataset: object,
    url_or_store: Location,
    *,
    axis: str,
    partitioning: Partitioning | str,
    merge: Merge = None,
    conventions: Conventions = "check",
    source: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    progress: ProgressOption = None,
) -> Collection:
    """Insert a dataset, into a collection that is created from it where there is none.

    Parameters
    ----------
    dataset
        An `xarray.Dataset` or `xarray.DataTree`, a `pandas.DataFrame`, or a Dataset.
    url_or_store, storage_options
        Where, as for `create_collection`.
    axis, partitioning
        As for `create_collection`; those of a collection that is there are the same.
    merge, conventions, source, progress
        As for `Collection.insert`.

    Returns
    -------
    Collection
        Open for reading and writing. Where the rows of a new collection are refused, it stays, empty, with its schema.

    Raises
    ------
    SchemaError
        The dataset cannot be stored, or does not fit the collection that is there; or that one has another axis or
        partitioning. Nothing was inserted.
    PartitionError
        A row has no partition; nothing was inserted.
    """
    try:
        collection = await Collection._create(  # noqa: SLF001 - its own package
            url_or_store,
            schema=dataset,
            axis=axis,
            partitioning=partitioning,
            catalog_enabled=None,
            keep=None,
            overwrite=False,
            storage_options=storage_options,
        )
    except CollectionExistsError:
        collection = await Collection._open(url_or_store, mode="rw", at=None, storage_options=storage_options)  # noqa: SLF001
        _check_same(collection, axis, partitioning)
    await collection.insert_async(dataset, merge=merge, conventions=conventions, source=source, progress=progress)
    return collection


def _check_same(collection: Collection, axis: str, given: Partitioning | str) -> None:
    """Check that a collection that is there is the one that would have been created."""
    partitioning = partitioning_for(given, collection.schema, axis)
    if (collection.axis, collection.partitioning) != (axis, partitioning):
        message = (
            f"the collection at {collection.store.url} has the axis {collection.axis!r} and the partitioning "
            f"{collection.partitioning!r}; given were {axis!r} and {partitioning!r}: give those that it has, or another place"
        )
        raise SchemaError(message)
