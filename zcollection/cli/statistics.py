"""``zcollection stats``: summary statistics of each variable, computed partition by partition."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from zcollection.cli.opening import (
    URL,
    AsJson,
    At,
    Base,
    BaseOptions,
    Filter,
    StorageOptions,
    Variables,
    Where,
    names_of,
    open_source,
)
from zcollection.cli.output import write_json, write_table
from zcollection.cli.querying import Source, no_rows
from zcollection.cli.values import missing_of, plain_values, shown
from zcollection.collection.collection import Collection
from zcollection.model.dataset import Dataset
from zcollection.model.formatting import format_bytes
from zcollection.model.times import has_time_units
from zcollection.model.variable import Variable
from zcollection.view.view import View


@frozen(kw_only=True)
class Summary:
    """Summary statistics of the values of one variable.

    Attributes
    ----------
    count, missing
        The number of values that are present, and of those that are missing.
    smallest, largest
        Smallest and largest value present; None if there are none, or they have no order.
    total
        The sum of the values: for integers and times an exact integer of any size; None if they are not numbers.
    """

    count: int
    missing: int
    smallest: Any = None
    largest: Any = None
    total: Any = None

    @classmethod
    def of(cls, variable: Variable) -> "Summary":
        """Summarise the values of a variable."""
        missing = missing_of(variable)
        values = variable.to_numpy()[~missing]
        if not values.size or values.dtype.kind == "c":
            return cls(count=values.size, missing=int(missing.sum()))
        smallest, largest = _limits(values)
        return cls(
            count=values.size,
            missing=int(missing.sum()),
            smallest=smallest,
            largest=largest,
            total=_total(values, smallest),
        )

    def combined(self, other: "Summary") -> "Summary":
        """Return the summary of the values of both."""
        both = [part for part in (self, other) if part.smallest is not None]
        return Summary(
            count=self.count + other.count,
            missing=self.missing + other.missing,
            smallest=min((part.smallest for part in both), default=None),
            largest=max((part.largest for part in both), default=None),
            total=sum(part.total for part in both) if both and all(part.total is not None for part in both) else None,
        )

    def facts(self, variable: Variable) -> dict[str, Any]:
        """Return the summary as JSON; `variable` determines their format."""
        return {
            "count": self.count,
            "missing": self.missing,
            "smallest": _in_words(variable, self.smallest),
            "mean": self._mean(variable),
            "largest": _in_words(variable, self.largest),
        }

    def _mean(self, variable: Variable) -> Any:
        if self.total is None:
            return None
        dtype = variable.dtype
        if dtype.kind in "mM":
            return _in_words(variable, np.int64(self.total // self.count).view(dtype))
        mean = self.total / self.count
        if has_time_units(variable.attrs):
            return _in_words(variable, dtype.type(self.total // self.count if dtype.kind in "iu" else mean))
        return mean if np.isfinite(mean) else str(mean)


Summaries = Mapping[str, Summary]


def _limits(values: NDArray[Any]) -> tuple[Any, Any]:
    if values.dtype.kind in "TUS":
        strings = values.tolist()
        return min(strings), max(strings)
    return values.min(), values.max()


def _total(values: NDArray[Any], smallest: Any) -> Any:
    """Return the sum of values: of floats in float64, of integers and times exactly."""
    if values.dtype.kind in "TUS":
        return None
    if values.dtype.kind == "f":
        return float(values.sum(dtype=np.float64))
    if values.dtype.kind == "b":
        return int(values.sum())
    if values.dtype.kind == "u":
        far, low = values.astype(np.uint64) - np.uint64(smallest), int(smallest)
    else:
        counts = values.astype(values.dtype if values.dtype.kind in "mM" else np.int64).view(np.int64)
        low = int(counts.min())
        far = counts.view(np.uint64) - np.array(low, np.int64).view(np.uint64)  # modulo 2**64, the distance is correct
    high, rest = far >> np.uint64(32), far & np.uint64(2**32 - 1)
    return low * values.size + (int(high.sum()) << 32) + int(rest.sum())


def _in_words(variable: Variable, value: Any) -> Any:
    """Return one value of a variable as JSON."""
    if value is None:
        return None
    schema = evolve(variable.schema, dimensions=("value",), fill_value=None)
    array = np.empty(1, variable.dtype)
    array[0] = value
    return plain_values(Variable(schema, array))[0]


def summaries(dataset: Dataset, names: Iterable[str] | None = None) -> Summaries:
    """Summarise the variables of a dataset, by path."""
    variables = dataset.all_variables() if names is None else {name: dataset.get_variable(f"/{name}") for name in names}
    return {path: Summary.of(variable) for path, variable in variables.items()}


def _combined(one: Summaries, other: Summaries) -> Summaries:
    return {path: summary.combined(other[path]) for path, summary in one.items()}


def stats(
    url: URL,
    *,
    where: Where = None,
    filters: Filter = None,
    variables: Variables = None,
    at: At = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show for each variable: values present and missing, smallest, mean and largest, stored bytes and compression ratio.

    Bytes and ratio refer to entire partitions, and are not shown with --where.
    """
    source = open_source(url, storage_option, base, base_option, at=at)
    facts = facts_of(source, where, filters, names_of(variables), progress=not as_json)
    if as_json:
        write_json(facts)
        return
    header = ["variable", "count", "missing", "smallest", "mean", "largest"]
    header += [] if where is not None else ["stored", "ratio"]
    lines = [[path, *(_cell(name, item[name]) for name in header[1:])] for path, item in facts.items()]
    write_table(header, lines, numeric=set(header[1:]))


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "stored":
        return format_bytes(value)
    if name in {"mean", "ratio"} and isinstance(value, float):
        return f"{value:.6g}" if name == "mean" else f"{value:.2f}"
    return shown(value)


def facts_of(
    source: Source, where: str | None, filters: str | None, names: list[str] | None, *, progress: bool
) -> dict[str, dict[str, Any]]:
    """Return the statistics of each variable as JSON, by path."""
    empty = no_rows(source, names)
    partitioned = [path for path in empty.all_variables() if source.schema.spans(path, source.dimension)]
    fixed = [path for path in empty.all_variables() if path not in partitioned]
    found: dict[str, Summary] = dict(summaries(empty))
    found |= _of_partitioned(source, _Partitioned(tuple(partitioned)), where, filters, progress=progress) or {}
    facts = {path: found[path].facts(empty.get_variable(f"/{path}")) for path in (*partitioned, *fixed)}
    if where is not None:
        return facts
    stored = _stored(source, filters)
    for path, item in facts.items():
        variable = empty.get_variable(f"/{path}")
        size = (item["count"] + item["missing"]) * variable.dtype.itemsize
        is_string = variable.dtype.kind == "T"  # the size of its values depends on each of them
        item |= {"stored": stored[path], "ratio": size / stored[path] if stored[path] and not is_string else None}
    return facts


def _of_partitioned(
    source: Source, summing: "_Partitioned", where: str | None, filters: str | None, *, progress: bool
) -> Summaries | None:
    """Summarise the partitioned variables; None if there are no rows."""
    if isinstance(source, View):
        parts = source.scan(where=where, filters=filters, variables=summing.names)
        return reduce(_combined, map(summing, parts)) if summing.names and source.count(filters=filters) else None
    applied: Any = source.map  # the blocking method is typed by its first overload only
    mapped: Summaries | None = applied(
        summing, where=where, filters=filters, variables=summing.names, reduce=_combined, progress=progress
    )
    return mapped


def _stored(source: Source, filters: str | None) -> dict[str, int]:
    """Return the size of all objects of each variable; the variables of a view are in its own store."""
    of_base = {} if isinstance(source, Collection) else source.base.stored_bytes(filters=filters)
    return of_base | source.stored_bytes(filters=filters)


@frozen
class _Partitioned:
    """Summarises the partitioned variables of a partition; immutable ones are the same in each partition."""

    names: tuple[str, ...]

    def __call__(self, dataset: Dataset) -> Summaries:
        return summaries(dataset, self.names)
