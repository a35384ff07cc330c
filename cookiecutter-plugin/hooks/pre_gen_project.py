"""Check the answers, and reject names that the package installer, Python or zcollection would reject later."""

import re
import sys

FAMILY = {{ cookiecutter.family | tojson }}
NAME = {{ cookiecutter.name | tojson }}
DISTRIBUTION = {{ cookiecutter.distribution | tojson }}
MODULE = {{ cookiecutter.module | tojson }}
ONE_LINERS = {
    "summary": {{ cookiecutter.summary | tojson }},
    "author": {{ cookiecutter.author | tojson }},
}

TAKEN = {
    "partitioning": {"date", "sequence", "grouped_sequence", "values"},
    "merge": {"replace", "concat", "time_series", "upsert"},
    "store": {
        *("az", "azure", "blockcache", "file", "filecache", "fsspec", "gcs", "github", "gs", "http", "https", "icechunk"),
        *("memory", "object", "s3", "simplecache", "tar", "zip"),
    },
    "view": {"expression", "along_track"},
}
"""Names of the plugins of zcollection itself: two plugins with the same name conflict."""

NAMES = {
    "store": (r"[a-z][a-z0-9]*", "the scheme of a URL: lower-case letters and digits, a letter first"),
    "view": (r"[a-z][a-z0-9]*(_[a-z0-9]+)*", "lower-case words joined by '_'"),
}
NAMES["partitioning"] = NAMES["merge"] = NAMES["view"]


def problems():
    """Yield a message for each invalid answer, with the accepted values."""
    pattern, accepted = NAMES[FAMILY]
    if not re.fullmatch(pattern, NAME):
        yield f"name {NAME!r}; accepted: {accepted}"
    if NAME in TAKEN[FAMILY]:
        yield f"name {NAME!r}; accepted: another one, for zcollection-{FAMILY}-{NAME.replace('_', '-')} provides it"
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", DISTRIBUTION):
        yield f"distribution {DISTRIBUTION!r}; accepted: lower-case words joined by '-'"
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", MODULE) or MODULE == "zcollection":
        yield f"module {MODULE!r}; accepted: lower-case words joined by '_', and not 'zcollection'"
    for setting, text in ONE_LINERS.items():
        if not text.strip() or not text.isprintable() or '"' in text or "\\" in text:
            yield f"{setting} {text!r}; accepted: one line without quotation marks and backslashes"


found = list(problems())
for problem in found:
    print(f"cannot generate the plugin: {problem}", file=sys.stderr)
sys.exit(1 if found else 0)
