"""The least a book's cells can cost: all of them in one process, with nothing around them."""

from __future__ import annotations

import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import chapters


def main(count: int) -> None:
    """Run the cells of so many chapters, and draw each figure that is left open as SVG."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    for number in range(1, count + 1):
        names: dict[str, object] = {"__name__": "__main__"}
        for cell in chapters.cells(number):
            exec(compile(cell, "cell", "exec"), names)
            for figure in map(plt.figure, plt.get_fignums()):
                figure.savefig(io.BytesIO(), format="svg", bbox_inches="tight")
            plt.close("all")


if __name__ == "__main__":
    main(int(sys.argv[1]))
