"""Write files in the format of their suffix: NetCDF, Zarr, CSV and Parquet; they appear complete, or not at all."""

import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from zcollection.cli.sources import FileError, require_library, suffix_of
from zcollection.errors import ZCollectionError
from zcollection.model.dataset import Dataset


def check_target(path: str, *, overwrite: bool) -> None:
    """Check that a file can be written, before anything is read.

    Raises
    ------
    FileError
        The suffix is unknown, the folder does not exist, or the file exists and `overwrite` is False.
    MissingDependencyError
        A library is not installed.
    """
    if suffix_of(path) not in _WRITERS:
        message = f"{path!r} has an unknown suffix; accepted: {', '.join(_WRITERS)}"
        raise FileError(message)
    for library, alternatives in _NEEDED[suffix_of(path)].items():
        require_library(library, f"writing {suffix_of(path)} files", *alternatives)
    if not Path(path).absolute().parent.is_dir():
        message = f"the folder of {path!r} does not exist; create it first"
        raise FileError(message)
    if os.path.lexists(path) and not overwrite:
        message = f"{path!r} exists; --overwrite replaces it"
        raise FileError(message)


def has_rows_only(path: str) -> bool:
    """Return whether a file of this format contains only rows, and so no immutable variables."""
    return _WRITERS[suffix_of(path)] in {_csv, _parquet}


def write(dataset: Dataset, path: str, *, overwrite: bool) -> None:
    """Write a dataset to a temporary file in the same folder, and rename it when it is complete.

    Raises
    ------
    FileError
        See `check_target`; or the dataset cannot be written in this format.
    """
    check_target(path, overwrite=overwrite)
    target = Path(path).absolute()
    # Libraries choose the format by the suffix, so the temporary file has the same one.
    temporary = target.with_name(f".{uuid.uuid4().hex}{suffix_of(path)}")
    try:
        _WRITERS[suffix_of(path)](dataset, str(temporary))
        check_target(path, overwrite=overwrite)  # another process may have created it meanwhile
        _put(temporary, target)
    except (ZCollectionError, OSError):
        raise
    except Exception as error:  # the libraries raise exceptions of many types
        message = f"{path!r} cannot be written ({type(error).__name__}: {error})"
        raise FileError(message) from error
    finally:
        _remove(temporary)


def _put(temporary: Path, target: Path) -> None:
    if not temporary.is_dir() and not target.is_dir():
        temporary.replace(target)
        return
    old = temporary.with_name(f"{temporary.name}.old")  # a rename cannot replace one folder by another
    if os.path.lexists(target):
        target.rename(old)
    temporary.rename(target)
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
    """Return whether the index is a variable, and not only row numbers."""
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
"""Required libraries, with alternatives, by suffix."""
