"""Every exception that zcollection raises.

::

    ZCollectionError
    ├── SchemaError (ValueError)            a schema, or data that does not fit it
    ├── PartitionError (ValueError)         a partition key or path
    ├── ExpressionError (ValueError)        a filter, or a condition on rows
    ├── StoreError                          where the data lies
    │   ├── LocationError (ValueError)      a URL or path at which nothing can lie
    │   ├── CollectionExistsError
    │   ├── CollectionNotFoundError
    │   └── ReadOnlyError
    ├── ConflictError                       another writer was first, and the operation could not be re-run
    │   └── OutdatedError                   a partition, or a snapshot, is no longer what was looked up
    ├── SchemaChangedError                  another writer changed the schema or the partitioning; handled by looking again
    ├── StaleError                          a view holds nothing that was computed from its base as it is
    ├── CommitStateUnknownError             the answer to a commit was lost
    ├── CorruptionError                     stored bytes that are not what was written
    ├── FormatVersionError                  written by a newer zcollection
    ├── ClusterError                        the workers of a cluster died, or it was lost
    ├── PluginError
    │   ├── UnknownPluginError (ValueError) nobody installed provides the name
    │   ├── PluginConflictError             two distributions provide the name
    │   ├── BrokenPluginError               installed, but cannot be used
    │   └── PluginConfigurationError (ValueError) a configuration, or an option of a store, that the plugin refuses
    ├── SettingError (ValueError)           an argument, or an environment variable, that has none of the accepted values
    ├── SynchronousCallError (RuntimeError) a blocking call on the event loop that would have to serve it
    └── MissingDependencyError (ImportError) an optional library that is not installed

Whatever refuses a value that a caller passed is a `ValueError` too. A message states the value received, the values accepted and the next step. It never contains a credential.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ZCollectionError(Exception):
    """Base class of every error of zcollection; its message never drives a terminal, whatever it quotes."""

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n")


class SchemaError(ZCollectionError, ValueError):
    """A schema is not valid, or data does not fit it."""


class PartitionError(ZCollectionError, ValueError):
    """A partition key or path is not valid."""


class ExpressionError(ZCollectionError, ValueError):
    """A filter or a condition cannot be understood, or does not apply to the partition keys or the variables."""


class StoreError(ZCollectionError):
    """A store cannot be opened, read or written."""


class LocationError(StoreError, ValueError):
    """A URL or a path is not one at which a collection can lie."""


class CollectionExistsError(StoreError):
    """A collection, or a partition that must be new, exists."""


class CollectionNotFoundError(StoreError):
    """There is no collection at the given place."""


class ReadOnlyError(StoreError):
    """A write was asked of what was opened for reading."""


class ConflictError(ZCollectionError):
    """Another writer changed the same partitions first, and the operation could not be re-run."""


class SchemaChangedError(ZCollectionError):
    """Another writer changed the schema or the partitioning of the collection: what was begun is to be done again, as it is now."""


class StaleError(ZCollectionError):
    """A view holds nothing that was computed from its base as it is now."""


class OutdatedError(ConflictError):
    """A partition, or a snapshot, is no longer what was looked up."""


class CommitStateUnknownError(ZCollectionError):
    """The answer to a commit was lost: it may have happened."""


class CorruptionError(ZCollectionError):
    """Stored bytes are not what was written."""


class FormatVersionError(ZCollectionError):
    """A document was written by a newer version of zcollection."""


class ClusterError(ZCollectionError):
    """The workers of a cluster died, or the cluster was lost; nothing was written."""


class PluginError(ZCollectionError):
    """A plugin cannot be found or used."""


class UnknownPluginError(PluginError, ValueError):
    """No installed plugin provides the name."""


class PluginConflictError(PluginError):
    """Several distributions provide the name."""


class BrokenPluginError(PluginError):
    """A plugin is installed, but its class cannot be imported, or does not satisfy its contract."""


class PluginConfigurationError(PluginError, ValueError):
    """A plugin refuses its configuration, or an option of its store."""


class PublicationWarning(UserWarning):
    """A change is committed, and something after that failed; the next writer completes it."""


class CorruptionWarning(UserWarning):
    """A partition is damaged, and was left out as the caller asked."""


class SettingError(ZCollectionError, ValueError):
    """An argument, or an environment variable, has a value that is none of those accepted."""


class SynchronousCallError(ZCollectionError, RuntimeError):
    """A blocking call was made on the event loop that would have to serve it."""


class MissingDependencyError(ZCollectionError, ImportError):
    """An optional library is needed and not installed."""

    @classmethod
    def of(cls, library: str, *, extra: str, purpose: str) -> "MissingDependencyError":
        """Return the error that names the extra which installs `library`."""
        return cls(f"{purpose} needs {library!r}, which is not installed: pip install 'zcollection[{extra}]'")


def printable(text: str, *, keep: str = "") -> str:
    r"""Return a text in one line that may be shown: what drives a terminal, turns text round or is no character is escaped.

    Parameters
    ----------
    text
        Of whatever origin.
    keep
        Characters that are left as they are, such as line ends.

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
    """Return the end of a message: the values accepted, and the nearest one to a misspelt name.

    Parameters
    ----------
    received
        What the caller gave.
    choices
        What would have been accepted, in the order to show.

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
