"""Plugin of zcollection: provides the stores of archives, and of what fsspec reads; nothing is written by them."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl

_ARCHIVES = ("tar", "zip")
_OTHERS = {
    "blockcache": "Refused: name simplecache instead",
    "filecache": "Objects of a bucket, kept on this machine, for reading",
    "fsspec": "Any file system of fsspec, as fsspec+PROTOCOL://…, for reading",
    "github": "A repository on GitHub, for reading",
    "simplecache": "Objects of a bucket, kept on this machine, for reading",
}


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the stores of this distribution, by the first link of a chain."""
    for scheme in _ARCHIVES:
        yield Provides(
            scheme, target="zcollection_store_fsspec.archive:ArchiveStore", summary=f"A {scheme} archive, for reading"
        )
    for scheme, summary in _OTHERS.items():
        yield Provides(scheme, target="zcollection_store_fsspec.store:FsspecStore", summary=summary)
