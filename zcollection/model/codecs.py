"""Codec profiles: named sequences of Zarr v3 codecs, completed for the dtype of a variable when its schema is created."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zcollection.errors import SchemaError, accepted

Codec = Mapping[str, Any]
"""A Zarr v3 codec in the form of ``zarr.json``: ``{"name": …, "configuration": {…}}``."""

DEFAULT_PROFILE = "balanced"
PACKED_PROFILE = "cloud-balanced"
"""Default profile of packed variables: half the size that lz4 gives for their integers, at the same speed."""


def _blosc(cname: str, clevel: int, *, blocksize: int = 0) -> Codec:
    configuration = {"cname": cname, "clevel": clevel, "shuffle": "shuffle", "blocksize": blocksize}
    return {"name": "blosc", "configuration": configuration}


# Chosen by measurement: docs/codecs.md. The default block size of blosc is too small for zstd.
_PROFILES: dict[str, tuple[Codec, ...]] = {
    "balanced": (_blosc("lz4", 5),),
    "cloud-balanced": (_blosc("zstd", 1, blocksize=2**20),),
    "cloud-cold": (_blosc("zstd", 5, blocksize=2**20),),
    "local-fast": (_blosc("lz4", 1),),
    "none": (),
}
_CHECKSUM: Codec = {"name": "crc32c"}
_SERIALIZERS = frozenset({"bytes", "vlen-utf8", "vlen-bytes", "sharding_indexed"})
_ARRAY_TO_ARRAY = frozenset({"transpose"})


def profile_names() -> tuple[str, ...]:
    """Return the names of the codec profiles, sorted."""
    return tuple(sorted(_PROFILES))


def profile(name: str, *, checksum: bool = True) -> tuple[Codec, ...]:
    """Return the codecs of a profile.

    Parameters
    ----------
    name
        One of `profile_names`.
    checksum
        Whether to append crc32c, so that every read of a damaged chunk raises an error. Without it, most damage inside a
        chunk is not detected and gives wrong numbers.

    Raises
    ------
    SchemaError
        There is no profile of this name.

    Examples
    --------
    >>> [codec["name"] for codec in profile("cloud-cold")]
    ['blosc', 'crc32c']
    >>> [codec["name"] for codec in profile("cloud-cold", checksum=False)]
    ['blosc']
    """
    if name not in _PROFILES:
        message = f"codec profile {name!r} is unknown; {accepted(name, profile_names())}"
        raise SchemaError(message)
    return (*_PROFILES[name], _CHECKSUM) if checksum else _PROFILES[name]


def resolve(codecs: object, dtype: np.dtype[Any], *, name: str) -> tuple[Codec, ...]:
    """Return the complete codec sequence of a variable, in the form of its ``zarr.json``.

    Parameters
    ----------
    codecs
        None for the default profile, the name of a profile, or a sequence of codecs (mappings, or objects with
        ``to_dict``). If the array-to-bytes codec is missing, it is added.
    dtype
        The type of the stored elements, which determines the serializer and blosc's ``typesize``.
    name
        Name of the variable, for error messages.

    Raises
    ------
    SchemaError
        `codecs` is neither a profile nor a sequence of codecs.
    """
    if codecs is None or isinstance(codecs, str):
        sequence = [dict(codec) for codec in profile(codecs or DEFAULT_PROFILE)]
    else:
        sequence = [_as_mapping(codec, name=name) for codec in _as_sequence(codecs, name=name)]
    if not any(codec["name"] in _SERIALIZERS for codec in sequence):
        position = sum(codec["name"] in _ARRAY_TO_ARRAY for codec in sequence)
        sequence.insert(position, _serializer(dtype))
    return tuple(_complete(codec, dtype) for codec in sequence)


def _as_sequence(codecs: object, *, name: str) -> Sequence[object]:
    if isinstance(codecs, Sequence) and not isinstance(codecs, bytes):
        return codecs
    message = (
        f"codecs {codecs!r} of variable {name!r}: accepted: a profile ({', '.join(profile_names())}) or a sequence of "
        f"Zarr v3 codecs such as {{'name': 'zstd', 'configuration': {{'level': 3}}}}"
    )
    raise SchemaError(message)


def _as_mapping(codec: object, *, name: str) -> dict[str, Any]:
    as_dict = codec.to_dict() if hasattr(codec, "to_dict") else codec
    if isinstance(as_dict, str):
        as_dict = {"name": as_dict}
    if isinstance(as_dict, Mapping) and isinstance(as_dict.get("name"), str):
        return {key: dict(value) if isinstance(value, Mapping) else value for key, value in as_dict.items()}
    message = f"codec {codec!r} of variable {name!r} is not a Zarr v3 codec such as {{'name': 'zstd'}}"
    raise SchemaError(message)


def _serializer(dtype: np.dtype[Any]) -> dict[str, Any]:
    if dtype.kind == "T":
        return {"name": "vlen-utf8", "configuration": {}}
    if dtype.itemsize == 1 or dtype.kind == "S":
        return {"name": "bytes"}
    return {"name": "bytes", "configuration": {"endian": "little"}}


def _complete(codec: dict[str, Any], dtype: np.dtype[Any]) -> Codec:
    if codec["name"] == "blosc":
        size = 1 if dtype.kind == "T" else dtype.itemsize
        return {**codec, "configuration": {"typesize": min(size, 255), **codec.get("configuration", {})}}
    return codec
