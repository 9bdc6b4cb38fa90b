"""The exceptions that lucid raises for its users, and helpers for their messages."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import lucid

if getattr(lucid, "__distribution__", None) != "lucid-nightmare":
    raise ImportError(
        f"{lucid.__file__} is not lucid-nightmare's: tensorflow/lucid, which pip calls lucid, has "
        "the same import name. Install the two in separate environments; in this one, "
        "`pip install --force-reinstall --no-deps lucid-nightmare` brings this one back"
    )

LARGEST = 1e6
"""The largest number, of either sign, that a setting may have: its square fits single precision."""


class LucidError(Exception):
    """An error that the user can correct.

    The message is one printable line that names the file or option, says what is wrong with it and
    what would work. The command line prints it after ``Error:`` and exits with ``exit_code``.
    """

    exit_code = 1

    def __str__(self) -> str:
        return printable(super().__str__())


class UsageError(LucidError):
    """A setting with no valid meaning; the exit status is the same as for a mistyped option."""

    exit_code = 2


class Stop(Exception):  # noqa: N818, as StopIteration
    """Raised by a ``watch`` function to stop the work: what there is so far is the result."""


def tell(watch: object, *progress: object) -> None:
    """Call a ``watch`` function with how far the work has come; None is none.

    Raises:
        Stop: the function returned False, or raised that itself.
        UsageError: it is no function.
    """
    if watch is None:
        return
    if not callable(watch):
        raise UsageError(f"watch={watch!r} must be a function, which is called after each pass")
    if watch(*progress) is False:
        raise Stop


def printable(text: str) -> str:
    r"""Escape what a terminal would obey or cannot show: control characters and broken text.

    Everything that comes from outside - file names, names of classes, recipes - is printed so. The
    result is one line.

    >>> print(printable("a\x1b[2Jb\nc"))
    a\x1b[2Jb\nc
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def nearest(name: str, known: Sequence[str]) -> str:
    """Suggest corrections of a mistyped name, ignoring case, to be inserted into an error message.

    This is ``"; the nearest is …"`` or ``"; the nearest are …"`` with at most five of the known
    names, or the empty string.
    """
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=5, cutoff=0.5)
    if len(close) == 1:
        return f"; the nearest is {folded[close[0]]}"
    return f"; the nearest are {', '.join(folded[match] for match in close)}" if close else ""


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether torch raised an error because GPU memory or CPU memory ran out."""
    import torch  # here, because `lucid --help` imports this module

    return isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)
