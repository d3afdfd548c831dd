"""The settings of conf.py, for a build and for the program that serves one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.config import Config
from sphinx.util.tags import Tags

# Name, value where nobody sets one, type.
SETTINGS: tuple[tuple[str, Any, type], ...] = (
    ("nb_fork_executor", "fork", str),
    ("nb_fork_sources", [], list),
    ("nb_fork_extensions", [], list),
    ("nb_fork_cache", ".cache", str),
    ("nb_fork_memory", 4 * 2**30, int),
    ("nb_fork_environment", {}, dict),
    ("nb_fork_preload", [], list),
    ("nb_fork_preload_when", {}, dict),
)


def read(docs: Path) -> Config:
    """Return the settings of a folder's conf.py, without a build of it."""
    config = Config.read(docs, overrides={}, tags=Tags())
    for name, default, kind in SETTINGS:
        config.add(name, default, "", kind)
    return config


def folders(confdir: Path, names: list[str]) -> list[Path]:
    """Return folders that conf.py names, in full."""
    return [(confdir / name).resolve() for name in names]
