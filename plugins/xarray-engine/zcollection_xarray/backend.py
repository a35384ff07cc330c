"""The entry point by which xarray finds the engine."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

from zcollection.plugin import PluginConfigurationError, Store, StoreURL, accepted, kind_at, synchronous
from zcollection_xarray.decoding import Decoding
from zcollection_xarray.opening import Request

CONFIGURATION = "_zcollection.json"
_FILES = frozenset({".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".grib", ".grib2", ".grb", ".tif", ".tiff", ".zarr", ".csv"})
"""Endings of what is opened by other engines, and not asked for over the network."""


class ZCollectionBackendEntrypoint(BackendEntrypoint):
    """Opens a collection or a view as datasets of xarray, whose variables are read when they are asked for."""

    description: ClassVar[str] = "Open collections and views of zcollection"
    url: ClassVar[str] = "https://zcollection.readthedocs.io"
    supports_groups: ClassVar[bool] = True

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        mask_and_scale: Any = None,
        decode_times: Any = None,
        use_cftime: Any = None,
        decode_coords: Any = None,
        decode_timedelta: Any = None,
        group: str | None = None,
        filters: Any = None,
        where: Any = None,
        at: Any = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> xr.Dataset:
        """Return one group of a collection or of a view, the root by default; see `xarray.open_dataset`.

        Parameters
        ----------
        filename_or_obj
            URL or local path, or a store that is open.
        drop_variables
            Names, or paths within groups, of variables to leave out.
        mask_and_scale, decode_times, use_cftime, decode_coords, decode_timedelta
            As xarray defines them. The dataset is that of ``query().to_xarray()`` where they are left out: integers with a
            fill value stay integers, and lengths of time stay numbers.
        group
            Path of the group.
        filters
            Which partitions, such as ``"year == 2024"``.
        where
            Which rows, such as ``"time >= '2024-01-03' and flag == 0"``; they are looked for when the dataset is opened.
        at
            Which version, where the store has versions to open: an id, a tag or a time.
        storage_options
            Options of the store.

        Raises
        ------
        CollectionNotFoundError
            There is neither a collection nor a view.
        PluginConfigurationError
            An option has a value that cannot be met, or the group is unknown.
        SettingError
            `at` names no version that there is to open.
        """
        groups = self.open_groups_as_dict(
            filename_or_obj,
            drop_variables=drop_variables,
            mask_and_scale=mask_and_scale,
            decode_times=decode_times,
            use_cftime=use_cftime,
            decode_coords=decode_coords,
            decode_timedelta=decode_timedelta,
            filters=filters,
            where=where,
            at=at,
            storage_options=storage_options,
        )
        path = f"/{(group or '').strip('/')}"
        if path not in groups:
            message = f"group={group!r} of {filename_or_obj}; {accepted(path, groups)}"
            raise PluginConfigurationError(message)
        return groups[path]

    def open_groups_as_dict(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        mask_and_scale: Any = None,
        decode_times: Any = None,
        use_cftime: Any = None,
        decode_coords: Any = None,
        decode_timedelta: Any = None,
        filters: Any = None,
        where: Any = None,
        at: Any = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> dict[str, xr.Dataset]:
        """Return all groups by their paths, "/" for the root; the parameters are those of `open_dataset`."""
        if decode_timedelta not in {None, False}:
            message = f"decode_timedelta={decode_timedelta!r}; accepted: None or False, for numbers of a unit of time stay numbers"
            raise PluginConfigurationError(message)
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables or ()
        request = Request(
            location=filename_or_obj,
            filters=filters,
            where=where,
            at=at,
            storage_options=storage_options,
            dropped=frozenset(dropped),
            decoding=Decoding(mask_and_scale=mask_and_scale, decode_times=decode_times, use_cftime=use_cftime),
            with_coordinates=decode_coords is not False,
        )
        return request.groups()

    def open_datatree(self, filename_or_obj: Any, **options: Any) -> xr.DataTree:
        """Return all groups as a tree; the parameters are those of `open_dataset`."""
        return xr.DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, **options))

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Return whether a collection or a view lies there: a look at one object, and no error."""
        try:
            if isinstance(filename_or_obj, str | os.PathLike):
                url = StoreURL.parse(filename_or_obj)
                if url.scheme == "file":
                    return (Path(url.location) / CONFIGURATION).is_file()
                return Path(url.location).suffix.lower() not in _FILES and _holds_one(url)
            return isinstance(filename_or_obj, Store | StoreURL) and _holds_one(filename_or_obj)
        except Exception:  # noqa: BLE001 - what cannot be looked at is not ours
            return False


def _holds_one(location: Store | StoreURL) -> bool:
    """Return whether there is a configuration, of a collection or of a view."""
    return synchronous(kind_at)(location) in {"collection", "view"}
