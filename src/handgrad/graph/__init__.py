"""What autograd recorded, as frozen plain data."""

from handgrad.graph.graph import Graph
from handgrad.graph.records import Array, Constant, Edge, Node, Number, Saved, Spec

__all__ = ["Array", "Constant", "Edge", "Graph", "Node", "Number", "Saved", "Spec"]
