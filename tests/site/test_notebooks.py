"""Every chapter of the built book, downloaded and run in an empty folder."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow


def test_every_downloaded_notebook_runs(book, tmp_path):
    notebooks = sorted((book.folder / "notebooks").glob("*-clean.ipynb"))

    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        folder = tmp_path / path.stem
        folder.mkdir()
        client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}})
        client.execute()
        assert not any(folder.iterdir()), f"{path.name} left files behind"
    assert notebooks
