"""``zcollection history``, ``changes``, ``diff``, ``rollback``, ``tag`` and ``retain``: the versions of a collection."""

from typing import Annotated

import typer
from attrs import asdict

from zcollection.cli.changing import Yes, ask
from zcollection.cli.opening import URL, AsJson, Base, BaseOptions, StorageOptions, open_source
from zcollection.cli.output import write_json, write_lines, write_table
from zcollection.transaction.reports import Label

_DIFFERENCE = ("partition", "added", "removed", "changed", "variables")
_COLUMNS = ("version", "time", "operation", "partitions", "rows", "source")


def history(
    url: URL,
    *,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, metavar="VERSIONS", help="Only the newest versions.")
    ] = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """List the versions, oldest first: the time, the operation and the size of each change."""
    entries = open_source(url, storage_option, base, base_option).history()
    shown = entries if limit is None else entries[-limit:]
    if as_json:
        write_json([asdict(entry) for entry in shown])
    else:
        lines = [
            ["" if (value := getattr(entry, name)) is None else str(value) for name in _COLUMNS] for entry in shown
        ]
        write_table(_COLUMNS, lines, numeric={"version", "partitions", "rows"})


def changes(
    url: URL,
    *,
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="VERSION", help="A version, such as the one that the last call printed; 0 for all."
        ),
    ],
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """List the partitions written or dropped after a version, and show the version to pass as --since the next time."""
    found = open_source(url, storage_option, base, base_option).changes(since=label_of(since))
    if as_json:
        write_json(asdict(found))
    else:
        lines = [f"written  {path}" for path in found.written] + [f"dropped  {path}" for path in found.dropped]
        write_lines([*lines, f"version {found.version}"])


def diff(
    url: URL,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A version, a tag, or a time.")],
    after: Annotated[
        str | None, typer.Argument(metavar="[AFTER]", help="Another version; the newest by default.")
    ] = None,
    *,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show how two versions differ: the rows added, removed and changed in each partition."""
    found = open_source(url, storage_option, base, base_option).diff(before, after, progress=not as_json)
    lines = [
        {
            "partition": item.path,
            "added": len(item.added),
            "removed": len(item.removed),
            "changed": len(item.changed),
            "variables": list(item.variables),
        }
        for item in found
    ]
    if as_json:
        facts = {name: getattr(found, name) for name in ("before", "after", "variables_added", "variables_dropped")}
        write_json({**facts, "partitions": lines})
        return
    cells = [[", ".join(cell) if isinstance(cell, list) else str(cell) for cell in line.values()] for line in lines]
    write_table(_DIFFERENCE, cells, numeric={"added", "removed", "changed"})
    added = [f"variable added  {name}" for name in found.variables_added]
    write_lines([*added, *(f"variable dropped  {name}" for name in found.variables_dropped)])


def rollback(
    url: URL,
    to: Annotated[str, typer.Argument(metavar="VERSION", help="The version to restore: its number, a tag, or a time.")],
    *,
    yes: Yes = False,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Restore an older version, as one change; on a terminal it asks first, elsewhere it needs --yes."""
    collection = open_source(url, storage_option, base, base_option, mode="rw")
    if not yes:
        ask(f"Restore version {to} of {url}?")
    paths = collection.rollback(to, progress=not as_json)
    if as_json:
        write_json({"changed": list(paths)})
    else:
        write_lines([*(f"restored  {path}" for path in paths), f"{len(paths):,} partitions changed"])


def tag(
    url: URL,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The tag to create; all tags are listed by default.")
    ] = None,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="The newest by default.")] = None,
    *,
    delete: Annotated[bool, typer.Option("--delete", help="Remove the tag.")] = False,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """List tags, create one, which keeps a version readable, or remove one."""
    if name is None:
        found = open_source(url, storage_option, base, base_option).tags()
        if as_json:
            write_json(found)
        else:
            write_table(
                ("tag", "version"), [[known, str(label)] for known, label in found.items()], numeric={"version"}
            )
        return
    collection = open_source(url, storage_option, base, base_option, mode="rw")
    if delete:
        collection.untag(name)
    else:
        collection.tag(name, None if version is None else label_of(version))
    if as_json:
        write_json(collection.tags())
    else:
        write_lines([f"tag {name} removed" if delete else f"tag {name} is version {collection.tags()[name]}"])


def retain(
    url: URL,
    keep: Annotated[
        str, typer.Argument(metavar="KEEP", help="A number of versions, a duration such as 30d, or 'none'.")
    ],
    *,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
) -> None:
    """Set for how long older versions stay readable, from now on; vacuum removes the others."""
    label = label_of(keep)
    open_source(url, storage_option, base, base_option, mode="rw").retain(None if label == "none" else label)
    write_lines([f"older versions are kept: {keep}"])


def label_of(text: str) -> Label:
    """Return a version label: digits as an integer, anything else unchanged."""
    return int(text) if text.isascii() and text.isdigit() else text
