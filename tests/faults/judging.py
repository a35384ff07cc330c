"""What must hold of a collection whose writer was interrupted, wherever it lies."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import anyio
import ledger
import operations
import zarr
from zarr.core.buffer.cpu import Buffer
from zarr.storage import LocalStore, MemoryStore

import zcollection as zc
from zcollection.plugin import KeyStore, Read

Place = Path | KeyStore
_GROUP = re.compile(r"year=\d+/month=\d+(/day=\d+)?/zarr\.json")
_OURS = "zcollection"
"""The attribute that makes a partition of a group."""
Partitions = dict[str, dict[str, list[float]]]
State = tuple[tuple[str, ...], dict[str, list[float]]]


def state(place: Place) -> State:
    """Return all that a reader sees."""
    return _seen(zc.open_collection(place))


def _seen(collection: zc.Collection) -> State:
    dataset = collection.query()
    arrays = {} if dataset is None else dataset.all_variables()
    return collection.partitions(), {path: item.to_numpy().tolist() for path, item in arrays.items()}


def older(place: Place) -> dict[int, State]:
    """Return what a reader sees of each version that is kept, besides the newest."""
    found = {}
    for entry in zc.open_collection(place).history()[:-1]:
        with suppress(zc.errors.SettingError):
            found[entry.version] = _seen(zc.open_collection(place, at=entry.version))
    return found


def kept(before: Place, after: Place) -> dict[int, State]:
    """Return the older versions that an operation lets stay."""
    versions = older(before)
    return {version: versions[version] for version in versions.keys() & older(after).keys()}


def plain(place: Place) -> State:
    """Return all that plain zarr reads."""
    found = plain_partitions(place)
    names = sorted({name for arrays in found.values() for name in arrays})
    return tuple(found), {name: [value for arrays in found.values() for value in arrays[name]] for name in names}


def plain_partitions(place: Place) -> Partitions:
    """Return what plain zarr reads of each partition that it finds."""
    store, keys = _files(place) if isinstance(place, Path) else _copied(place)
    paths = sorted(key.removesuffix("/zarr.json") for key in keys if _GROUP.fullmatch(key))
    groups = {path: zarr.open_group(store, path=path, mode="r") for path in paths}
    return {
        path: {name: array[:].tolist() for name, array in group.arrays()}
        for path, group in groups.items()
        if _OURS in group.attrs
    }


def torn(place: Place, *states: Partitions) -> str | None:
    """Return which partition plain zarr finds otherwise than it was before and is to be, or None."""
    for path, arrays in plain_partitions(place).items():
        if arrays not in [state.get(path) for state in states]:
            return f"plain zarr reads {path}, which is not whole"
    return None


def _files(place: Path) -> tuple[LocalStore, list[str]]:
    return LocalStore(place), [str(found.relative_to(place)) for found in place.glob("year=*/**/zarr.json")]


def _copied(place: KeyStore) -> tuple[MemoryStore, list[str]]:
    found = anyio.run(objects, place)
    return MemoryStore({key: Buffer.from_bytes(data) for key, data in found.items()}, read_only=True), list(found)


async def objects(store: KeyStore) -> dict[str, bytes]:
    """Return everything that lies in a store."""
    keys = [entry.key async for entry in store.list("", recursive=True)]
    found = await store.get([Read(key) for key in keys])
    return {key: data for key, data in zip(keys, found, strict=True) if data is not None}


def check(
    place: Place,
    before: State,
    after: State,
    *,
    code: int,
    fault: str,
    repaired_first: bool,
    versions: Mapping[int, State] | None = None,
) -> str | None:
    """Return what is wrong after a fault, or None."""
    found = state(place)
    if found not in (before, after):
        return "neither all nor nothing"
    if fault != "kill" and (code == 0) != (found == after) and before != after:
        return f"exit code {code}, and the change is {'there' if found == after else 'not there'}"
    steps = [*([repair] if repaired_first else []), lambda place: write(place, found), repair]
    wrong = lost(place, versions or {})
    for step in steps:
        wrong = wrong or step(place) or lost(place, versions or {})
    return wrong


def lost(place: Place, versions: Mapping[int, State]) -> str | None:
    """Return which of some older versions is not what it was, or None."""
    for version, was in versions.items():
        if _seen(zc.open_collection(place, at=version)) != was:
            return f"version {version} is not what it was"
    return None


def repair(place: Place) -> str | None:
    """Return what a repair leaves wrong, or changes."""
    seen = state(place)
    zc.open_collection(place, mode="rw").repair()
    if state(place) != seen:
        return "the repair changed what is seen"
    if problems := zc.open_collection(place).verify(data=True).problems:
        return f"the repair left {problems[0]}"
    if plain(place) != seen:
        return "plain zarr reads something else after the repair"
    return f"the catalog is wrong: {errors[0]}" if (errors := ledger.catalog_errors(place)) else None


def write(place: Place, seen: State) -> str | None:
    """Return what the next writer changes besides its own rows."""
    later = operations.days_later(operations.days_later(ledger.rows([50])))
    zc.open_collection(place, mode="rw").insert(later)
    partitions, values = state(place)
    new = 1 if seen[0] and "/day=" not in seen[0][0] else 2
    if partitions[: len(seen[0])] != seen[0] or len(partitions) != len(seen[0]) + new:
        return "the next writer changed other partitions"
    rows = {name: seen[1].get(name, []) for name in values}
    if any(column[: len(rows[name])] != rows[name] for name, column in values.items()):
        return "the next writer changed other rows"
    return None
