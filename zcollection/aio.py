"""The public surface for asynchronous callers; the synchronous one is derived from it.

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
        URL whose scheme an installed plugin opens (``file://``, ``memory://`` …), a local path as text or as a
        `pathlib.Path`, or an open store. In a path ``~`` is the home directory, and ``%20`` is itself; in ``file:///path``
        it is a space.
    schema
        What its datasets may have: a `DatasetSchema`, the `Schema` builder of one, or a dataset (of ours, of xarray or of
        pandas) whose variables are taken over, without their values.
    axis
        The variable whose values order and identify rows: one-dimensional, at the root; the collection is partitioned
        along its dimension. Or a dimension, where no variable has this name.
    partitioning
        How rows map to partitions, such as ``zcollection.partitioning.Date(("time",), resolution="D")``, or its text form
        ``"date:D"``; see `zcollection.partitioning.from_text`.
    catalog_enabled
        Whether to index the partitions; None lets the store decide.
    keep
        For how long older versions stay readable: a number of versions, a duration such as "30d", or None for not at all;
        `Collection.retain` changes it.
    overwrite
        Replace the collection that is there, as a whole, its partitions and its older versions included.
    storage_options
        Options of the store; those that it does not know are refused.

    Returns
    -------
    Collection
        Open for reading and writing.

    Raises
    ------
    CollectionExistsError
        There is one, and `overwrite` is False.
    SchemaError
        Schema, axis and partitioning do not fit each other.
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
    """Open a collection; this never creates anything.

    Parameters
    ----------
    url_or_store, storage_options
        As for `create_collection`.
    mode
        "r" to read, "rw" to read and write.
    at
        Open an older version to read: its number, or the id of its snapshot; a tag; or a time, such as "2026-11-20T06:00".

    Raises
    ------
    CollectionNotFoundError
        There is none.
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
    """Create a view: variables of its own over a collection, which it never writes to.

    Parameters
    ----------
    url_or_store, storage_options
        Where, as for `create_collection`.
    base
        The collection, or its URL.
    variables
        What the view has, to be written by `View.update`: a sequence of `VariableSchema`, a mapping from paths to them,
        or a schema. They use the base's dimensions, the partitioned one among them. A variable needs a fill value;
        without one, floating-point numbers have NaN, and times NaT.
    computation
        Or what computes them, such as ``zcollection.computation.Expression({"sla": "ssh - mss"})``; of several, a later
        one may read what an earlier one makes. It is stored by name and configuration.
    shadow
        Whether variables may have the names of some of the base's, which they then take the place of.
    conventions
        What happens where such a variable means something else than the base's: "check" raises, "ignore" lets it.
    reference
        How the view finds its base again; by default the base's URL. A path relative to the view's own place, such as
        ``"../base"``, where both move together.
    overwrite
        Replace what is there, as a whole.
    base_options
        Options of the base's store, where `base` is its URL. They are not stored.

    Returns
    -------
    View
        Open for reading and writing; nothing is computed yet.

    Raises
    ------
    CollectionExistsError
        There is something, and `overwrite` is False.
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
    """Open a view and, to read, its base; this never creates anything.

    Parameters
    ----------
    url_or_store, storage_options
        As for `create_view`.
    mode
        "r" to read, "rw" to read and write.
    at
        Open an older version of the view to read, as for `open_collection`. It is read over the newest version of its base,
        unless `base` is an older one: partitions that the view computed from other rows than the base has are stale, as
        `View.status` says.
    base
        The base or its URL; None for the one that the view refers to. A collection that was opened with ``at=`` is read at
        that version.
    base_options
        Options of the base's store.

    Raises
    ------
    CollectionNotFoundError
        There is no view, or its base is not where it refers to.
    SettingError, StoreError
        The view has no version `at`, or it is not kept.
    ReadOnlyError
        An older version was asked for, with ``mode="rw"``.
    SchemaError
        The base is partitioned in another way than the one that the view was made for.
    """
    return await View.open_async(
        url_or_store, mode=mode, at=at, base=base, storage_options=storage_options, base_options=base_options
    )


__all__ = ["Collection", "View", "create_collection", "create_view", "ingest", "open_collection", "open_view"]
