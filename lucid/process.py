"""Settings of the whole process, which the command line applies and the library never does."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import threading
import warnings
from types import FrameType

log = logging.getLogger("lucid")

SPIN_COUNT = "1000"
"""Rounds that a thread of GNU OpenMP waits before it sleeps.

By default a thread spins for milliseconds. On a busy machine the thread that is waited for
then queues behind those that spin: a drawing of 8 seconds took up to 160 (docs/benchmarks.md).
"""


def exit_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the program as an exception does, so that it tidies up.

    A signal that is ignored, as under ``nohup``, or has a handler already keeps that.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, leave)


def quiet_output() -> None:
    """Print no warnings of other packages, and escape what the terminal's encoding lacks.

    Python's option ``-W`` shows the warnings.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def tune_process() -> None:
    """Let torch's threads sleep soon while they wait, and let malloc keep freed memory.

    Call this before torch is imported: OpenMP reads its variables only once. What you have set
    yourself stays as it is: ``GOMP_SPINCOUNT`` and ``OMP_WAIT_POLICY`` for the threads,
    ``MALLOC_*`` and ``GLIBC_TUNABLES`` for malloc. The command line calls this function.
    """
    if not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
        if "torch" in sys.modules:
            log.warning(
                "tune_process() must be called before torch is imported: threads still spin"
            )
    _tune_malloc()


def _tune_malloc() -> None:
    """Let malloc keep up to 2 GiB of freed memory for the next step.

    Every step needs blocks of the same size as the one before. Between steps glibc returns
    them to the system, which hands them out again page by page, filled with zeros: a fifth
    of a step on the CPU. Without glibc, or with malloc's own variables set, nothing is done.
    """
    import ctypes

    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return
    # As malloc.h has them: M_MMAP_MAX, M_TRIM_THRESHOLD.
    mallopt(-4, 0)
    mallopt(-1, 2**31 - 1)
