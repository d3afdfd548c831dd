"""Named numbers in, a verdict out."""

from handgrad.comparing.comparison import Comparison, compare
from handgrad.comparing.rows import Row

__all__ = ["Comparison", "Row", "compare"]
