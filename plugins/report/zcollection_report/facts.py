"""What is found out of a collection or a view before any of it is shown: each thing once, and why where it cannot be had."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from attrs import field, frozen
from zcollection_coverage import Coverage, coverage

from zcollection import Collection, View
from zcollection.plugin import Key, SettingError, ZCollectionError

T = TypeVar("T")


@frozen
class Asked(Generic[T]):
    """What was asked for, or why it cannot be had.

    Attributes
    ----------
    value
        None where it cannot be had.
    why
        "" where it can.
    """

    value: T | None
    why: str = ""

    @classmethod
    def of(cls, ask: Callable[[], T], *, raises: tuple[type[Exception], ...] = ()) -> "Asked[T]":
        """Return what a function returns; an error of ours becomes the reason, unless it is one that is to be raised."""
        try:
            return cls(ask())
        except (ZCollectionError, OverflowError) as error:
            if isinstance(error, raises):
                raise
            return cls(None, f"{error}")


@frozen(kw_only=True)
class Facts:
    """What is known of a collection, or of a view and the collection that it lies over.

    Attributes
    ----------
    item
        The collection or the view.
    rows
        The collection that holds the rows: itself, or the base.
    records
        What each partition of it says of itself, by path.
    coverage, history, status, health, sizes
        What is there along the axis; the versions; which partitions of a view are current; what `verify` found; bytes by
        variable.
    chosen
        Keys of the partitions at whose objects one has looked for health: all of them, or a sample.
    measured
        Those for sizes: of a view it holds all of these.
    """

    item: Collection | View
    rows: Collection
    records: Mapping[str, Any]
    coverage: Asked[Coverage]
    history: Asked[Sequence[Any]]
    status: Asked[Any] | None
    health: Asked[Any]
    sizes: Asked[dict[str, int]]
    chosen: Sequence[Key] = field(repr=False)
    measured: Sequence[Key] = field(repr=False)

    @classmethod
    def of(cls, item: Collection | View, sample: int | None, options: Mapping[str, Any]) -> "Facts":
        """Find it out; `options` are those of `coverage`."""
        rows = item if isinstance(item, Collection) else item.base
        records = dict(rows.records())  # each is looked up several times, and made anew by each look
        keys = [Key(record.key) for record in records.values()]
        status = Asked.of(item.status) if isinstance(item, View) else None
        chosen, measured = spread(keys, sample), spread(_measurable(records, status), sample)
        is_asked_for = any(value is not None for value in options.values())
        return cls(
            item=item,
            rows=rows,
            records=records,
            coverage=Asked.of(lambda: coverage(rows, **options), raises=(SettingError,) if is_asked_for else ()),
            history=Asked.of(item.history),
            status=status,
            health=Asked.of(lambda: item.verify(filters=among(chosen, of=keys))),
            sizes=Asked.of(lambda: item.stored_bytes(filters=among(measured, of=keys))),
            chosen=chosen,
            measured=measured,
        )


def _measurable(records: Mapping[str, Any], status: Asked[Any] | None) -> list[Key]:
    """Return the keys of the partitions that hold all variables: those with the newest schema, of a view those computed."""
    newest = max((record.layout for record in records.values()), default=0)
    held = set(records)
    if status is not None:
        held = set() if status.value is None else {*status.value.current, *status.value.stale}
    return [Key(record.key) for path, record in records.items() if path in held and record.layout == newest]


def spread(keys: Sequence[Key], count: int | None) -> list[Key]:
    """Return so many of some keys, the first and the last among them, at even distances; None for all.

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
    """Return a filter of some keys of all; None where these are all."""
    if len(chosen) == len(of):
        return None
    wanted = {tuple(key.values()) for key in chosen}
    return lambda key: tuple(key.values()) in wanted
