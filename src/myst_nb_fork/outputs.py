"""What a kernel publishes, turned into a notebook's outputs by nbclient's own code."""

from __future__ import annotations

from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode


class Collector:
    """Writes the frames of a chapter into the cells of its notebook.

    Attributes:
        cell: Index of the cell that runs or ran last; None before the first.
        error: What stopped the chapter, as nbclient words it; None if nothing did.
        stack: Where in which file that error arose; a page shows only its last line.
        ending: The server's last frame.
        files: Files of the project that the chapter opened.
    """

    def __init__(self, notebook: NotebookNode, may_raise: set[int]) -> None:
        self.notebook = notebook
        self.cell: int | None = None
        self.error: CellExecutionError | None = None
        self.stack = ""
        self.ending: dict[str, Any] | None = None
        self.files: list[str] | None = None
        self._may_raise = may_raise
        self._client = NotebookClient(notebook)
        self._client.reset_execution_trackers()
        self._count = 0

    def take(self, frame: dict[str, Any]) -> None:
        """Take the next frame."""
        getattr(self, f"_{frame['type']}")(frame)

    @property
    def finished(self) -> bool:
        """Say whether every cell ran, or one stopped the chapter by its error."""
        return self.files is not None

    def _language(self, frame: dict[str, Any]) -> None:
        self.notebook.metadata["language_info"] = _node(frame["language_info"])

    def _start(self, frame: dict[str, Any]) -> None:
        self.cell = frame["cell"]
        self.notebook.cells[self.cell].outputs = []
        self._client.clear_before_next_output = False

    def _message(self, frame: dict[str, Any]) -> None:
        if self.cell is None:  # said before the first cell: nobody listens to a kernel then
            return
        message = {
            "msg_type": frame["kind"],
            "header": {"msg_type": frame["kind"]},
            "parent_header": {"msg_id": "book"},
            "content": frame["content"],
            "buffers": [bytes.fromhex(part) for part in frame["buffers"]],
        }
        self._client.process_message(message, self.notebook.cells[self.cell], self.cell)

    def _reply(self, frame: dict[str, Any]) -> None:
        cell, content = self.notebook.cells[frame["cell"]], frame["content"]
        self._count += 1
        cell["execution_count"] = self._count
        cell.outputs = canonical(cell.outputs)
        if content["status"] == "error" and frame["cell"] not in self._may_raise:
            self.error = CellExecutionError.from_cell_and_msg(cell, content)
            self.stack = content.get("stack", "")

    def _done(self, frame: dict[str, Any]) -> None:
        self.files = frame["files"]
        self._client.set_widgets_metadata()

    def _exit(self, frame: dict[str, Any]) -> None:
        self.ending = frame


def canonical(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring streams of one name, standard output first.

    A kernel sends what is printed in pieces cut by a clock, and the two streams in
    the order of their clocks; between two outputs of another kind neither says more
    than its text, so pieces and order are noise. Without this, two runs of one
    chapter differ.
    """
    result: list[NotebookNode] = []
    run: dict[str, NotebookNode] = {}
    for output in [*outputs, None]:
        if output is not None and output["output_type"] == "stream":
            if output["name"] in run:
                run[output["name"]]["text"] += output["text"]
            else:
                run[output["name"]] = output
            continue
        result += [run[name] for name in sorted(run, reverse=True)]  # stdout, stderr
        run = {}
        if output is not None:
            result.append(output)
    return result


def _node(value: Any) -> Any:
    from nbformat import from_dict

    return from_dict(value)
