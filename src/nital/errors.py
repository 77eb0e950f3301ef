"""One exception tree: everything that Nital raises on purpose derives from :class:`NitalError`.

A message is one sentence that names the file or option and says what to do about it.
"""

from __future__ import annotations


class NitalError(Exception):
    """Base of all errors that Nital raises on purpose."""


class InputError(NitalError, ValueError):
    """An input file or array cannot be used; the message names it and the remedy."""


class UsageError(NitalError, ValueError):
    """An option or argument is wrong; the message names it and the allowed values."""


class OutputError(NitalError, OSError):
    """A result cannot be written; nothing half-written is left behind."""


class ModelError(NitalError, RuntimeError):
    """A model file is missing, damaged or of another kind than asked for."""


class MissingExtraError(NitalError, ImportError):
    """An optional dependency is not installed; the message gives the install line."""
