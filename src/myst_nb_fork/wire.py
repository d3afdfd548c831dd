"""Frames of JSON over a local socket, between a builder, the fork server and a chapter."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

SHOWN = 64 * 2**20  # bytes that a chapter may show: no page could hold more, and no builder
_HEAD = struct.Struct(">I")
_text = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps is what a cell may change


def send(connection: socket.socket, frame: dict[str, Any]) -> int:
    """Send one frame whole, and return its size; one that cannot be JSON is an error here."""
    body = _text(frame).encode("utf-8", "surrogatepass")
    connection.sendall(_HEAD.pack(len(body)) + body)
    return len(body)


def bound(shown: int) -> None:
    """Refuse what a chapter shows beyond its share, given how many bytes it is."""
    if shown > SHOWN:
        raise RuntimeError(f"a chapter may show {SHOWN >> 20} MiB, and this one shows more")


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """Return the next frame, or None when the other side is gone or broke off inside one."""
    head = _exactly(connection, _HEAD.size)
    body = _exactly(connection, _HEAD.unpack(head)[0]) if head else None
    return json.loads(body.decode("utf-8", "surrogatepass")) if body else None


def frames(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield frames until the other side is gone."""
    while (frame := receive(connection)) is not None:
        yield frame


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
