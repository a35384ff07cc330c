"""The rules of the house: which way arrows point, what an import loads, and that no plugin is special."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "zcollection"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Lowest first; a module imports only from layers below its own, or from its own layer.
LAYERS = (
    ("config", "errors"),
    ("model",),
    ("contracts",),
    ("registry",),
    ("conditions",),
    ("engine",),
    ("transaction",),
    ("collection",),
    ("view",),
    ("", "aio", "partitioning", "merge", "codecs", "computation", "plugin", "rows"),
    ("cli", "testing"),
)
# What no layer owns: small tools that import nothing of the kernel but its errors.
TOOLS = ("portal", "progress", "resources")
OPTIONAL = (
    "zarr",
    "obstore",
    "icechunk",
    "s3fs",
    "dask",
    "distributed",
    "xarray",
    "pandas",
    "shapely",
    "typer",
    "rich",
    "pytest",
)


def name_of(file):
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@functools.cache
def tree_of(file):
    return ast.parse(file.read_text())


@functools.cache
def imports_of(file):
    """Every module that a file imports, and whether it does so at import time."""
    return tuple(_imports(file, tree_of(file)))


def _imports(file, tree):
    inside = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.walk(node)
    }
    typing_only = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names = (
                [node.module] if node.module != "zcollection" else [f"zcollection.{item.name}" for item in node.names]
            )
            names += [
                f"{node.module}.{item.name}"
                for item in node.names
                if (PACKAGE.parent / node.module.replace(".", "/") / f"{item.name}.py").is_file()
            ]
        elif isinstance(node, ast.Import):
            names = [item.name for item in node.names]
        for name in names:
            yield name, node not in inside and node not in typing_only


def layer(module):
    top = module.partition(".")[0]
    for height, names in enumerate(LAYERS):
        if top in names:
            return height
    return -1 if top in TOOLS else None


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_a_module_imports_only_from_layers_below(file):
    own = layer(name_of(file))
    assert own is not None, f"{file} belongs to no layer"
    for name, _ in imports_of(file):
        if name.partition(".")[0] == "zcollection":
            target = name.removeprefix("zcollection").removeprefix(".")
            height = layer(target)
            assert height is not None, f"{file} imports {name}, which belongs to no layer"
            assert height <= own or (own == -1 and target in {"errors", "config"}), f"{file} imports {name} from above"


def test_no_two_modules_need_each_other():
    """Not even for types, nor in a function."""
    modules = {name_of(file) for file in MODULES if file.name != "__init__.py"}
    graph = {
        name_of(file): {
            target
            for name, _ in imports_of(file)
            if (target := name.removeprefix("zcollection.")) in modules and target != name_of(file)
        }
        for file in MODULES
    }
    done, path = set(), []

    def visit(module):
        assert module not in path, " imports ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for target in sorted(graph.get(module, ()) & graph.keys()):
                visit(target)
            done.add(path.pop())

    for module in graph:
        visit(module)


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_optional_libraries_load_when_first_needed_and_plugins_never(file):
    top = name_of(file).partition(".")[0]
    allowed = {"cli": {"typer", "rich"}, "testing": {"pytest"}}.get(top, set())
    lazily_loaded = {"contracts.zarr_view": {"zarr"}, "engine.fallback": {"zarr"}}.get(name_of(file), set())
    for name, early in imports_of(file):
        library = name.partition(".")[0]
        assert not library.startswith("zcollection_"), f"{file} imports the plugin {library}"
        if early:
            assert library not in set(OPTIONAL) - allowed - lazily_loaded, f"{file} imports {library} at import time"


def test_importing_the_package_loads_no_plugin_and_no_optional_library():
    code = "import sys, zcollection; print(*sys.modules)"
    loaded = {
        name.partition(".")[0]
        for name in subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    }
    assert not loaded & set(OPTIONAL)
    assert not {name for name in loaded if name.startswith("zcollection_")}


def strings_compared(file):
    for node in ast.walk(tree_of(file)):
        operands = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        operands += [node.value] if isinstance(node, ast.MatchValue) else []
        for operand in operands:
            elements = operand.elts if isinstance(operand, ast.Set | ast.Tuple | ast.List) else [operand]
            yield from (
                item.value for item in elements if isinstance(item, ast.Constant) and isinstance(item.value, str)
            )


@pytest.mark.parametrize("file", [file for file in MODULES if not {"testing", "demo"} & {*file.parts}], ids=name_of)
def test_no_name_of_a_strategy_or_scheme_decides_anything(file):
    built_in = {
        *("date", "sequence", "grouped_sequence", "values"),
        *("replace", "concat", "time_series", "upsert"),
        *("file", "memory", "s3", "icechunk"),
    }
    immutable_option = {"replace"} if file.name == "insert.py" else set()
    assert not set(strings_compared(file)) & built_in - immutable_option


def test_the_three_folders_of_tests_need_no_plugin():
    for folder in ("kernel", "model", "registry"):
        for file in (PACKAGE.parent / "tests" / folder).rglob("*.py"):
            assert not {name for name, _ in imports_of(file) if name.startswith("zcollection_")}
