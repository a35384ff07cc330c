"""The safety steps of the protocol, each of which can be taken away from the running code."""

from collections.abc import Callable


def nothing(*_: object, **__: object) -> None:
    """Do nothing, in the place of what matters."""


def _without_directories() -> None:
    from zcollection_store_file import blocking

    blocking.sync_way = nothing


def _without_files() -> None:
    from zcollection_store_file import blocking

    blocking.sync_tree = nothing


def _without_names() -> None:
    from zcollection_store_file import files

    files._sync_name = nothing


def _without_publication() -> None:
    from zcollection_store_file import publishing

    publishing.Publication._sync = nothing


def _without_parents() -> None:
    from zcollection_store_file import durable

    make = durable.make_directory

    def made(path: str, **_: object) -> None:
        make(path, fsync=False)

    for module in _users_of("make_directory"):
        module.make_directory = made


def _users_of(name: str) -> list[object]:
    from zcollection_store_file import blocking, durable, files, publishing

    return [module for module in (blocking, durable, files, publishing) if hasattr(module, name)]


SYNCS: dict[str, Callable[[], None]] = {
    "directories on the way": _without_directories,
    "staged files": _without_files,
    "names of files": _without_names,
    "names of partitions": _without_publication,
    "names of directories": _without_parents,
}
"""What makes a change durable."""
