"""Every exception that zcollection raises.

::

    ZCollectionError
    ├── SchemaError (ValueError)            a schema, or data that does not fit it
    ├── PartitionError (ValueError)         a partition key or path
    ├── ExpressionError (ValueError)        a filter, or a condition on rows
    ├── StoreError                          a store cannot be opened, read or written
    │   ├── LocationError (ValueError)      a URL or path that cannot be the location of a collection
    │   ├── CollectionExistsError           a collection, or a partition that must be new, exists already
    │   ├── CollectionNotFoundError         no collection at a location
    │   └── ReadOnlyError                   a write to an object that is open for reading only
    ├── ConflictError                       another writer committed first, and the operation could not be re-run
    │   └── OutdatedError                   a partition or a snapshot has changed since it was looked up
    ├── SchemaChangedError                  another writer changed the schema or the partitioning; handled by a retry
    ├── StaleError                          a view has no partitions computed from the current version of its base
    ├── CommitStateUnknownError             no response to a commit, which may have succeeded
    ├── CorruptionError                     stored bytes differ from those that were written
    ├── FormatVersionError                  written by a newer zcollection
    ├── ClusterError                        the workers of a cluster died, or the connection to it was lost
    ├── PluginError
    │   ├── UnknownPluginError (ValueError) no installed plugin provides the name
    │   ├── PluginConflictError             two distributions provide the name
    │   ├── BrokenPluginError               installed, but cannot be used
    │   └── PluginConfigurationError (ValueError) a configuration or a store option that the plugin rejects
    ├── SettingError (ValueError)           an argument or an environment variable with an invalid value
    ├── SynchronousCallError (RuntimeError) a blocking call from the event loop that has to execute it
    └── MissingDependencyError (ImportError) an optional library that is not installed

Every error about a value that the caller passed is also a `ValueError`. A message names the value received, the values
accepted and the next step. It never contains a credential.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ZCollectionError(Exception):
    """Base class of every error of zcollection. Control characters in its message are escaped."""

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n")


class SchemaError(ZCollectionError, ValueError):
    """A schema is not valid, or data does not fit it."""


class PartitionError(ZCollectionError, ValueError):
    """A partition key or path is not valid."""


class ExpressionError(ZCollectionError, ValueError):
    """A filter or a condition is not valid, or does not apply to the partition keys or the variables."""


class StoreError(ZCollectionError):
    """A store cannot be opened, read or written."""


class LocationError(StoreError, ValueError):
    """A URL or a path cannot be the location of a collection."""


class CollectionExistsError(StoreError):
    """A collection, or a partition that must be new, exists already."""


class CollectionNotFoundError(StoreError):
    """There is no collection at the given location."""


class ReadOnlyError(StoreError):
    """A write was requested on a collection, a view or a store that is open for reading only."""


class ConflictError(ZCollectionError):
    """Another writer committed a change to the same partitions first, and the operation could not be re-run."""


class SchemaChangedError(ZCollectionError):
    """Another writer changed the schema or the partitioning of the collection: the operation must be run again on the new version."""


class StaleError(ZCollectionError):
    """A view has no partitions that were computed from the current version of its base."""


class OutdatedError(ConflictError):
    """A partition or a snapshot has changed since it was looked up."""


class CommitStateUnknownError(ZCollectionError):
    """The store did not respond to a commit, which may have succeeded."""


class CorruptionError(ZCollectionError):
    """Stored bytes differ from those that were written."""


class FormatVersionError(ZCollectionError):
    """A document was written by a newer version of zcollection."""


class ClusterError(ZCollectionError):
    """The workers of a cluster died, or the connection to it was lost; nothing was written."""


class PluginError(ZCollectionError):
    """A plugin cannot be found or used."""


class UnknownPluginError(PluginError, ValueError):
    """No installed plugin provides the name."""


class PluginConflictError(PluginError):
    """Several distributions provide the name."""


class BrokenPluginError(PluginError):
    """A plugin is installed, but its class cannot be imported, or does not satisfy its contract."""


class PluginConfigurationError(PluginError, ValueError):
    """A plugin rejects its configuration, or an option of its store."""


class PublicationWarning(UserWarning):
    """A change is committed, but a step after the commit failed; the next writer completes it."""


class CorruptionWarning(UserWarning):
    """A partition is damaged and was skipped, as the caller requested."""


class SettingError(ZCollectionError, ValueError):
    """An argument or an environment variable has a value that is not accepted."""


class SynchronousCallError(ZCollectionError, RuntimeError):
    """A blocking call was made from the event loop that has to execute it."""


class MissingDependencyError(ZCollectionError, ImportError):
    """An optional library is required but not installed."""

    @classmethod
    def of(cls, library: str, *, extra: str, purpose: str) -> "MissingDependencyError":
        """Return the error that names the missing library and the extra that installs it."""
        return cls(f"{purpose} needs {library!r}, which is not installed: pip install 'zcollection[{extra}]'")


def printable(text: str, *, keep: str = "") -> str:
    r"""Return a string that is safe to print on one line: control, bidirectional and unprintable characters are escaped.

    Parameters
    ----------
    text
        Any string, from any source.
    keep
        Characters that are not escaped, such as line ends.

    Examples
    --------
    >>> print(printable("Côte d'Azur\n\x1b[31m"))
    Côte d'Azur\n\x1b[31m
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode() for each in text
    )


def accepted(received: object, choices: Iterable[object]) -> str:
    """Return the end of an error message: the values accepted, and the one closest to a misspelt name.

    Parameters
    ----------
    received
        The value that the caller passed.
    choices
        The values accepted, in the order in which they are shown.

    Examples
    --------
    >>> accepted("regoin", ["region", "endpoint"])
    "accepted: 'region', 'endpoint' (did you mean 'region'?)"
    >>> accepted("x", [])
    'accepted: nothing'
    """
    known = [str(choice) for choice in choices]
    listing = ", ".join(map(repr, known)) or "nothing"
    nearest = get_close_matches(str(received), known, n=1)
    hint = f" (did you mean {nearest[0]!r}?)" if nearest else ""
    return f"accepted: {listing}{hint}"
