"""The text form of partitionings, such as ``date:M``, for command lines and quick starts."""

from typing import Any, Final, get_args, get_origin

import attrs

from zcollection.contracts.partitioning import Partitioning
from zcollection.errors import PluginConfigurationError
from zcollection.registry.hookspecs import Family
from zcollection.registry.registry import REGISTRY
from zcollection.registry.stored import configure

_EXAMPLES: Final = "'date:M', 'sequence:cycle,pass', 'grouped_sequence:cycle,pass:10' or 'values:station'"


def from_text(text: str, *, axis: str) -> Partitioning:
    """Parse the text form of a partitioning.

    Parameters
    ----------
    text
        The name of a partitioning and its settings, separated by colons: ``date:M``, ``sequence:cycle,pass``,
        ``grouped_sequence:cycle,pass:10``, ``values:station``. A hyphen in the name stands for an underscore. A setting is
        ``name=value``, or only a value; values without a name belong to the settings listed in the attribute `brief` of
        the partitioning, in this order. Commas separate several values.
    axis
        The default variable to partition by, for partitionings by the axis such as ``date:M``.

    Raises
    ------
    PluginConfigurationError
        The text does not have this form, or the partitioning rejects a setting.
    UnknownPluginError
        No installed plugin provides the partitioning.

    Examples
    --------
    >>> from_text("date:M", axis="time")
    Date(variables=('time',), resolution='M', dimension=None)
    >>> from_text("grouped_sequence:cycle,pass:10:start=1", axis="time")
    GroupedSequence(variables=('cycle', 'pass'), size=10, start=1, dimension=None)
    """
    name, *parts = text.split(":")
    if not name or not all(parts):
        message = f"partitioning is {text!r}; accepted: a name and its settings, such as {_EXAMPLES}"
        raise PluginConfigurationError(message)
    if name not in REGISTRY.names(Family.PARTITIONING):
        name = name.replace("-", "_")  # as people write it on command lines
    cls = REGISTRY.get(Family.PARTITIONING, name)
    types = {attribute.name: attribute.type for attribute in attrs.fields(cls)}
    settings = {setting: _value(value, types.get(setting)) for setting, value in _named(text, parts, cls.brief).items()}
    # If the first setting is something other than `variables`, such as a period, the partitioning uses the axis.
    default = {} if cls.brief[:1] == ("variables",) else {"variables": [axis]}
    return _made(cls, {**default, **settings}, text)


def _made(cls: type[Partitioning], configuration: dict[str, Any], text: str) -> Partitioning:
    partitioning: Partitioning = configure(cls, configuration, what=f"partitioning {text!r}")
    return partitioning


def _named(text: str, parts: list[str], brief: tuple[str, ...]) -> dict[str, str]:
    """Return the text of each setting by its name."""
    found: dict[str, str] = {}
    unnamed = iter(brief)
    for part in parts:
        name, separator, value = part.partition("=")
        if not separator:
            name, value = next(unnamed, ""), part
        if not name or not value or name in found:
            named = ", ".join(f"{item}=…" for item in brief)
            message = (
                f"partitioning {text!r} has the setting {part!r}; accepted: the values of {named} in this order, and any setting "
                f"once as name=value"
            )
            raise PluginConfigurationError(message)
        found[name] = value
    return found


def _value(text: str, declared: Any) -> Any:
    """Return a setting as a JSON value (list, integer or string), according to the declared type of its field."""
    kinds = {get_origin(kind) or kind for kind in (declared, *get_args(declared))}
    if tuple in kinds:
        return text.split(",")
    if int in kinds and text.removeprefix("-").isdecimal():
        return int(text)
    return text
