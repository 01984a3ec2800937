"""The documentation as a site: ``python3 run.py docs`` builds it into the folder site."""

import importlib.metadata
import re
from typing import Any

project = "nrm-plugin"
author = "The nrm-plugin developers"
release = version = importlib.metadata.version("nrm-plugin")
urls = importlib.metadata.metadata("nrm-plugin").get_all("Project-URL") or []
source = dict(url.split(", ", 1) for url in urls).get("Source", "")
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinx_click",
    "sphinx_copybutton",
]
root_doc = "index"
exclude_patterns = ["*.py", "pictures/*.md"]
nitpicky = False

# Pages are read on their repository's page too: links go from file to file, with #heading.
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
# Types in docstrings (path, values) are words, no names of ours.
suppress_warnings = ["misc.highlighting_failure", "ref.python"]
default_role = "literal"

# Notebooks are run when the site is built; one that fails stops it.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

# Only links that name a project (`xarray.Dataset`) ask for these; without a network the site
# is built without them.
intersphinx_mapping = {}
intersphinx_disabled_reftypes = ["*"]

html_theme = "furo"
html_title = f"nrm-plugin {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_show_copyright = False
copybutton_prompt_text = "$ "


def contents(text: str) -> str:
    """The site's contents, from the lists of pages under the headings of the first page."""
    trees = []
    for part in text.split("\n## ")[1:]:
        caption, _, rest = part.partition("\n")
        pages = re.findall(r"^- \[([^]]+)\]\(([\w/-]+)\.(?:md|ipynb)\)", rest, re.M)
        if pages:
            lines = [f"{title} <{page}>" for title, page in pages]
            head = f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
            trees.append("\n".join([head + lines[0], *lines[1:], "```", ""]))
    return "\n".join(trees)


def setup(app: Any) -> None:
    """Give the first page its contents, and links out of docs/ their target."""

    def read(app: Any, name: str, text: list[str]) -> None:
        text[0] = text[0].replace("](../", f"]({source}/")
        if name == "index":
            text[0] += "\n" + contents(text[0])

    def bars(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
        # |G*| is a magnitude, not a substitution.
        lines[:] = [re.sub(r"\|([^|`]+)\|", r"\\|\1\\|", line) for line in lines]

    app.connect("source-read", read)
    app.connect("autodoc-process-docstring", bars, priority=0)
