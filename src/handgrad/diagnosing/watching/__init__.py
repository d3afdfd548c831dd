"""Record where tracked tensors leave the graph, while the program runs."""

from handgrad.diagnosing.watching.recorder import Watch, watch
from handgrad.diagnosing.watching.walls import Event

__all__ = ["Event", "Watch", "watch"]
