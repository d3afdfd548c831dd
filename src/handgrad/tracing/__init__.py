"""Live tensors in, a ``Graph`` out; every private name of torch is in ``torch_private``."""

from handgrad.tracing.tracer import trace
from handgrad.tracing.vjp import local_vjp

__all__ = ["local_vjp", "trace"]
