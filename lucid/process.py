"""Settings of the whole process that speed torch up on a CPU; the library never applies them."""

from __future__ import annotations

import logging
import os
import sys

log = logging.getLogger("lucid")

SPIN_COUNT = "1000"
"""Rounds that a thread of GNU OpenMP waits before it sleeps.

By default a thread spins for milliseconds. On a busy machine the thread that is waited for
then queues behind those that spin: a drawing of 8 seconds took up to 160 (docs/benchmarks.md).
"""


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
