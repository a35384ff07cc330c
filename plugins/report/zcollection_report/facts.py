"""The facts of a collection or a view, each collected once; a fact that is unavailable has a reason."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from attrs import field, frozen
from zcollection_coverage import Coverage, coverage

from zcollection import Collection, View
from zcollection.plugin import Key, SettingError, ZCollectionError

T = TypeVar("T")


@frozen
class Fact(Generic[T]):
    """A value, or the reason why it is unavailable.

    Attributes
    ----------
    value
        The value; None if it is unavailable.
    why
        The reason; "" if the value is available.
    """

    value: T | None
    why: str = ""

    @classmethod
    def of(cls, function: Callable[[], T], *, raises: tuple[type[Exception], ...] = ()) -> "Fact[T]":
        """Return the result of a function; an error of zcollection becomes the reason, except those of `raises`."""
        try:
            return cls(function())
        except (ZCollectionError, OverflowError) as error:
            if isinstance(error, raises):
                raise
            return cls(None, f"{error}")


@frozen(kw_only=True)
class Facts:
    """The facts of a collection, or of a view and its base.

    Attributes
    ----------
    item
        The collection or the view.
    rows
        The collection that contains the rows: the collection itself, or the base of the view.
    records
        The records of its partitions, by path.
    coverage, history, status, health, sizes
        The coverage of the axis; the versions; the state of each partition of a view; the result of `verify`; the stored bytes of
        each variable.
    chosen
        The keys of the partitions that were checked for health: all, or a sample.
    measured
        The keys of the partitions that were measured; a view contains all of them.
    """

    item: Collection | View
    rows: Collection
    records: Mapping[str, Any]
    coverage: Fact[Coverage]
    history: Fact[Sequence[Any]]
    status: Fact[Any] | None
    health: Fact[Any]
    sizes: Fact[dict[str, int]]
    chosen: Sequence[Key] = field(repr=False)
    measured: Sequence[Key] = field(repr=False)

    @classmethod
    def of(cls, item: Collection | View, sample: int | None, options: Mapping[str, Any]) -> "Facts":
        """Collect the facts; `options` are those of `coverage`."""
        rows = item if isinstance(item, Collection) else item.base
        records = dict(rows.records())  # used several times, and each access creates them again
        keys = [Key(record.key) for record in records.values()]
        status = Fact.of(item.status) if isinstance(item, View) else None
        chosen, measured = spread(keys, sample), spread(_measurable(records, status), sample)
        has_options = any(value is not None for value in options.values())
        return cls(
            item=item,
            rows=rows,
            records=records,
            coverage=Fact.of(lambda: coverage(rows, **options), raises=(SettingError,) if has_options else ()),
            history=Fact.of(item.history),
            status=status,
            health=Fact.of(lambda: item.verify(filters=among(chosen, of=keys))),
            sizes=Fact.of(lambda: item.stored_bytes(filters=among(measured, of=keys))),
            chosen=chosen,
            measured=measured,
        )


def _measurable(records: Mapping[str, Any], status: Fact[Any] | None) -> list[Key]:
    """Return the keys of the partitions with all variables: those with the newest schema, and computed if it is a view."""
    newest = max((record.layout for record in records.values()), default=0)
    complete = set(records)
    if status is not None:
        complete = set() if status.value is None else {*status.value.current, *status.value.stale}
    return [Key(record.key) for path, record in records.items() if path in complete and record.layout == newest]


def spread(keys: Sequence[Key], count: int | None) -> list[Key]:
    """Return `count` evenly spaced keys, including the first and the last; None returns all.

    Examples
    --------
    >>> spread(range(11), 3)
    [0, 5, 10]
    """
    if count is None or len(keys) <= count:
        return list(keys)
    if count == 1:
        return [keys[-1]]
    return [keys[round(at * (len(keys) - 1) / (count - 1))] for at in range(count)]


def among(chosen: Sequence[Key], *, of: Sequence[Key]) -> Callable[[Key], bool] | None:
    """Return a filter that accepts the chosen keys; None if all keys are chosen."""
    if len(chosen) == len(of):
        return None
    selected = {tuple(key.values()) for key in chosen}
    return lambda key: tuple(key.values()) in selected
