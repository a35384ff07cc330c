"""Files written by their endings: NetCDF, Zarr, CSV and Parquet; they appear whole, or not at all."""

import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from zcollection.cli.sources import FileError, ending_of, needed
from zcollection.errors import ZCollectionError
from zcollection.model.dataset import Dataset


def check_target(path: str, *, overwrite: bool) -> None:
    """Check that a file can be written, before anything is read.

    Raises
    ------
    FileError
        Its ending is unknown, its folder is missing, or there is one and `overwrite` is False.
    MissingDependencyError
        A library is not installed.
    """
    if ending_of(path) not in _WRITERS:
        message = f"{path!r} has an ending that says nothing; accepted: {', '.join(_WRITERS)}"
        raise FileError(message)
    for library, alternatives in _NEEDED[ending_of(path)].items():
        needed(library, f"writing {ending_of(path)} files", *alternatives)
    if not Path(path).absolute().parent.is_dir():
        message = f"{path!r} would lie in a folder that does not exist; make it first"
        raise FileError(message)
    if os.path.lexists(path) and not overwrite:
        message = f"{path!r} exists; --overwrite replaces it"
        raise FileError(message)


def holds_rows_alone(path: str) -> bool:
    """Return whether a file of this ending has no place for variables that are stored once."""
    return _WRITERS[ending_of(path)] in {_csv, _parquet}


def write(dataset: Dataset, path: str, *, overwrite: bool) -> None:
    """Write a dataset to a file: next to its place at first, and put there once it is complete.

    Raises
    ------
    FileError
        As `check_target`, or it cannot be written in this form.
    """
    check_target(path, overwrite=overwrite)
    place = Path(path).absolute()
    # The ending stays: libraries look at it.
    beside = place.with_name(f".{uuid.uuid4().hex}{ending_of(path)}")
    try:
        _WRITERS[ending_of(path)](dataset, str(beside))
        check_target(path, overwrite=overwrite)  # others may have written it meanwhile
        _put(beside, place)
    except (ZCollectionError, OSError):
        raise
    except Exception as error:  # the libraries raise whatever they like
        message = f"{path!r} cannot be written ({type(error).__name__}: {error})"
        raise FileError(message) from error
    finally:
        _remove(beside)


def _put(beside: Path, place: Path) -> None:
    if not beside.is_dir() and not place.is_dir():
        beside.replace(place)
        return
    old = beside.with_name(f"{beside.name}.old")  # no system puts one folder in the place of another
    if os.path.lexists(place):
        place.rename(old)
    beside.rename(place)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _netcdf(dataset: Dataset, path: str) -> None:
    dataset.to_xarray().to_netcdf(path)


def _zarr(dataset: Dataset, path: str) -> None:
    dataset.to_xarray().to_zarr(path, mode="w-", zarr_format=3, consolidated=False)


def _csv(dataset: Dataset, path: str) -> None:
    frame = dataset.to_pandas()
    frame.to_csv(path, index=_has_index(frame), encoding="utf-8", lineterminator="\n")


def _parquet(dataset: Dataset, path: str) -> None:
    frame = dataset.to_pandas()
    frame.to_parquet(path, index=_has_index(frame))


def _has_index(frame: Any) -> bool:
    """Return whether the index holds a variable, and not only numbers of rows."""
    return frame.index.name is not None


_XARRAY: Final[Mapping[str, tuple[str, ...]]] = {"xarray": ()}
_PANDAS: Final[Mapping[str, tuple[str, ...]]] = {"pandas": ()}
_WRITERS: Final[Mapping[str, Callable[[Dataset, str], None]]] = {
    **dict.fromkeys((".nc", ".nc4"), _netcdf),
    ".zarr": _zarr,
    **dict.fromkeys((".csv", ".csv.gz"), _csv),
    **dict.fromkeys((".parquet", ".pq"), _parquet),
}
_NEEDED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    **{key: {**_XARRAY, "h5netcdf": ("netCDF4",)} for key in (".nc", ".nc4")},
    ".zarr": _XARRAY,
    **dict.fromkeys((".csv", ".csv.gz"), _PANDAS),
    **{key: {**_PANDAS, "pyarrow": ()} for key in (".parquet", ".pq")},
}
"""Libraries, and those that do as well, by ending."""
