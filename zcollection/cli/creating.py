"""``zcollection create``: create a collection with the schema of a file."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import evolve

import zcollection
from zcollection.cli.columns import Attribute, Columns, Name, Set
from zcollection.cli.info import facts_of
from zcollection.cli.opening import AsJson, StorageOptions, options_of
from zcollection.cli.output import write_json, write_lines
from zcollection.cli.parsing import pairs_of
from zcollection.cli.sources import FileError, read
from zcollection.errors import SchemaError, accepted
from zcollection.model.codecs import profile_names
from zcollection.model.names import join, normalise_path
from zcollection.model.schema import ROOT, DatasetSchema, Dimension, GroupSchema

Chunks = Annotated[
    list[str] | None,
    typer.Option(
        "--chunks", metavar="DIMENSION=ROWS", help="Elements per chunk along a dimension; repeat it for more."
    ),
]


def create(
    url: Annotated[str, typer.Argument(metavar="URL", help="URL or local path of the new collection.")],
    *,
    axis: Annotated[str, typer.Option("--axis", metavar="NAME", help="Variable whose values order and identify rows.")],
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="PARTITIONING",
            help="How rows are split: 'date:M', 'sequence:cycle,pass', 'grouped-sequence:cycle,pass:10', 'values:station'.",
        ),
    ],
    file: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="FILE", help="A file like those that will be inserted: NetCDF, Zarr, CSV or Parquet."
        ),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            "--schema",
            metavar="FILE",
            help="Instead of --from: a schema in JSON, as written by 'zcollection schema --json'.",
        ),
    ] = None,
    chunks: Chunks = None,
    codecs: Annotated[
        str | None,
        typer.Option(
            "--codecs", metavar="PROFILE", help="Codec profile of all variables.", autocompletion=profile_names
        ),
    ] = None,
    fixed: Set = None,
    attribute: Attribute = None,
    name: Name = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing collection, and its data.")
    ] = False,
    storage_option: StorageOptions = None,
    as_json: AsJson = False,
) -> None:
    """Create a collection with the schema of a file; no data are inserted.

    --set, --attribute and --name declare additional variables, for the same options of insert.
    """
    if (file is None) is (schema is None):
        message = "give the schema once: --from FILE, or --schema FILE"
        raise typer.BadParameter(message)
    columns = Columns.of(fixed, attribute, name)
    declared = _of_file(file, axis, columns) if file is not None else _of_json(str(schema))
    made = zcollection.create_collection(
        url,
        schema=_with_codecs(_with_chunks(declared, chunks), codecs),
        axis=axis,
        partitioning=zcollection.partitioning.from_text(by, axis=axis),
        overwrite=overwrite,
        storage_options=options_of(storage_option),
    )
    if as_json:
        write_json(facts_of(made))
    else:
        write_lines([f"{made.store.url} created: {len(made.schema.all_variables()):,} variables, split by {by}"])


def _of_file(file: str, axis: str, columns: Columns) -> DatasetSchema:
    content = read(file)
    schema = content.schema(axis=axis).build()
    dimension = schema.variables[axis].dimensions[0] if axis in schema.variables else axis
    more = {variable.name: variable for variable in columns.declared(file, content.attrs, dimension)}
    known = sorted(more.keys() & schema.variables.keys())
    if known:
        message = f"{file!r} has a variable {known[0]!r}, and an option gives it a value too; accepted: one of them"
        raise SchemaError(message)
    return evolve(schema, variables={**schema.variables, **more})


def _of_json(path: str) -> DatasetSchema:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"{path!r} is not UTF-8 text: {error}"
        raise FileError(message) from error
    return DatasetSchema.from_json(text)


def _with_chunks(schema: DatasetSchema, options: list[str] | None) -> DatasetSchema:
    lengths = {
        normalise_path(name): text for name, text in pairs_of(options, option="--chunks", form="time=4096").items()
    }
    known = [join(path, name) for path, group in schema.walk() for name in group.dimensions]
    for name, text in lengths.items():
        if name not in known or not (text.isascii() and text.isdigit()) or int(text) < 1:
            what = f"; {accepted(name, known)}" if name not in known else "; accepted: an integer of at least 1"
            message = f"--chunks {name}={text}{what}"
            raise SchemaError(message)

    def chunked(path: str, item: Dimension) -> Dimension:
        text = lengths.get(join(path, item.name))
        # The shards are dropped: they need not be a multiple of the new chunks.
        return item if text is None else evolve(item, chunks=int(text), shards=None)

    return _rebuilt(
        schema,
        lambda path, group: {"dimensions": {name: chunked(path, item) for name, item in group.dimensions.items()}},
    )


def _with_codecs(schema: DatasetSchema, profile: str | None) -> DatasetSchema:
    if profile is None:
        return schema
    return _rebuilt(
        schema,
        lambda _, group: {"variables": {name: evolve(item, codecs=profile) for name, item in group.variables.items()}},
    )


def _rebuilt(schema: DatasetSchema, changes: Any) -> DatasetSchema:
    """Return a schema in which `changes(path, group)` replaces attributes of each group."""

    def groups_of(path: str, group: GroupSchema) -> dict[str, GroupSchema]:
        return {name: rebuilt(join(path, name), child) for name, child in group.groups.items()}

    def rebuilt(path: str, group: GroupSchema) -> GroupSchema:
        changed: Mapping[str, Any] = changes(path, group)
        return evolve(group, groups=groups_of(path, group), **changed)

    return evolve(schema, groups=groups_of(ROOT, schema), **changes(ROOT, schema))
