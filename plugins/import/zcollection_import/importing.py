"""An import: the form of the data is recognised; units are read, inserted exactly once, and compared."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import evolve, field, frozen

import zcollection
from zcollection import Collection, CollectionNotFoundError, CorruptionError, Schema
from zcollection.errors import SchemaError, SettingError, StoreError
from zcollection.plugin import Missing, Partitioning, ProgressOption, StoreURL, Unknown, has_time_units, tracking
from zcollection_import.choices import axis_of, partitioning_of
from zcollection_import.comparing import differences
from zcollection_import.form import Form, Unit, naming
from zcollection_import.reading import OpenUnit
from zcollection_import.recognition import recognise
from zcollection_import.report import ImportReport

BLOCK_BYTES: Final = 64 * 2**20
"""The approximate number of bytes of rows that are read at once."""

_SOURCE: Final = re.compile(r"(?P<unit>.*)\[(?P<start>\d+):(?P<stop>\d+)\]", re.DOTALL)


def import_collection(
    old: Any,
    new: Any,
    *,
    axis: str | None = None,
    partitioning: Partitioning | str | None = None,
    drop: Iterable[str] = (),
    unknown: Unknown = "raise",
    missing: Missing = "raise",
    verify: bool = True,
    block_bytes: int = BLOCK_BYTES,
    storage_options: Mapping[str, Any] | None = None,
    target_options: Mapping[str, Any] | None = None,
    progress: ProgressOption = None,
) -> ImportReport:
    """Import existing data into a collection; the data are not modified.

    An interrupted import resumes when it is run again, without duplicate rows. If the data have grown since, it adds the new
    rows.

    Parameters
    ----------
    old
        URL or local path of a collection of zcollection 1.x or of its Zarr v3 rewrite, a Zarr group, Parquet or NetCDF files.
    new
        The URL of the new collection, as for `zcollection.create_collection`. It must not exist, unless it is the result of an
        earlier import of the same data.
    axis
        The variable whose values order the rows; None for the axis of the old collection, or the only time variable.
    partitioning
        The partitioning, or a string such as ``"date:M"``; None for that of the old collection, or of the Hive directories.
    drop
        Paths of variables to leave out.
    unknown, missing
        The treatment of variables that only some files contain, as for `Collection.insert`.
    verify
        Whether all data are read again and compared after the import.
    block_bytes
        The approximate number of bytes of rows that are read at once.
    storage_options
        Options of fsspec for `old`.
    target_options
        Options of the store of `new`.
    progress
        True shows progress bars; a function is called with (done, total), first for the import and then for the comparison.

    Returns
    -------
    ImportReport
        A report of the import.

    Raises
    ------
    CollectionNotFoundError
        There are no data at `old`, or their form is unknown.
    SettingError
        The axis or the partitioning is unknown, and has to be chosen.
    SchemaError
        A variable cannot be imported; the rows inserted before are kept.
    CorruptionError
        The old data are damaged, or the new collection differs from them.
    StoreError
        `new` contains other data.

    Examples
    --------
    >>> report = import_collection("/data/old", "file:///data/new")  # doctest: +SKIP
    """
    report = run(
        old,
        new,
        axis=axis,
        partitioning=partitioning,
        drop=tuple(drop),
        unknown=unknown,
        missing=missing,
        verify=verify,
        block_bytes=block_bytes,
        storage_options=storage_options,
        target_options=target_options,
        progress=progress,
    )
    if report.problems:
        problems = "; ".join(map(str, report.problems[:5]))
        message = f"the import of {report.title} has {len(report.problems)} problems: {problems}; drop the new collection, and import again"
        raise CorruptionError(message)
    return report


def run(
    old: Any,
    new: Any,
    *,
    axis: str | None,
    partitioning: Partitioning | str | None,
    drop: Sequence[str],
    unknown: Unknown,
    missing: Missing,
    verify: bool,
    block_bytes: int,
    storage_options: Mapping[str, Any] | None,
    target_options: Mapping[str, Any] | None,
    progress: ProgressOption,
) -> ImportReport:
    """Import data, and return a report that may contain problems; see `import_collection`."""
    if block_bytes < 1:
        message = f"block_bytes={block_bytes}; accepted: at least 1"
        raise SettingError(message)
    form = recognise(old, storage_options=storage_options)
    _check_apart(form, new)
    units = form.units()
    if not units:
        message = f"{form} has no partitions, or files, to import"
        raise CollectionNotFoundError(message)
    axis = axis_of(form, units[0], drop) if axis is None else axis
    importing = _Import(form, units, axis, drop, unknown, missing, block_bytes)
    collection = importing.target(new, partitioning, target_options)
    imported = importing.insert_all(collection, progress)
    problems = None
    if verify:
        found = differences(collection, units, drop=drop, block_bytes=block_bytes, progress=progress)
        problems = (*found, *collection.verify(data=True).problems)
    records = collection.records()
    return ImportReport(
        kind=form.kind,
        title=str(form),
        axis=axis,
        partitioning=repr(collection.partitioning),
        units=len(units),
        rows=sum(record.rows for record in records.values()),
        imported=imported,
        partitions=len(records),
        notes=form.notes,
        problems=problems,
    )


@frozen
class _Import:
    """The data and the settings of an import."""

    form: Form
    units: Sequence[Unit]
    axis: str
    drop: Sequence[str]
    unknown: Unknown
    missing: Missing
    block_bytes: int
    _done: dict[str, list[tuple[int, int]]] = field(factory=lambda: defaultdict(list), init=False)

    def target(
        self, new: Any, partitioning: Partitioning | str | None, options: Mapping[str, Any] | None
    ) -> Collection:
        """Return the target collection: a new one, or the result of an earlier import of the same data."""
        try:
            collection = zcollection.open_collection(new, mode="rw", storage_options=options)
        except CollectionNotFoundError:
            chosen = partitioning_of(self.form, self.axis, partitioning)
            schema = self._schema()
            _check_time_units(schema, chosen)
            return zcollection.create_collection(
                new, schema=schema, axis=self.axis, partitioning=chosen, storage_options=options
            )
        self._check_same(collection, partitioning)
        return collection

    def insert_all(self, collection: Collection, progress: ProgressOption) -> int:
        """Insert the missing rows, and return their number."""
        self._find_done(collection)
        imported = 0
        with tracking(progress, len(self.units), "import") as advance:
            for unit in self.units:
                imported += self._insert(collection, unit)
                advance()
        return imported

    def _insert(self, collection: Collection, unit: Unit) -> int:
        opened, imported = OpenUnit.of(unit, self.axis, self.drop), 0
        try:
            for first, last in _gaps(unit.name, self._done[unit.name], opened.rows):
                for start, stop in opened.blocks(first, last, self.block_bytes):
                    rows = opened.block(start, stop)
                    with naming(unit.name):
                        collection.insert(
                            rows,
                            merge="concat",
                            source=f"{unit.name}[{start}:{stop}]",
                            unknown=self.unknown,
                            missing=self.missing,
                        )
                    imported += stop - start
        finally:
            unit.close()
        return imported

    def _find_done(self, collection: Collection) -> None:
        """Find the rows that are already imported, and reject a collection with other rows."""
        known = {unit.name for unit in self.units}
        for source in collection.sources():
            match = _SOURCE.fullmatch(source)
            if match is None or match["unit"] not in known:
                message = f"{collection.store.url} contains {source!r}, which is not a part of {self.form}; import into a new location"
                raise StoreError(message)
            self._done[match["unit"]].append((int(match["start"]), int(match["stop"])))
        existing = sum(record.rows for record in collection.records().values())
        imported = sum(stop - start for ranges in self._done.values() for start, stop in ranges)
        if existing != imported:
            message = f"{collection.store.url} has {existing} rows, and {imported} of them were imported from {self.form}; import into a new location"
            raise StoreError(message)

    def _schema(self) -> zcollection.DatasetSchema:
        """Return the schema of the first unit with rows."""
        for unit in self.units:
            try:
                opened = OpenUnit.of(unit, self.axis, self.drop)
                if opened.rows:
                    with naming(unit.name):
                        return Schema.from_xarray(opened.block(0, 1), axis=self.axis).build()
            finally:
                unit.close()
        message = f"{self.form} has no rows"
        raise CollectionNotFoundError(message)

    def _check_same(self, collection: Collection, partitioning: Partitioning | str | None) -> None:
        chosen = partitioning_of(self.form, self.axis, partitioning or collection.partitioning)
        stated = evolve(chosen, dimension=collection.partitioning.dimension)  # type: ignore[misc]  # all are attrs classes
        if collection.axis != self.axis or stated != collection.partitioning:
            message = (
                f"{collection.store.url} has the axis {collection.axis!r} and {collection.partitioning!r}, and the import {self.axis!r} and "
                f"{chosen!r}; import as before, or into a new location"
            )
            raise StoreError(message)


def _gaps(name: str, done: Iterable[tuple[int, int]], rows: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of rows that are not imported yet."""
    position = 0
    for start, stop in sorted(done):
        if position < start:
            yield position, start
        position = max(position, stop)
    if position > rows:
        message = (
            f"{name} has {rows} rows, and {position} were imported before: it has changed; import into a new location"
        )
        raise CorruptionError(message)
    if position < rows:
        yield position, rows


def _check_apart(form: Form, new: Any) -> None:
    if isinstance(new, str) or hasattr(new, "__fspath__"):
        target = StoreURL.parse(new)
        if form.place.overlaps(target):
            message = f"the import of {form} would write to {target}, which overlaps it; import into another location"
            raise StoreError(message)


def _check_time_units(schema: zcollection.DatasetSchema, partitioning: Partitioning) -> None:
    """Reject a partitioning by date of numbers without time units."""
    for name in partitioning.time_variables:
        variable = schema.get_variable(name)
        if variable.dtype.kind in "iuf" and not has_time_units(variable.attrs):
            message = (
                f"variable {name!r} is partitioned by date, and its numbers ({variable.dtype}) have no units, such as 'seconds since 2000-01-01'; "
                f"add the attribute to the old data, or partition by other variables"
            )
            raise SchemaError(message)
