"""The one kind of error that lucid shows its users, and words for their messages."""

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


class LucidError(Exception):
    """Something the user can put right, said in one line.

    The message names the file or option, what is wrong with it and what would
    work. The command line prints it after ``Error:`` and exits with
    ``exit_code``.
    """

    exit_code = 1


class UsageError(LucidError):
    """A setting that cannot mean anything: the same as a mistyped option."""

    exit_code = 2


def nearest(name: str, known: Sequence[str]) -> str:
    """``; the nearest are …`` for the middle of a message, or nothing."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=5, cutoff=0.5)
    return f"; the nearest are {', '.join(folded[match] for match in close)}" if close else ""


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch ran out of memory: a GPU's, or the CPU's, which has no error of its own."""
    import torch  # `lucid --help` comes through here

    return isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in str(error)
