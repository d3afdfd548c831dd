"""How deep a graph may be before freeing it would overflow the thread's stack.

torch 2.13 frees a graph by recursion where Python has touched its nodes: about
200 bytes of native stack a node. Untouched nodes are freed by a loop.
"""

import ctypes
import sys
import threading

BYTES_PER_NODE = 400  # twice what was measured
ALWAYS_SAFE = 256  # a depth that every stack holds, so that shallow graphs ask no further
SMALLEST = 512 * 1024  # what a thread has where nothing can be asked
MOST = 1 << 30


def safe_depth() -> int:
    """Return how many nodes in a row may be touched in this thread.

    Example:
        >>> safe_depth() >= ALWAYS_SAFE
        True
    """
    return max(ALWAYS_SAFE, stack_size() // BYTES_PER_NODE)


def stack_size() -> int:
    """Return the size of this thread's native stack in bytes, or a careful guess."""
    try:
        size = _asked()
    except (AttributeError, OSError):
        size = threading.stack_size() or SMALLEST
    return min(size, MOST)


def _asked() -> int:
    """Ask the system's thread library; it alone knows about threads but the first."""
    if sys.platform == "linux" and threading.current_thread() is threading.main_thread():
        import resource  # Windows has none

        soft, _ = resource.getrlimit(resource.RLIMIT_STACK)
        return MOST if soft == resource.RLIM_INFINITY else soft
    library = ctypes.CDLL(None)
    if sys.platform == "darwin":
        library.pthread_self.restype = ctypes.c_void_p
        library.pthread_get_stacksize_np.restype = ctypes.c_size_t
        return library.pthread_get_stacksize_np(ctypes.c_void_p(library.pthread_self()))
    attributes = ctypes.create_string_buffer(256)  # a pthread_attr_t has 56 bytes
    address, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.pthread_self.restype = ctypes.c_void_p
    if library.pthread_getattr_np(ctypes.c_void_p(library.pthread_self()), attributes):
        raise OSError  # so that stack_size() guesses
    try:
        library.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
    finally:
        library.pthread_attr_destroy(attributes)
    return size.value
