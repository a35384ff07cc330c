"""What the form does not say, and somebody has to: the axis, and how the rows are split."""

from collections.abc import Iterable

from zcollection.errors import SettingError, accepted
from zcollection.partitioning import from_text
from zcollection.plugin import Partitioning, has_time_units
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
    PluginError
        The text names none.
    """
    if isinstance(given, str):
        return from_text(given, axis=axis)
    found = given if given is not None else form.partitioning(axis)
    if found is None:
        message = (
            f"nothing says how the rows of {form} are to be split; say it with partitioning, or --by, such as 'date:M'"
        )
        raise SettingError(message)
    return found
