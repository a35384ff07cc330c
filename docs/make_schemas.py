"""Write the JSON Schemas of the stored documents from the classes that they are read into: ``uv run python docs/make_schemas.py``."""

import inspect
import json
import re
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import attrs

from zcollection.model.documents import FORMAT_VERSION, NEWEST, WITH_STATISTICS
from zcollection.model.schema import VariableSchema
from zcollection.transaction.documents import Configuration, PartitionRecord
from zcollection.transaction.index.segments import Segment, Segments
from zcollection.transaction.version import Version

FOLDER: Final = Path(__file__).parent / "schemas"
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

PRIMITIVES: Final = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
}
TEXT: Final = PRIMITIVES[str]
COUNT: Final = {"type": "integer", "minimum": 0}


def of_type(kind: Any) -> dict[str, Any]:
    """Return the schema of a type, as an annotation names it."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return {"anyOf": [of_type(argument) for argument in arguments]}
    if origin is tuple:
        return {"type": "array", "items": of_type(arguments[0])}
    if origin in {dict, Mapping}:
        # The model's named parts are written as the list of them.
        named = attrs.has(arguments[1])
        return {"type": "array", "items": of_type(arguments[1])} if named else of_mapping(arguments[1])
    if kind is VariableSchema:
        return variable()
    return of_class(kind) if attrs.has(kind) else PRIMITIVES[kind]


def of_mapping(value: Any) -> dict[str, Any]:
    """Return the schema of an object with any keys."""
    return {"type": "object", "additionalProperties": True if value is Any else of_type(value)}


def of_class(cls: type[Any], *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the schema of an attrs class, described by its docstring."""
    hints, texts = get_type_hints(cls), described(cls)
    fields = [item for item in attrs.fields(cls) if item.init and item.name not in but]
    return {
        "type": "object",
        "description": (cls.__doc__ or "").partition("\n")[0],
        "properties": {
            item.name: {"description": texts.get(item.name, "")} | of_field(item.name, hints[item.name])
            for item in fields
        },
        "required": [item.name for item in fields if item.default is attrs.NOTHING],
        "additionalProperties": False,
    }


def of_field(name: str, kind: Any) -> dict[str, Any]:
    """Return the schema of a field; groups hold groups."""
    if name == "groups":
        return {"type": "array", "items": {"$ref": "#/$defs/group"}}
    return of_type(kind)


def described(cls: type[Any]) -> dict[str, str]:
    """Return what the docstring of a class says of its attributes, by name."""
    _, _, section = (inspect.getdoc(cls) or "").partition("Attributes\n----------\n")
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if re.match(r"\w", line):
            names = line.strip().split(", ")
        for name in names if line.startswith("    ") else ():
            texts[name] = f"{texts.get(name, '')} {line.strip()}".strip()
    return texts


def variable() -> dict[str, Any]:
    """Return the schema of a variable, whose type and fill value are written in a form of their own."""
    texts = described(VariableSchema)
    properties: dict[str, dict[str, Any]] = {
        "name": TEXT,
        "dtype": TEXT,
        "dimensions": {"type": "array", "items": TEXT},
        "fill_value": {},
        "codecs": {"type": "array", "items": {"type": "object", "properties": {"name": TEXT}, "required": ["name"]}},
        "attrs": {"type": "object"},
    }
    optional: dict[str, dict[str, Any]] = {
        "packing": packing(),
        "coordinate": {"type": "boolean"},
        "statistics": {"type": "boolean"},
    }
    return {
        "type": "object",
        "properties": {name: {"description": texts[name]} | schema for name, schema in (properties | optional).items()},
        "required": list(properties),
        "additionalProperties": False,
    }


def packing() -> dict[str, Any]:
    """Return the schema of a packing, of which what it does not have is left out."""
    number = {"type": "number"}
    properties = {
        "dtype": TEXT,
        "scale_factor": number,
        "add_offset": number,
        "fill_value": {"type": ["number", "string"]},
    }
    return {"type": "object", "properties": properties, "required": ["dtype"], "additionalProperties": False}


def column() -> dict[str, Any]:
    """Return the schema of a column of values: see `zcollection.transaction.index.packing`."""
    base64 = {"type": "string", "contentEncoding": "base64"}
    this = {"$ref": "#/$defs/column"}
    forms: list[dict[str, dict[str, Any]]] = [
        *({name: base64} for name in ("int8", "int16", "int32", "int64", "float64")),
        {"joined": TEXT, "by": TEXT},
        {"first": this, "last": this},
        {"values": {"type": "array"}, "positions": this},
    ]
    return {
        "description": "One value for each partition: a list, numbers as little-endian bytes, texts joined, pairs, or "
        "the distinct values and which of them each is",
        "oneOf": [
            {"type": "array"},
            *(
                {"type": "object", "properties": form, "required": list(form), "additionalProperties": False}
                for form in forms
            ),
        ],
    }


def columns() -> dict[str, Any]:
    """Return the schema of the partitions, in columns."""
    texts = {"path": "Of each partition", **described(PartitionRecord)}
    names = ["path", *(item.name for item in attrs.fields(PartitionRecord) if item.name != "key")]
    properties: dict[str, Any] = {name: {"description": texts[name], "$ref": "#/$defs/column"} for name in names}
    properties["key"] = {"type": "object", "additionalProperties": {"$ref": "#/$defs/column"}}
    return {"type": "object", "properties": properties, "required": ["path", "key"], "additionalProperties": False}


def headed(body: dict[str, Any], *kinds: str, newest: int = FORMAT_VERSION) -> dict[str, Any]:
    """Return the schema of a document with format version, kind and seal."""
    versions = list(range(FORMAT_VERSION, newest + 1))
    head = {"format_version": {"enum": versions}, "kind": {"enum": list(kinds)}}
    return sealed(body | {"properties": head | body["properties"], "required": [*head, *body["required"]]})


def sealed(body: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that ends with the checksum of what stands before it."""
    seal = {"checksum": {"description": "CRC-32 of all that stands before it; the last member", **COUNT}}
    return body | {"properties": body["properties"] | seal}


def configuration() -> dict[str, Any]:
    """Return the schema of ``_zcollection.json``."""
    from zcollection.model.schema import GroupSchema

    body = headed(of_class(Configuration), "collection", "view", newest=NEWEST)
    return body | {"$defs": {"group": of_class(GroupSchema)}}


def schema() -> dict[str, Any]:
    """Return the schema of what `DatasetSchema.to_json` writes."""
    from zcollection.model.schema import DatasetSchema, GroupSchema

    body = headed(of_class(DatasetSchema), "schema", newest=WITH_STATISTICS)
    return body | {"$defs": {"group": of_class(GroupSchema)}}


def version() -> dict[str, Any]:
    """Return the schema of a record, without its head; its number is its name."""
    body = of_class(Version, but=("published", "tag"))
    body["properties"]["published"] = {"description": "Not to be believed: the mark beside the record says it"}
    body["properties"]["written"] = {"description": described(Version)["written"], "$ref": "#/$defs/columns"}
    return body


def shared() -> dict[str, Any]:
    """Return the definitions of columns."""
    return {"$defs": {"column": column(), "columns": columns()}}


def history() -> dict[str, Any]:
    """Return the schema of what was folded."""
    body = {
        "type": "object",
        "description": "Records of old versions, by number",
        "properties": {"versions": {"type": "object", "additionalProperties": version()}},
        "required": ["versions"],
        "additionalProperties": False,
    }
    return headed(body, "history") | shared()


def catalog() -> dict[str, Any]:
    """Return the schema of the second line of the catalog; the first holds format version and checksum."""
    properties = {"version": COUNT, "configuration": COUNT, "immutable": of_type(PartitionRecord | None)}
    optional = {"schema": COUNT, "transaction": {"type": "string"}, "tag": {"type": "string"}}
    forms = {"partitions": {"$ref": "#/$defs/columns"}, "segments": segments()}
    return {
        "type": "object",
        "description": "The partitions of a collection at one version, or the segments that hold them",
        "properties": properties | optional | forms,
        "required": list(properties),
        "oneOf": [{"required": [form]} for form in forms],
        "additionalProperties": False,
    } | shared()


def segments() -> dict[str, Any]:
    """Return the schema of what the root of a catalog says of segments, in columns."""
    texts = described(Segment)
    of_each = {"$ref": "#/$defs/column"}
    of_keys = {"type": "object", "additionalProperties": of_each}
    properties: dict[str, Any] = {
        **{name: {"description": texts[name]} | of_each for name in ("name", "checksum", "count", "axis_range")},
        **{name: {"description": texts[name]} | of_keys for name in ("first", "smallest", "largest")},
        "retired": {"description": described(Segments)["retired"], "type": "array", "items": TEXT},
    }
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def segment() -> dict[str, Any]:
    """Return the schema of a segment, which is compressed with zstd."""
    return columns() | {"description": "Some of the partitions of a collection"} | shared()


DOCUMENTS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "configuration": configuration,
    "record": lambda: headed(version(), "version", newest=3) | shared(),
    "history": history,
    "partition": lambda: sealed(of_class(PartitionRecord)),
    "catalog": catalog,
    "segment": segment,
    "schema": schema,
}


def text_of(name: str) -> str:
    """Return a schema as the text of its file."""
    return json.dumps({"$schema": DRAFT, "title": name, **DOCUMENTS[name]()}, indent=2) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in DOCUMENTS:
        (FOLDER / f"{name}.json").write_text(text_of(name))
