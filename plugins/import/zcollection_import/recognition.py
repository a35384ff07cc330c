"""Recognition of the form of the data at a location."""

import json
from collections.abc import Mapping
from typing import Any, Final

from zcollection.errors import CollectionNotFoundError, CorruptionError, StoreError
from zcollection_import import first_series, netcdf, parquet, rewrite
from zcollection_import.first_series import FirstSeries
from zcollection_import.form import Form
from zcollection_import.netcdf import NetCDFFolder
from zcollection_import.parquet import ParquetFiles
from zcollection_import.place import Place
from zcollection_import.rewrite import Rewrite
from zcollection_import.zarr_store import ZarrStoreForm

_ZARR: Final = ("zarr.json", ".zgroup", ".zmetadata")
_BY_ENDING: Final[dict[str, type[Form]]] = {
    **dict.fromkeys(parquet.ENDINGS, ParquetFiles),
    **dict.fromkeys(netcdf.ENDINGS, NetCDFFolder),
}
_KNOWN: Final = (
    "a collection of zcollection 1.x (.zcollection) or of its Zarr v3 rewrite (_zcollection.json), a Zarr group "
    "(zarr.json, .zgroup), Parquet files (.parquet), NetCDF files (.nc)"
)


def recognise(old: Any, *, storage_options: Mapping[str, Any] | None = None) -> Form:
    """Return the form of the data at a location.

    Parameters
    ----------
    old
        The URL or local path of a directory or a file.
    storage_options
        The options of fsspec.

    Returns
    -------
    Form
        The form. Its `kind` is ``"zcollection-1"``, ``"zcollection-rewrite"``, ``"zarr"``, ``"parquet"`` or ``"netcdf"``; its text is a
        description.

    Raises
    ------
    CollectionNotFoundError
        There are no data, or their form is unknown.
    StoreError
        There are data of several forms, or a collection that needs no import.
    """
    place = Place.of(old, storage_options)
    if not place.exists():
        message = f"nothing exists at {place.url}; check the URL"
        raise CollectionNotFoundError(message)
    if place.is_file:
        return _of_files(place, {place.name})
    if place.exists(first_series.MARKER):
        return FirstSeries(place)
    data = place.read(rewrite.CONFIGURATION)
    if data is not None:
        _check_foreign(data, place)
        return Rewrite(place)
    if any(place.exists(name) for name in _ZARR):
        return ZarrStoreForm(place)
    return _of_files(place, set(place.walk()))


def _check_foreign(data: bytes, place: Place) -> None:
    """Reject a current collection: its configuration states a kind, that of the rewrite does not."""
    try:
        configuration = json.loads(data)
        is_current = "kind" in configuration
    except (ValueError, TypeError) as error:
        message = f"{rewrite.CONFIGURATION} of {place.url} is not valid JSON: {error}; restore it"
        raise CorruptionError(message) from error
    if is_current:
        message = f"{place.url} is a collection already; open it, or copy it with 'zcollection copy'"
        raise StoreError(message)


def _of_files(place: Place, names: set[str]) -> Form:
    found = {form for name in names for ending, form in _BY_ENDING.items() if name.lower().endswith(ending)}
    if not found:
        message = f"{place.url} has no known form; accepted: {_KNOWN}"
        raise CollectionNotFoundError(message)
    if len(found) > 1:
        titles = " and ".join(sorted(form.title for form in found))
        message = f"{place.url} contains {titles}; import the folder of each separately"
        raise StoreError(message)
    return found.pop()(place)
