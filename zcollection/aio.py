"""The asynchronous public API; the synchronous functions of `zcollection` are derived from it.

Examples
--------
>>> import anyio
>>> from zcollection import aio
>>> async def count() -> int:
...     collection = await aio.open_collection("file:///data/altimetry")
...     return len(await collection.partitions_async())
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from zcollection.collection.collection import Collection
from zcollection.collection.ingest import ingest
from zcollection.collection.maintain.ages import Keep
from zcollection.collection.stores import Location
from zcollection.contracts.computation import Computation
from zcollection.contracts.partitioning import Partitioning
from zcollection.contracts.store import Mode
from zcollection.contracts.transactional import At
from zcollection.model.conventions import Conventions
from zcollection.view.view import View


async def create_collection(
    url_or_store: Location,
    *,
    schema: object,
    axis: str,
    partitioning: Partitioning | str,
    catalog_enabled: bool | None = None,
    keep: Keep = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Collection:
    """Create a collection.

    Parameters
    ----------
    url_or_store
        URL of the collection, with a scheme of an installed store plugin (``file://``, ``memory://`` …); a local path as
        a string or a `pathlib.Path`; or an open store. In a path, ``~`` is the home directory and ``%20`` is literal; in
        ``file:///path``, ``%20`` is a space.
    schema
        The variables of the collection: a `DatasetSchema`, its builder `Schema`, or a dataset of zcollection, xarray or
        pandas, of which only the declarations of the variables are used, and not their values.
    axis
        The variable whose values order and identify the rows: one-dimensional, in the root group; the collection is
        partitioned along its dimension. Alternatively, the name of a dimension without a variable of the same name.
    partitioning
        How rows map to partitions, such as ``zcollection.partitioning.Date(("time",), resolution="D")``, or its text form
        ``"date:D"``; see `zcollection.partitioning.from_text`.
    catalog_enabled
        Whether to keep a catalog, the index of the partitions; None lets the store decide.
    keep
        How long older versions stay readable: a number of versions, a duration such as "30d", or None to keep no older
        version. `Collection.retain` changes it.
    overwrite
        Replace an existing collection, including all its partitions and older versions.
    storage_options
        Options of the store; unknown ones raise an error.

    Returns
    -------
    Collection
        The new collection, open for reading and writing.

    Raises
    ------
    CollectionExistsError
        A collection exists at the URL, and `overwrite` is False.
    SchemaError
        The schema, the axis and the partitioning do not fit together.
    PluginError
        No installed plugin opens the URL, or an option is unknown.
    """
    return await Collection._create(  # noqa: SLF001 - its own package
        url_or_store,
        schema=schema,
        axis=axis,
        partitioning=partitioning,
        catalog_enabled=catalog_enabled,
        keep=keep,
        overwrite=overwrite,
        storage_options=storage_options,
    )


async def open_collection(
    url_or_store: Location, *, mode: Mode = "r", at: At = None, storage_options: Mapping[str, Any] | None = None
) -> Collection:
    """Open an existing collection.

    Parameters
    ----------
    url_or_store, storage_options
        As for `create_collection`.
    mode
        "r" to read, "rw" to read and write.
    at
        An older version to open for reading: its number, or the id of its snapshot; a tag; or a time, such as
        "2026-11-20T06:00".

    Raises
    ------
    CollectionNotFoundError
        There is no collection at the URL.
    """
    return await Collection._open(  # noqa: SLF001 - its own package
        url_or_store, mode=mode, at=at, storage_options=storage_options
    )


async def create_view(
    url_or_store: Location,
    *,
    base: Location | Collection,
    variables: object = None,
    computation: Computation | Iterable[Computation] | None = None,
    shadow: bool = False,
    conventions: Conventions = "check",
    reference: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
    base_options: Mapping[str, Any] | None = None,
) -> View:
    """Create a view: additional variables over a collection, its base, which the view never writes to.

    Parameters
    ----------
    url_or_store, storage_options
        URL or store of the view, and the store's options, as for `create_collection`.
    base
        The base collection, or its URL.
    variables
        Variables of the view that `View.update` will write: a sequence of `VariableSchema`, a mapping from paths to
        them, or a schema. They use dimensions of the base, including the partitioned one. A variable needs a fill value;
        the default is NaN for floating-point numbers, and NaT for times.
    computation
        Instead of `variables`: one or several computations that compute them, such as
        ``zcollection.computation.Expression({"sla": "ssh - mss"})``. A computation may read the results of earlier ones.
        Computations are stored by name and configuration.
    shadow
        Whether variables of the view may replace variables of the base that have the same names.
    conventions
        Whether a variable that replaces one of the base must have the same meaning (units, packing, calendar, flags …):
        "check" raises an error if it has not, "ignore" accepts it.
    reference
        How the view refers to its base; by default the URL of the base. Use a path relative to the view, such as
        ``"../base"``, if both will be moved together.
    overwrite
        Replace an existing collection or view.
    base_options
        Options of the base's store, if `base` is a URL. They are not stored.

    Returns
    -------
    View
        The new view, open for reading and writing; nothing is computed yet.

    Raises
    ------
    CollectionExistsError
        A collection or view exists at the URL, and `overwrite` is False.
    SchemaError
        The variables do not fit the base: one has the name of a variable of the base, an unknown dimension, or no fill
        value.
    PluginError
        No installed plugin opens a URL, or the computation has no name to be stored under.
    """
    return await View.create_async(
        url_or_store,
        base=base,
        variables=variables,
        computation=computation,
        shadow=shadow,
        conventions=conventions,
        reference=reference,
        overwrite=overwrite,
        storage_options=storage_options,
        base_options=base_options,
    )


async def open_view(
    url_or_store: Location,
    *,
    mode: Mode = "r",
    at: At = None,
    base: Location | Collection | None = None,
    storage_options: Mapping[str, Any] | None = None,
    base_options: Mapping[str, Any] | None = None,
) -> View:
    """Open an existing view, and its base for reading.

    Parameters
    ----------
    url_or_store, storage_options
        As for `create_view`.
    mode
        "r" to read, "rw" to read and write.
    at
        An older version of the view to open for reading, as for `open_collection`. It is combined with the newest
        version of its base, unless `base` is opened at an older one. Partitions whose rows in the base have changed
        since the view computed them are stale; see `View.status`.
    base
        The base collection or its URL; None for the one that the view refers to. A collection that was opened with ``at=``
        is read at that version.
    base_options
        Options of the base's store.

    Raises
    ------
    CollectionNotFoundError
        There is no view at the URL, or no collection at the URL of its base.
    SettingError, StoreError
        The view has no version `at`, or that version is no longer kept.
    ReadOnlyError
        `at` was passed with ``mode="rw"``; older versions are read-only.
    SchemaError
        The partitioning of the base differs from the one with which the view was created.
    """
    return await View.open_async(
        url_or_store, mode=mode, at=at, base=base, storage_options=storage_options, base_options=base_options
    )


__all__ = ["Collection", "View", "create_collection", "create_view", "ingest", "open_collection", "open_view"]
