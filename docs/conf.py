"""Sphinx: `make docs` builds these pages into a folder of the cache, and warnings are errors."""

from __future__ import annotations

import embudo

project = "Embudo"
copyright = "the Embudo authors"
release = embudo.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"Embudo {release}"
exclude_patterns = ["decisions/*", "architecture.md", "format.md", "page.md"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
# Names of types that other packages have, or that are private.
nitpicky = False
suppress_warnings = ["ref.python"]
