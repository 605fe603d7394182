"""One tree of errors: whatever a user can cause is a `MaskdesignError`, and its exit code says what kind it is.

Every message is one line that names the thing, its value and the remedy; the command line prints it as it is.
"""

from __future__ import annotations


class MaskdesignError(Exception):
    """Base of every error a user can cause. `exit_code` is what the command line returns."""

    exit_code = 3


class UsageError(MaskdesignError):
    """The command or its configuration is worded wrongly (exit 2)."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration key or value that does not exist or lies outside its range."""


class InputError(MaskdesignError):
    """A file or a folder that cannot be used."""


class ImageError(InputError):
    """A picture that cannot be read, or is larger than the limit."""


class FaceError(InputError):
    """A picture or a scan without exactly one usable face."""


class ScanError(InputError):
    """A scan file that is damaged, lies about its size, or cannot be a face."""


class MeshError(InputError):
    """A mesh that is not a valid surface: indices out of range, values that are not finite, wrong shapes."""


class PatternError(InputError):
    """A mask pattern that cannot be folded."""


class DrapeError(MaskdesignError):
    """A mask that would not settle on the face."""


class RecognizerError(InputError):
    """A recognizer that is missing, damaged, or uses an operator this reader does not know."""


class OutputError(MaskdesignError):
    """A place that cannot be written: read-only, full, or not a folder."""


class KeyFileError(InputError):
    """A key that does not open a photo, or a photo that its key cannot restore."""


class RunError(InputError):
    """A run folder that is missing, unfinished, or belongs to another job."""


class CheckFailedError(MaskdesignError):
    """A check that ran and failed (exit 4)."""

    exit_code = 4
