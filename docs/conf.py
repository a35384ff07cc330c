"""Sphinx settings: ``uv run --group docs sphinx-build -W docs build/docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "zcollection"
author = "the zcollection authors"
copyright = f"2026, {author}"  # noqa: A001 - the name that Sphinx reads
release = version = version_of("zcollection")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery"]  # what is shown of the gallery are the pages that its examples become
html_static_path = ["_static"]
html_css_files = ["pictures.css"]

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "capture_repr": (),  # what an example shows it prints
    "remove_config_comments": True,
    "image_srcset": ["2x"],
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1_000_000,
}
html_theme = "pydata_sphinx_theme"
html_title = "zcollection"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "auto"}  # else each first visitor finds an error in the console
html_show_sourcelink = False
html_extra_path = ["schemas"]

default_role = "code"  # docstrings name arguments in single backticks
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
autodoc_default_options = {"members": True}
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # cross-references of attributes are ambiguous
napoleon_use_rtype = False
python_use_unqualified_type_names = True


def setup(app: "Sphinx") -> None:
    """Draw what is no picture of an example, after these were run."""
    app.connect("builder-inited", _draw, priority=900)


def _draw(app: "Sphinx") -> None:
    import report_picture

    report_picture.draw(Path(app.srcdir) / "examples" / "images")
