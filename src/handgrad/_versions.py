"""Which torch is there, and whether it has what handgrad reads graphs with."""

import operator
import re
import warnings

import torch

from handgrad.errors import VersionError

OLDEST, NEWEST = "2.10", "2.15"
"""The versions of torch between which handgrad is tested; newer ones may work as well."""

_NEEDED = (
    "Tensor.grad_dtype",
    "Tensor._backward_hooks",
    "Tensor._base",
    "Tensor._is_view",
    "Tensor._is_zerotensor",
    "Tensor._post_accumulate_grad_hooks",
    "Tensor._version",
    "_C.DisableTorchFunction",
    "_C._autograd.SavedTensor.unpack_hook",
    "_C._current_graph_task_id",
    "_C._functorch.is_functorch_wrapped_tensor",
    "_C._is_torch_function_enabled",
    "_C._len_torch_dispatch_stack",
    "autograd.function.BackwardCFunction",
    "is_autocast_enabled",
    "overrides.TorchFunctionMode",
    "utils._python_dispatch._disable_current_modes",
    "utils.weak.WeakTensorKeyDictionary",
)
"""What is read of torch and not promised by it, by its name below ``torch``."""

_NEEDED_OF_A_NODE = (
    "__call__",
    "_input_metadata",
    "_sequence_nr",
    "metadata",
    "name",
    "next_functions",
)


def check_version(node: object, namespace: object = torch) -> None:
    """Raise unless this torch has every name that is used here and not promised by PyTorch.

    Raises:
        VersionError: Names what is missing, and the versions that have it.
    """
    missing = [f"torch.{name}" for name in _NEEDED if not _has(namespace, name)]
    missing += [f"grad_fn.{name}" for name in _NEEDED_OF_A_NODE if not _has(node, name)]
    if missing:
        raise VersionError(
            f"torch {torch.__version__} lacks {', '.join(missing)}, with which handgrad reads "
            f"recorded graphs. Install a version that has them: {OLDEST} or newer, "
            f'python -m pip install "torch>={OLDEST}".'
        )
    if told := untested():
        warnings.warn(f"{told} It may work as well.", stacklevel=2)


def _has(thing: object, name: str) -> bool:
    try:
        operator.attrgetter(name)(thing)
    except AttributeError:
        return False
    return True


def untested() -> str:
    """Return one sentence if this torch is newer than all that were tested, or nothing."""
    if _release(torch.__version__) <= _release(NEWEST):
        return ""
    return (
        f"torch {torch.__version__} is newer than {NEWEST}, the newest that handgrad was tested "
        "with."
    )


def _release(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:2])
