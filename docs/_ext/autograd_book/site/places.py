"""Where the book lives, as far as anybody said so: nothing here is made up.

The address of the repository comes from the service that builds the book, or from
the remote of the checkout; the address of the site from the configuration.
Unknown stays unknown, and what needs it is left out.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sphinx.application import Sphinx
from sphinx.config import Config

GITHUB = re.compile(
    r"(?:https?://(?:[^/@]+@)?|ssh://git@|git@)github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?"
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on GitHub; ``commit`` is empty unless the builder's service named it."""

    owner: str
    name: str
    commit: str = ""

    @property
    def address(self) -> str:
        return f"https://github.com/{self.owner}/{self.name}"

    @property
    def requirement(self) -> str:
        """What pip installs the book's package from."""
        return f"handgrad @ git+{self.address}" + (f"@{self.commit}" if self.commit else "")

    def colab(self, branch: str, path: str) -> str:
        """Return where Colab opens a notebook of a branch."""
        place = f"{self.owner}/{self.name}/blob/{branch}/{quote(path)}"
        return f"https://colab.research.google.com/github/{place}"

    def binder(self, branch: str, path: str) -> str:
        """Return where Binder opens a notebook of a branch."""
        place = f"{self.owner}/{self.name}/{branch}?labpath={quote(path, safe='')}"
        return f"https://mybinder.org/v2/gh/{place}"


def repository(root: Path, variables: Mapping[str, str] = os.environ) -> Repository | None:
    """Return the repository that the book is built from, if its address is known.

    Args:
        root: The checkout; a checkout around it does not count.
        variables: Where Read the Docs and GitHub say what they build.
    """
    server = variables.get("GITHUB_SERVER_URL", "https://github.com")
    places = [
        (variables.get("READTHEDOCS_GIT_CLONE_URL"), variables.get("READTHEDOCS_GIT_COMMIT_HASH")),
        (_joined(server, variables.get("GITHUB_REPOSITORY")), variables.get("GITHUB_SHA")),
        (_remote(root), ""),
    ]
    for address, commit in places:
        if address and (found := GITHUB.fullmatch(address)):
            return Repository(found[1], found[2], commit or "")
    return None


def site(given: str | None, variables: Mapping[str, str] = os.environ) -> str:
    """Return the address of the published site, the one given or the service's, or nothing.

    It ends in a slash, as all that is added to it expects.
    """
    address = given or variables.get("READTHEDOCS_CANONICAL_URL", "")
    return address.rstrip("/") + "/" if address else ""


def locate(app: Sphinx, config: Config) -> None:
    """Find out where the book lives; a change writes the pages again."""
    found = repository(Path(app.confdir).parent)
    config.book_repository = f"{found.address} {found.commit}" if found else ""
    app.book_repository = found
    config.html_baseurl = site(config.html_baseurl)


def _joined(server: str, name: str | None) -> str | None:
    return f"{server}/{name}" if name else None


def _remote(root: Path) -> str | None:
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "config", "--get", "remote.origin.url"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:  # no git
        return None


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("book_repository", "", "html", str)
    app.connect("config-inited", locate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
