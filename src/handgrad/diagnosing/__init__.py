"""Why a ``.grad`` is what it is, and where tensors leave the graph; changes nothing."""

from handgrad.diagnosing.diagnose import why_no_grad
from handgrad.diagnosing.diagnosis import Diagnosis, Reason
from handgrad.diagnosing.reasons import RULES
from handgrad.diagnosing.watching import Event, Watch, watch

__all__ = ["RULES", "Diagnosis", "Event", "Reason", "Watch", "watch", "why_no_grad"]
