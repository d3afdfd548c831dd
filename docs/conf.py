"""Settings of the book; the programs behind them are in _ext/autograd_book/."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]  # of this checkout, not another

project = "Autograd by Hand"
author = "The authors of Autograd by Hand"
copyright = f"2026, {author}"
version = release = "0.1"
language = "en"

extensions = [
    "myst_nb",
    "myst_nb_fork",
    "autograd_book",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.bibtex",
]
root_doc = "index"
exclude_patterns = ["_build", "_ext", "_theme", ".cache", "**/.ipynb_checkpoints"]
nitpicky = True
nitpick_ignore_regex = [  # names in type hints: other projects', and ours that have no entry
    ("py:class", r"(torch|collections|fractions|pathlib|handgrad)\..*"),
]
numfig = True

# Chapters are programs: every one runs, and whatever is wrong with it stops the build.
nb_execution_mode = "force" if os.environ.get("CI") else "cache"
nb_execution_raise_on_error = False
nb_execution_allow_errors = False
nb_execution_show_tb = True
nb_execution_timeout = 120
nb_execution_excludepatterns = []
nb_execution_in_temp = True
nb_output_stderr = "show"  # honest.py warns, of hidden cells too
nb_merge_streams = True
nb_fork_sources = ["../src"]
nb_fork_extensions = ["_ext"]
# Large packages that most chapters import. Not the inline backend of matplotlib: it connects
# to the shell it finds when it is imported, and the fork server has none.
nb_fork_preload = [
    "numpy",
    "numpy.random",
    "torch",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
]
nb_fork_preload_when = {  # what a page that is to run speaks of
    "torch.optim": "torch._dynamo",
    "gradcheck": "torch._dynamo",
    "sympy": "sympy",
    "mpmath": "mpmath",
}
nb_ipywidgets_js = {}
suppress_warnings = ["mystnb.unknown_mime_type"]  # records.py reads those that are not shown

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

bibtex_bibfiles = ["back/references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

autodoc_typehints = "description"
autodoc_member_order = "bysource"

nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"

html_theme_path = ["_theme"]
html_theme = "book"
html_title = "Autograd by Hand"
html_baseurl = os.environ.get("BOOK_ADDRESS", "")
book_downloads = os.environ.get("BOOK_DOWNLOADS", "").split()
html_math_renderer = "mathml"
html_permalinks = False
html_copy_source = False
html_domain_indices = False
html_last_updated_fmt = None
html_show_sphinx = False
epub_theme = "ebook"
epub_show_urls = "no"
epub_use_index = False
numfig_format = {"figure": "Figure %s", "table": "Table %s", "code-block": "Listing %s"}
