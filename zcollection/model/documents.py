"""JSON documents: converted to and from attrs classes by one strict converter, with a limit on their size.

Nothing in a document is imported, evaluated or coerced: a string is not accepted as a number or a sequence of characters,
and an unknown key is an error.
"""

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, get_args, get_origin

import numpy as np
from attrs import AttrsInstance
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.gen import make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter
from cattrs.v import format_exception

from zcollection.errors import CorruptionError, FormatVersionError, ZCollectionError
from zcollection.model.declared import Dimension, VariableSchema
from zcollection.model.dtypes import dtype_name, parse_dtype, scalar_from_json, scalar_to_json
from zcollection.model.packing import Packing

T = TypeVar("T")

FORMAT_VERSION = 1
"""Format version of documents without any of the features below. Documents of a newer version are rejected."""

WITH_PACKING = 2
"""Format version of schemas with packed variables or coordinates, and of configurations that contain such a schema."""

WITH_STATISTICS = 3
"""Format version of schemas with variables that have statistics, and of configurations that contain such a schema."""

WITH_SEGMENTS = 4
"""Format version of configurations of collections whose catalog is stored in segments."""

WITH_RETENTION = 5
"""Format version of configurations with a retention."""

NEWEST = WITH_RETENTION
"""The newest format version of a configuration that this release can read."""

LARGEST_DOCUMENT = 256 * 2**20
"""Largest size of a document in bytes; a larger one is rejected unread."""


def strict_converter() -> Converter:
    """Return a converter that rejects unknown keys and never coerces one JSON type into another."""
    converter = make_converter(forbid_extra_keys=True)
    for primitive in (str, int, float, bool):
        converter.register_structure_hook(primitive, _structure_primitive)
    converter.register_structure_hook_factory(_is_tuple, lambda cls: _tuple_hook(converter, cls))
    converter.register_structure_hook_func(_is_free_mapping, _structure_mapping)
    converter.register_structure_hook_func(_is_scalar_union, _structure_scalar)
    for scalar in (np.timedelta64, np.datetime64):
        converter.register_structure_hook(scalar, _structure_scalar)
        converter.register_unstructure_hook(scalar, _unstructure_scalar)
    return converter


def _structure_primitive(value: object, cls: type[Any]) -> Any:
    if cls is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, cls) or (isinstance(value, bool) and cls is not bool):
        message = f"{value!r} is a {type(value).__name__}; accepted: {cls.__name__}"
        raise TypeError(message)
    return value


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


def _tuple_hook(converter: Converter, cls: Any) -> Callable[[object, Any], tuple[Any, ...]]:
    item = get_args(cls)[0]

    def structure(value: object, _: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            message = f"{value!r} is a {type(value).__name__}; accepted: a list"
            raise TypeError(message)
        return tuple(converter.structure(element, item) for element in value)

    return structure


def _is_free_mapping(cls: Any) -> bool:
    return get_origin(cls) in {dict, Mapping} and get_args(cls) == (str, Any)


def _structure_mapping(value: object, _: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        message = f"{value!r} is a {type(value).__name__}; accepted: an object"
        raise TypeError(message)
    return value


_SCALARS: tuple[Any, ...] = (type(None), bool, int, float, str, np.timedelta64, np.datetime64)


def _is_scalar_union(cls: Any) -> bool:
    members = get_args(cls)
    return bool(members) and get_origin(cls) not in {tuple, dict} and all(member in _SCALARS for member in members)


def _structure_scalar(value: object, cls: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        kind, content = next(iter(value.items()))
        if kind == "timedelta64" and isinstance(content, list):
            value = np.timedelta64(*content)
        elif kind == "datetime64" and isinstance(content, str):
            value = np.datetime64(content)
    members = get_args(cls) or (cls,)
    if type(value) in members:
        return value
    if type(value) is int and float in members:
        return float(value)
    message = f"{value!r} is a {type(value).__name__}; accepted: {', '.join(member.__name__ for member in members)}"
    raise TypeError(message)


def _unstructure_scalar(value: np.timedelta64 | np.datetime64) -> dict[str, Any]:
    if isinstance(value, np.timedelta64):
        return {"timedelta64": [int(value.astype(np.int64)), np.datetime_data(value.dtype)[0]]}
    return {"datetime64": str(value)}


def _by_name(converter: Converter, item: type[Any]) -> None:
    """Write a mapping from names to objects as a list of the objects, each of which contains its name."""
    sequence: Any = tuple.__class_getitem__((item, ...))

    def matches(cls: Any) -> bool:
        return get_origin(cls) is dict and get_args(cls) == (str, item)

    converter.register_unstructure_hook_func(
        matches, lambda items: [converter.unstructure(value) for value in items.values()]
    )
    converter.register_structure_hook_func(
        matches, lambda value, _: {entry.name: entry for entry in converter.structure(value, sequence)}
    )


def _model_converter() -> Converter:
    converter = strict_converter()
    converter.register_unstructure_hook(VariableSchema, _variable_to_json)
    converter.register_structure_hook(VariableSchema, _variable_from_json)
    _by_name(converter, Dimension)
    _by_name(converter, VariableSchema)
    return converter


_VARIABLE = ("name", "dtype", "dimensions", "fill_value", "codecs", "attrs")
_OPTIONAL = ("packing", "coordinate", "statistics")
"""Optional keys of variables: the first two since release 2026.12.1, the third since 2026.12.2."""


def _variable_to_json(variable: VariableSchema) -> dict[str, Any]:
    fill, packing = variable.fill_value, variable.packing
    body = {
        "name": variable.name,
        "dtype": dtype_name(variable.dtype),
        "dimensions": list(variable.dimensions),
        "fill_value": None if fill is None else scalar_to_json(fill, variable.dtype),
        "codecs": [dict(codec) for codec in variable.codecs],
        "attrs": variable.attrs,
    }
    if packing is not None:
        body["packing"] = _packing_to_json(packing)
    return body | {name: True for name in ("coordinate", "statistics") if getattr(variable, name)}


def _packing_to_json(packing: Packing) -> dict[str, Any]:
    fill = packing.fill_value
    return {
        "dtype": dtype_name(packing.dtype),
        **packing.attributes,
        **({} if fill is None else {"fill_value": scalar_to_json(fill, packing.dtype)}),
    }


def _packing_from_json(value: Any, *, name: str) -> Packing:
    members = CONVERTER.structure(value, dict[str, Any])
    if not {"dtype"} <= members.keys() <= {"dtype", "scale_factor", "add_offset", "fill_value"}:
        message = (
            f"{value!r} is not a packing; accepted: an object with a dtype, and scale_factor, add_offset and fill_value"
        )
        raise TypeError(message)
    dtype, fill = parse_dtype(CONVERTER.structure(members["dtype"], str)), members.get("fill_value")
    numbers = {
        key: CONVERTER.structure(members[key], float) for key in ("scale_factor", "add_offset") if key in members
    }
    return Packing(dtype, **numbers, fill_value=None if fill is None else scalar_from_json(fill, dtype, name=name))


def _variable_from_json(value: object, _: object) -> VariableSchema:
    if not isinstance(value, dict) or not set(_VARIABLE) <= set(value) <= {*_VARIABLE, *_OPTIONAL}:
        message = f"{value!r} is not a variable; accepted: an object with the keys {', '.join(_VARIABLE)}"
        raise TypeError(message)
    dtype = parse_dtype(CONVERTER.structure(value["dtype"], str))
    name = CONVERTER.structure(value["name"], str)
    fill = value["fill_value"]
    return VariableSchema(
        name,
        dtype=dtype,
        dimensions=CONVERTER.structure(value["dimensions"], tuple[str, ...]),
        packing=_packing_from_json(value["packing"], name=name) if "packing" in value else None,
        coordinate=CONVERTER.structure(value.get("coordinate", False), bool),
        statistics=CONVERTER.structure(value.get("statistics", False), bool),
        fill_value=None if fill is None else scalar_from_json(fill, dtype, name=name),
        codecs=CONVERTER.structure(value["codecs"], tuple[dict[str, Any], ...]),
        attrs=CONVERTER.structure(value["attrs"], dict[str, Any]),
    )


CONVERTER = _model_converter()
"""Converter between the classes of the model and JSON values."""


def write_as_list(item: type[Any]) -> None:
    """Write mappings from names to objects of this class as lists of the objects, each of which contains its name."""
    _by_name(CONVERTER, item)


def structure(value: object, cls: type[T], *, what: str) -> T:
    """Return the object that a JSON value describes.

    Parameters
    ----------
    value
        A value returned by `json.loads`.
    cls
        Class of the object.
    what
        Name of the document, for error messages.

    Raises
    ------
    CorruptionError
        The value does not describe an object of this class.
    """
    try:
        return CONVERTER.structure(value, cls)
    except INVALID as error:
        message = f"{what} is invalid: {explain(error)}"
        raise CorruptionError(message) from error


INVALID = (BaseValidationError, ZCollectionError, TypeError, ValueError, KeyError, AttributeError)
"""Exceptions that a strict converter may raise for an invalid value."""


def explain(error: Exception) -> str:
    """Return the errors of a strict converter as text, each with its location ("@ $.variables")."""
    if isinstance(error, BaseValidationError):
        return "; ".join(transform_error(error, format_exception=_explain_one))
    return str(error)


def _explain_one(error: BaseException, cls: type[Any] | None) -> str:
    known = isinstance(error, ZCollectionError) or (isinstance(error, TypeError | ValueError) and error.args)
    return str(error) if known else format_exception(error, cls)


def dump(document: AttrsInstance, *, kind: str, format_version: int = FORMAT_VERSION) -> bytes:
    """Return a document as JSON that starts with its format version and kind and ends with a checksum."""
    body = {"format_version": format_version, "kind": kind, **CONVERTER.unstructure(document)}
    return with_checksum(json.dumps(body, ensure_ascii=False, allow_nan=False, indent=1).encode())


_CHECKSUM: Final = b'"checksum": '


def with_checksum(data: bytes) -> bytes:
    """Return a JSON object with a last member ``checksum``: the CRC-32 of the bytes before that member."""
    body = data[:-1].rstrip()
    return b"%s,\n %s%d\n}" % (body, _CHECKSUM, zlib.crc32(body))


def check_checksum(data: bytes, *, what: str) -> None:
    """Check the checksum that `with_checksum` added to a JSON object.

    Raises
    ------
    CorruptionError
        The checksum does not match.
    """
    before, _, after = data.rpartition(_CHECKSUM)
    body = before.rstrip().removesuffix(b",")
    if after != b"%d\n}" % zlib.crc32(body):
        message = f"{what} is damaged: its checksum does not match"
        raise CorruptionError(message)


def load(data: bytes, cls: type[T], *, kind: str | tuple[str, ...], what: str, newest: int = FORMAT_VERSION) -> T:
    """Return the document that `dump` wrote, if it has an accepted kind and format version.

    Parameters
    ----------
    data
        The JSON text.
    cls
        Class of the document.
    kind
        The accepted kind, or several.
    what
        Name of the document, for error messages.
    newest
        The newest accepted format version.

    Raises
    ------
    FormatVersionError
        A newer release wrote the document.
    CorruptionError
        The data are not JSON, have another kind or a wrong checksum, or do not describe an object of this class.
    """
    body = parse_json(data, what=what)
    version = body.pop("format_version", None)
    if isinstance(version, int) and version > newest:
        message = f"{what} has the format version {version}; accepted: up to {newest}; upgrade zcollection"
        raise FormatVersionError(message)
    kinds = (kind,) if isinstance(kind, str) else kind
    if type(version) is not int or version < FORMAT_VERSION or body.pop("kind", None) not in kinds:
        message = (
            f"{what} is not a document of kind {' or '.join(map(repr, kinds))} and format version {FORMAT_VERSION}"
        )
        raise CorruptionError(message)
    if body.pop("checksum", None) is not None:
        check_checksum(data, what=what)
    return structure(body, cls, what=what)


def omit_defaults(cls: type[Any], *names: str) -> None:
    """Omit these attributes of a class from documents if they have their default values."""
    omitted: Any = {name: override(omit_if_default=True) for name in names}
    CONVERTER.register_unstructure_hook(cls, make_dict_unstructure_fn(cls, CONVERTER, **omitted))


def kind_of(data: bytes, *, what: str) -> object:
    """Return the kind of a document."""
    return parse_json(data, what=what).get("kind")


def parse_json(data: bytes, *, what: str) -> dict[str, Any]:
    """Parse a JSON object, within the size limit for documents.

    Raises
    ------
    CorruptionError
        The data are too large, or not a JSON object.
    """
    if len(data) > LARGEST_DOCUMENT:
        message = f"{what} has more bytes than a document may have; accepted: up to {LARGEST_DOCUMENT}"
        raise CorruptionError(message)
    try:
        body = json.loads(data, parse_constant=_refuse_constant)
        if b"\\ud" in data or b"\\uD" in data:
            json.dumps(body, ensure_ascii=False).encode()  # rejects lone surrogates, which could not be written again
    except (ValueError, RecursionError) as error:
        message = f"{what} is not valid JSON: {error}"
        raise CorruptionError(message) from error
    if not isinstance(body, dict):
        message = f"{what} is a JSON {type(body).__name__}; accepted: an object"
        raise CorruptionError(message)
    return body


def _refuse_constant(text: str) -> None:
    message = f"{text} is not a JSON number"
    raise ValueError(message)
