"""The comparison after an import: all old data are read again, and compared with the new collection."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from attrs import evolve

from zcollection import Collection, Dataset, Key
from zcollection.plugin import Problem, ProgressOption, as_source, same_values, split, tracking
from zcollection_import.digest import Digest, Words, numbers
from zcollection_import.form import Unit, naming
from zcollection_import.reading import OpenUnit


def differences(
    collection: Collection,
    units: Sequence[Unit],
    *,
    drop: Sequence[str],
    block_bytes: int,
    progress: ProgressOption,
) -> list[Problem]:
    """Return the differences between the old data and the collection.

    Parameters
    ----------
    collection
        The new collection.
    units
        The old data.
    drop
        The variables that were left out.
    block_bytes
        The approximate number of bytes that are read at once.
    progress
        As for `import_collection`.
    """
    expected: dict[str, Digest] = defaultdict(Digest)
    problems: dict[str, Problem] = {}
    with tracking(progress, len(units), "compare") as advance:
        for unit in units:
            for dataset in _blocks(collection, unit, drop, block_bytes):
                for problem in _of_immutables(collection, dataset, unit):
                    problems.setdefault(str(problem), problem)
                for path, digest in _digests(collection, dataset):
                    expected[path] += digest
            advance()
    keys = dict(zip(collection.partitions(), collection.keys(), strict=True))
    found = {path: _of_partition(collection, key, block_bytes) for path, key in keys.items()}
    return [*problems.values(), *_different(expected, found)]


def _different(expected: dict[str, Digest], found: dict[str, Digest]) -> Iterator[Problem]:
    for path in {**expected, **found}:
        difference = expected.get(path, Digest()).difference(found.get(path, Digest()))
        if difference is not None:
            variable, what = difference
            yield Problem(partition=path, variable=variable, what=what)


def _blocks(collection: Collection, unit: Unit, drop: Sequence[str], block_bytes: int) -> Iterator[Dataset]:
    """Yield the rows of a unit with the types and variables of the collection."""
    opened = OpenUnit.of(unit, collection.axis, drop)
    try:
        for start, stop in opened.blocks(0, opened.rows, block_bytes):
            source = as_source(opened.block(start, stop))
            declared = collection.schema.all_variables()
            known = {path: variable for path, variable in source.variables.items() if path in declared}
            with naming(unit.name):
                arrays, _ = evolve(source, variables=known).conformed(collection.schema)
                yield Dataset(collection.schema, arrays)
    finally:
        unit.close()


def _digests(collection: Collection, dataset: Dataset) -> Iterator[tuple[str, Digest]]:
    rows = _numbers(collection, dataset)
    for part in split(dataset, collection.partitioning, dimension=collection.dimension):
        yield part.path, Digest.of({path: values[part.rows] for path, values in rows.items()})


def _of_partition(collection: Collection, key: Key, block_bytes: int) -> Digest:
    dataset, digest = collection.query(filters=dict(key), lazy=True), Digest()
    if dataset is None:
        return digest
    count = dataset.sizes[collection.dimension]
    length = max(block_bytes * count // max(dataset.nbytes, 1), 1)
    for start in range(0, count, length):
        digest += Digest.of(_numbers(collection, dataset.isel({collection.dimension: slice(start, start + length)})))
    return digest


def _numbers(collection: Collection, dataset: Dataset) -> dict[str, Words]:
    """Return a number for each row of each partitioned variable; missing variables are filled."""
    dimension, schema = collection.dimension, collection.schema
    present, sizes, found = dataset.all_variables(), dataset.sizes, {}
    for path, variable in schema.all_variables().items():
        if not schema.spans(path, dimension):
            continue
        if path in present:
            values = present[path].to_numpy()
        else:
            shape = [item.size if item.size is not None else sizes[dimension] for item in schema.dimensions_of(path)]
            values = np.full(shape, variable.fill_value, variable.dtype)
        found[path] = numbers(values, variable, path, variable.dimensions.index(dimension))
    return found


def _of_immutables(collection: Collection, dataset: Dataset, unit: Unit) -> Iterator[Problem]:
    schema = collection.schema
    paths = [path for path in dataset.all_variables() if not schema.spans(path, collection.dimension)]
    if not paths:
        return
    stored = collection.query(variables=paths)
    for path in paths:
        variable = None if stored is None else stored.all_variables().get(path)
        if variable is None or not same_values(variable.to_numpy(), dataset.get_variable(f"/{path}").to_numpy()):
            yield Problem(variable=path, what=f"does not have the values of {unit.name}")
