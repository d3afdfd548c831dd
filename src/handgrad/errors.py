"""Every error handgrad raises. Each says what was seen, why, and what to type."""


class HandgradError(Exception):
    """Base of all errors of this package."""


class NoGraphError(HandgradError, ValueError):
    """The tensor has no recorded history to read."""


class FreedGraphError(HandgradError, RuntimeError):
    """A backward pass has freed what the graph had saved."""


class MutatedGraphError(HandgradError, RuntimeError):
    """A tensor that the graph had saved was changed in place."""


class GraphTooLargeError(HandgradError, ValueError):
    """The graph is too deep to be walked safely, or too large to be drawn."""


class NotConnectedError(HandgradError, ValueError):
    """No path leads from the output to the tensor asked for."""


class TooManyPathsError(HandgradError, ValueError):
    """There are more paths than may be listed one by one."""


class UnsupportedNodeError(HandgradError, TypeError):
    """A recorded node cannot be asked for its local derivative."""


class NameClashError(HandgradError, ValueError):
    """One name was given to two things, or a name to nothing."""


class ShapeMismatchError(HandgradError, ValueError):
    """Two shapes must be equal and are not; nothing is broadcast silently."""


class InputError(HandgradError, ValueError):
    """A number, name or setting is outside what the function accepts."""


class KindError(HandgradError, TypeError):
    """A value is of the wrong kind, such as integers where slopes are asked for."""


class NoWitnessError(HandgradError, ValueError):
    """A witness may not be used here: it could not see what it is asked about."""


class WitnessError(HandgradError, AssertionError):
    """Witnesses that should agree do not, or the other way round."""


class VersionError(HandgradError, ImportError):
    """This torch lacks a private name that handgrad reads graphs with."""
