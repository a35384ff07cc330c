"""Places for collections, one for each kind of store, and where the same collection is found again."""

import hashlib

from attrs import field, frozen


@frozen
class Backend:
    """A kind of store.

    Attributes
    ----------
    prefix
        What URLs begin with, before a name of their own.
    options
        Of the store.
    server
        Name of the fixture of the server that it needs.
    cross_process
        Whether other processes find the same.
    """

    prefix: str
    options: dict = field(factory=dict)
    server: str | None = None
    cross_process: bool = True


BACKENDS = {
    "file": Backend("{folder}/"),
    "memory": Backend("memory://", cross_process=False),
    "s3, obstore": Backend("s3://{bucket}/", {"driver": "obstore"}, "ministack_server"),
    "s3, fsspec": Backend("s3://{bucket}/", {"driver": "fsspec"}, "ministack_server"),
    "icechunk": Backend("icechunk://{folder}/"),
    "icechunk in memory": Backend("icechunk+memory://", cross_process=False),
    "icechunk on s3": Backend("icechunk+s3://{bucket}/", server="ministack_server"),
}


class Place:
    """Where one collection may lie: keywords for `create_collection` and `open_collection`."""

    def __init__(self, name, folder, request):
        self.backend = BACKENDS[name]
        unique = hashlib.sha256(f"{folder} {name}".encode()).hexdigest()[:20]
        # A bucket of its own: the server lists one in a time that grows with all that lies in it.
        self.url = self.backend.prefix.format(folder=folder, bucket=unique) + unique
        self.options = dict(self.backend.options)
        if self.backend.server is not None:
            server = request.getfixturevalue(self.backend.server)
            server.create_bucket(unique)
            self.options |= server.storage_options
