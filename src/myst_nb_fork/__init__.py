"""Runs the chapters of a Sphinx book: fast, isolated, and with nothing stale.

Each chapter runs in a process of its own, forked from a server that has imported
the large packages once. What it shows is what a Jupyter kernel would have shown,
byte for byte. Where fork is missing, or a page asks for it, a real kernel runs it.
Results are kept and used again as long as nothing they depend on has changed.

Settings, in conf.py:
    nb_execution_mode: "cache" uses kept results, "force" runs every page.
    nb_execution_timeout: Seconds a cell may take.
    nb_fork_executor: "fork", or "stock" for real kernels throughout.
    nb_fork_sources: Folders that chapters import from, relative to conf.py; a result depends
        on their every byte.
    nb_fork_extensions: Folders of the book's own Sphinx extensions, relative to conf.py; every
        page is read again when a file in them changes.
    nb_fork_cache: Folder of results, profile and font list, relative to conf.py.
    nb_fork_memory: Bytes a chapter may map beyond what the server has mapped.
    nb_fork_environment: Variables that chapters see besides the fixed ones.
    nb_fork_preload: Modules the server imports before its first fork, such as "torch"; never
        the ones of ``nb_fork_sources``.
    nb_fork_preload_when: Word in a page that is to run, to a module it calls for besides.

Settings of one page, in its front matter: ``execution: {executor: stock, timeout: 300,
allow_errors: false}``.

The event ``nb-fork-summary``, emitted with ``{page: Record}`` of the build that ends, may
return further lines to print.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect the executor to Sphinx and MyST-NB."""
    from myst_nb_fork.extension import (
        connect,  # the fork server imports this package without Sphinx
    )

    return connect(app)
