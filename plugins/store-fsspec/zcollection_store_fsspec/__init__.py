"""Plugin: read-only stores of archives and of file systems of fsspec."""

from collections.abc import Iterator

from zcollection.plugin import Provides, hookimpl

_ARCHIVES = ("tar", "zip")
_SUMMARIES = {
    "blockcache": "Not supported: use simplecache",
    "filecache": "Objects of a bucket with a local cache, for reading",
    "fsspec": "Any file system of fsspec, as fsspec+PROTOCOL://…, for reading",
    "github": "A repository on GitHub, for reading",
    "simplecache": "Objects of a bucket with a local cache, for reading",
}


@hookimpl
def zcollection_stores() -> Iterator[Provides]:
    """Yield the stores of this distribution, by the first link of a chain."""
    for scheme in _ARCHIVES:
        yield Provides(
            scheme, target="zcollection_store_fsspec.archive:ArchiveStore", summary=f"A {scheme} archive, for reading"
        )
    for scheme, summary in _SUMMARIES.items():
        yield Provides(scheme, target="zcollection_store_fsspec.store:FsspecStore", summary=summary)
