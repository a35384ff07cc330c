"""The xarray backend entry point of the engine."""

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
"""File extensions of other engines; such URLs are rejected without a request."""


class ZCollectionBackendEntrypoint(BackendEntrypoint):
    """An xarray engine that opens a collection or a view as lazy datasets."""

    description: ClassVar[str] = "Open collections and views of zcollection"
    url: ClassVar[str] = "https://github.com/zcollection/zcollection/tree/main/docs"
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
            The URL or local path, or an open store.
        drop_variables
            The names, or paths in groups, of variables to leave out.
        mask_and_scale, decode_times, use_cftime, decode_coords, decode_timedelta
            As for xarray. By default, the dataset is that of ``query().to_xarray()``: integers with a fill value stay integers,
            and durations stay numbers.
        group
            The path of the group.
        filters
            The partitions to open, such as ``"year == 2024"``.
        where
            The rows to open, such as ``"time >= '2024-01-03' and flag == 0"``; they are selected when the dataset is opened.
        at
            The version to open, if the store has versions: an id, a tag or a time.
        storage_options
            The options of the store.

        Raises
        ------
        CollectionNotFoundError
            There is neither a collection nor a view.
        PluginConfigurationError
            An option has an unsupported value, or the group is unknown.
        SettingError
            `at` does not name an available version.
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
            message = f"decode_timedelta={decode_timedelta!r}; accepted: None or False, because durations stay numbers"
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
        """Return whether a location contains a collection or a view; this reads at most one object and never raises."""
        try:
            if isinstance(filename_or_obj, str | os.PathLike):
                url = StoreURL.parse(filename_or_obj)
                if url.scheme == "file":
                    return (Path(url.location) / CONFIGURATION).is_file()
                return Path(url.location).suffix.lower() not in _FILES and _is_ours(url)
            return isinstance(filename_or_obj, Store | StoreURL) and _is_ours(filename_or_obj)
        except Exception:  # noqa: BLE001 - an inaccessible location is left to other engines
            return False


def _is_ours(location: Store | StoreURL) -> bool:
    """Return whether the location contains the configuration of a collection or a view."""
    return synchronous(kind_at)(location) in {"collection", "view"}
