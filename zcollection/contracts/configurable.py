"""Objects that are stored by name and configuration."""


class Configurable:
    """Base of the strategies that a collection or view stores: partitionings, merges, computations.

    A subclass is an attrs class, frozen. Its fields are its configuration: what is written to the collection and read
    back through a strict converter. Fields may be strings, numbers, booleans, None, ``numpy.timedelta64``,
    ``numpy.datetime64``, nested attrs classes, and ``tuple[…, ...]`` or ``dict[str, …]`` of these.

    The name under which a class is stored is the one that its plugin provides; it can never be changed, only aliased.
    """

    __slots__ = ()
