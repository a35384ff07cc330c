"""The JSON documents of older collections; invalid ones are rejected with the reason."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import zcollection
from zcollection.errors import CorruptionError, SchemaError
from zcollection.plugin import Partitioning, parse_json
from zcollection_import.form import naming
from zcollection_import.place import Place


def document(place: Place, name: str) -> dict[str, Any]:
    """Return a JSON document.

    Raises
    ------
    CorruptionError
        The document is missing, or not a JSON object.
    """
    what = f"{name} of {place.url}"
    data = place.read(name)
    if data is None:
        message = f"{what} is missing; restore it, and import again"
        raise CorruptionError(message)
    # Older releases write NaN without quotes, which is not JSON.
    return parse_json(data.replace(b": NaN", b': "NaN"'), what=what)


def partitioning_of(stated: Mapping[str, Any], *, kind: str, what: str) -> Partitioning:
    """Return the current partitioning for one that an older collection states.

    Parameters
    ----------
    stated
        The configuration of that partitioning.
    kind
        The name of the partitioning in the older collection.
    what
        The document, for messages.

    Raises
    ------
    SchemaError
        There is no corresponding partitioning.
    """
    with naming(f"{what}: the partitioning {dict(stated)}"):
        named = kind.lower().replace("_", "").replace("-", "")
        variables = stated["variables"] if "variables" in stated else [stated["variable"]]
        partitioning = _created(named, tuple(variables), stated)
    if partitioning is None:
        message = (
            f"{what} states the partitioning {kind!r}; known: 'Date', 'Sequence', 'GroupedSequence'; give a partitioning with "
            f"partitioning, or --by"
        )
        raise SchemaError(message)
    return partitioning


def _created(named: str, variables: tuple[str, ...], stated: Mapping[str, Any]) -> Partitioning | None:
    known = zcollection.partitioning
    made: Partitioning | None = None
    if named == "date":
        made = known.Date(variables, resolution=stated["resolution"])
    elif named == "sequence":
        made = known.Sequence(variables)
    elif named == "groupedsequence":
        made = known.GroupedSequence(variables, size=stated["size"], start=stated.get("start", 0))
    return made


def fill_attribute(value: Any, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return the attribute for a fill value of a JSON document; empty without a fill value.

    Examples
    --------
    >>> fill_attribute(255, np.dtype("uint8"))
    {'_FillValue': np.uint8(255)}
    """
    if value is None or dtype.kind in "mM":  # missing times are NaT, which needs no attribute
        return {}
    return {"_FillValue": np.asarray(float(value) if dtype.kind == "f" else value).astype(dtype)[()]}
