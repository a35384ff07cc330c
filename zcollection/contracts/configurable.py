"""The base class of objects that are stored by name and configuration."""


class Configurable:
    """Base class of what a collection or view stores by name: partitionings, merge strategies and computations.

    A subclass is a frozen attrs class. Its fields are its configuration, which is written to the collection as JSON and
    read back through a strict converter. Fields may be strings, numbers, booleans, None, ``numpy.timedelta64``,
    ``numpy.datetime64``, nested attrs classes, and ``tuple[…, ...]`` or ``dict[str, …]`` of these.

    A class is stored under the name that its plugin provides. This name can never change; a plugin can only add aliases.
    """

    __slots__ = ()
