"""Sphinx's configuration of the site; ``make docs`` builds it (docs/adr/0040-the-site.md).

The sources are what ``stage.py`` gathers: the documents of the repository, the pages that it generates, the notebooks,
and the examples of the gallery, which the build runs.
"""

import os
import warnings
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from metalens import __version__

matplotlib.use("agg")
ROOT = Path(__file__).resolve().parents[2]

project = "metalens"
author = "the authors of metalens"
copyright = "the authors of metalens; MIT licence"  # noqa: A001 (Sphinx reads this name)
version = release = __version__
root_doc = "index"
language = "en"
# What the gallery offers for download is no source.
exclude_patterns = [f"gallery/*.{kind}" for kind in ("ipynb", "py", "zip", "json", "md5")]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_gallery.gen_gallery"]

# Documents: Markdown as on GitHub, with links to the headings of other pages.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = [
    # Shell lines with continuations, tables of errors and the like are no language that Pygments knows.
    "misc.highlighting_failure",
    # Configuration of the gallery holds functions; it is only that the build is not cached.
    "config.cache",
]

# Notebooks are run as in the tests. METALENS_DOCS=gallery leaves them unrun, METALENS_DOCS=quick the examples, too.
RUN = os.environ.get("METALENS_DOCS", "all")
os.environ["METALENS_QUICK"] = "1"
nb_execution_mode = "force" if RUN == "all" else "off"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
# Progress bars.
nb_output_stderr = "remove"


def figures_outside_pyplot(block, block_vars, gallery_conf):
    """Save the figure of an example that pyplot does not know: those of metalens are made without it."""
    del block
    figure = block_vars["example_globals"].get("figure")
    if not isinstance(figure, Figure) or figure.canvas.manager is not None:
        return ""
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=130)
    return figure_rst([path], gallery_conf["src_dir"])


sphinx_gallery_conf = {
    "image_scrapers": ("matplotlib", figures_outside_pyplot),
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "plot_gallery": RUN != "quick",
    "abort_on_example_error": True,
    "download_all_examples": False,
    # The page of run times loads scripts from outside.
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 20,
    "remove_config_comments": True,
    "within_subsection_order": "ExampleTitleSortKey",
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

# The reference: docstrings in Google's style.
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 100
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = f"metalens {release}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {
    "navigation_depth": 2,
    "show_toc_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}


def escape_bars(app, what, name, found, options, lines):
    """Keep |x| in a docstring as it is: reStructuredText would look for a substitution of that name."""
    del app, what, name, found, options
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = line.split("``")
            lines[number] = "``".join(part if at % 2 else part.replace("|", r"\|") for at, part in enumerate(parts))


def setup(app):
    """Connect what Sphinx calls."""
    app.connect("autodoc-process-docstring", escape_bars)
