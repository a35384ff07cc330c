"""Creates a collection from a dataset, or inserts into an existing one, in one call."""

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
    """Insert a dataset into a collection, which is created if it does not exist.

    Parameters
    ----------
    dataset
        An `xarray.Dataset` or `xarray.DataTree`, a `pandas.DataFrame`, or a Dataset.
    url_or_store, storage_options
        The location, as for `create_collection`.
    axis, partitioning
        As for `create_collection`; an existing collection must have the same.
    merge, conventions, source, progress
        As for `Collection.insert`.

    Returns
    -------
    Collection
        The collection, open for reading and writing. If the rows cannot be inserted into a new collection, the collection
        still exists, without rows.

    Raises
    ------
    SchemaError
        The dataset cannot be stored, or does not fit the existing collection, or that collection has another axis or
        partitioning. Nothing was inserted.
    PartitionError
        A row belongs to no partition; nothing was inserted.
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
    """Check that an existing collection has the given axis and partitioning."""
    partitioning = partitioning_for(given, collection.schema, axis)
    if (collection.axis, collection.partitioning) != (axis, partitioning):
        message = (
            f"the collection at {collection.store.url} has the axis {collection.axis!r} and the partitioning "
            f"{collection.partitioning!r}; the arguments are {axis!r} and {partitioning!r}: pass those of the collection, or another location"
        )
        raise SchemaError(message)
