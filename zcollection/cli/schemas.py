"""``zcollection schema``: what datasets of a collection may have, in words or as ``create --schema`` takes it."""

import json

from zcollection.cli.opening import URL, AsJson, At, Base, BaseOptions, StorageOptions, open_source
from zcollection.cli.output import write_json, write_lines


def schema(
    url: URL,
    *,
    at: At = None,
    base: Base = None,
    storage_option: StorageOptions = None,
    base_option: BaseOptions = None,
    as_json: AsJson = False,
) -> None:
    """Show the schema; with --json as a file that 'zcollection create --schema' takes."""
    found = open_source(url, storage_option, base, base_option, at=at).schema
    if as_json:
        write_json(json.loads(found.to_json()))
    else:
        write_lines(str(found).splitlines())
