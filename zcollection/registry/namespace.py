"""Classes of plugins as attributes of a module: ``zcollection.partitioning.Date`` is the class with the name ``date``."""

from collections.abc import Callable
from typing import Any

from zcollection.errors import UnknownPluginError
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY, snake_case


def class_name(name: str) -> str:
    """Return the name of the class, in camel case, for the name of a plugin.

    Examples
    --------
    >>> class_name("time_series")
    'TimeSeries'
    """
    return "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))


class UnknownClassError(UnknownPluginError, AttributeError):
    """No installed plugin provides a class of this name; also an `AttributeError`, so that `hasattr` returns False."""


def lookup(family: Family, module: str) -> tuple[Callable[[str], type[Any]], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a module that offers the classes of a family."""

    def find(attribute: str) -> type[Any]:
        if not attribute[:1].isupper():
            message = f"module {module!r} has no attribute {attribute!r}"
            raise AttributeError(message)
        names = [name for name in REGISTRY.names(family) if class_name(name) == attribute]
        name = names[0] if names else snake_case(attribute)
        try:
            return REGISTRY.get(family, name)
        except UnknownPluginError as error:
            message = f"{module}.{attribute}: {error}"
            raise UnknownClassError(message) from None

    def names() -> list[str]:
        return [class_name(name) for name in REGISTRY.names(family)]

    return find, names
