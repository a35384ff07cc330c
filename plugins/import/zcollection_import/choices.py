"""What the form does not say, and somebody has to: the axis, and how the rows are split."""

from collections.abc import Iterable

import attrs

from zcollection.errors import SettingError, accepted
from zcollection.model.times import has_time_units
from zcollection.plugin import Family, Partitioning
from zcollection.plugins.registry import REGISTRY
from zcollection_import.form import Form, Unit, naming


def axis_of(form: Form, unit: Unit, drop: Iterable[str]) -> str:
    """Return the axis that a form states; else the one variable of the first unit that counts time along one dimension.

    Raises
    ------
    SettingError
        There are several, or none.
    """
    if form.axis is not None:
        return form.axis
    with naming(unit.name):
        root = {name: item for name, item in unit.groups("row")[""].items() if name not in set(drop)}
    columns = {name: item for name, item in root.items() if item.ndim == 1}
    times = [name for name, item in columns.items() if item.dtype.kind == "M" or has_time_units(item.attrs)]
    growing = [name for name in times if columns[name].dims[0] in unit.unlimited]
    if len(growing or times) == 1:
        return (growing or times)[0]
    what = f"{form} has {len(times)} variables along one dimension that count time"
    message = f"{what}; say which orders the rows with axis, or --axis; {accepted('', times or columns)}"
    raise SettingError(message)


def partitioning_of(form: Form, axis: str, given: Partitioning | str | None) -> Partitioning:
    """Return the partitioning that a caller gives; else the one that the form states.

    Raises
    ------
    SettingError
        There is none.
    """
    if isinstance(given, str):
        return parse_partitioning(given, axis=axis)
    found = given if given is not None else form.partitioning(axis)
    if found is None:
        message = (
            f"nothing says how the rows of {form} are to be split; say it with partitioning, or --by, such as 'date:M'"
        )
        raise SettingError(message)
    return found


def parse_partitioning(text: str, *, axis: str) -> Partitioning:
    """Return the partitioning that a text names: its name, a colon, and what it needs.

    Parameters
    ----------
    text
        ``date:M`` or ``date:M:VARIABLE``, ``sequence:VARIABLE,…``, ``values:VARIABLE,…``,
        ``grouped_sequence:VARIABLE,…:SIZE``; or another that is installed, by its variables.
    axis
        The variable of a date, where none is named.

    Raises
    ------
    SettingError
        It is none of these.
    PluginError
        There is no such partitioning.

    Examples
    --------
    >>> parse_partitioning("date:M", axis="time")
    Date(variables=('time',), resolution='M', dimension=None)
    """
    name, *parts = text.split(":")
    cls = REGISTRY.get(Family.PARTITIONING, name)
    fields = {field.name for field in attrs.fields(cls)}
    settings = [field for field in ("resolution", "size") if field in fields]
    if settings == ["resolution"]:
        parts = [*parts[1:], *parts[:1]] if len(parts) > 1 else [axis, *parts]
    wanted = 1 + len(settings)
    if len(parts) != wanted or not all(parts) or (settings == ["size"] and not parts[1].isdigit()):
        message = (
            f"by={text!r} is no partitioning; accepted: 'date:M', 'date:M:VARIABLE', 'sequence:VARIABLE,VARIABLE', "
            f"'values:VARIABLE', 'grouped_sequence:VARIABLE,VARIABLE:SIZE'"
        )
        raise SettingError(message)
    variables, *values = parts
    options = {field: int(value) if field == "size" else value for field, value in zip(settings, values, strict=True)}
    made: Partitioning = cls(tuple(variables.split(",")), **options)
    return made
