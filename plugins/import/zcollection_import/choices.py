"""The axis and the partitioning of an import: chosen by the caller or stated by the form."""

from collections.abc import Iterable

from zcollection.errors import SettingError, accepted
from zcollection.partitioning import from_text
from zcollection.plugin import Partitioning, has_time_units
from zcollection_import.form import Form, Unit, naming


def axis_of(form: Form, unit: Unit, drop: Iterable[str]) -> str:
    """Return the axis that a form states, or else the only one-dimensional time variable of the first unit.

    Raises
    ------
    SettingError
        There are several such variables, or none.
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
    what = f"{form} has {len(times)} one-dimensional time variables"
    message = f"{what}; name the one that orders the rows with axis, or --axis; {accepted('', times or columns)}"
    raise SettingError(message)


def partitioning_of(form: Form, axis: str, chosen: Partitioning | str | None) -> Partitioning:
    """Return the partitioning that the caller chose, or else the one that the form states.

    Raises
    ------
    SettingError
        There is neither.
    PluginError
        The string names an unknown partitioning.
    """
    if isinstance(chosen, str):
        return from_text(chosen, axis=axis)
    found = chosen if chosen is not None else form.partitioning(axis)
    if found is None:
        message = f"{form} states no partitioning; give one with partitioning, or --by, such as 'date:M'"
        raise SettingError(message)
    return found
