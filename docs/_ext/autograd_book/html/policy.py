"""A Content-Security-Policy on every page: it loads its own files, and runs its own scripts.

The policy names each inline script by its hash, so it is written when the pages
are complete. A host that sets headers needs none of its own.
"""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from sphinx.application import Sphinx

INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
CHARSET = re.compile(r'<meta charset="utf-8" ?/?>')
TAG = re.compile(r'\n<meta http-equiv="Content-Security-Policy"[^>]*>')
RULES = {
    "default-src": "'none'",
    "style-src": "'self' 'unsafe-inline'",  # drawings carry their own style
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
}


def policy(page: str) -> str:
    """Return the policy of a page: its files from its own place, its inline scripts by hash."""
    hashes = dict.fromkeys(
        f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
        for script in INLINE.findall(page)
    )
    rules = {**RULES, "script-src": " ".join(["'self'", *hashes])}
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def with_policy(page: str) -> str:
    """Return the page with its policy as the first thing after its charset."""
    page = TAG.sub("", page)
    tag = f'\n<meta http-equiv="Content-Security-Policy" content="{policy(page)}">'
    return CHARSET.sub(lambda found: found[0] + tag, page, count=1)


def seal(app: Sphinx) -> None:
    """When all pages are complete: give each its policy."""
    for path in Path(app.outdir).rglob("*.html"):
        before = path.read_text(encoding="utf-8")
        after = with_policy(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
