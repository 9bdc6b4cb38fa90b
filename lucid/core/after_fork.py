"""Let a process paint that was forked from one that had painted.

The threads of OpenMP, with which torch computes on a CPU, do not exist in a forked process, which
would wait for them for ever. With one thread, torch waits for no other.
"""

from __future__ import annotations

import logging
import os

import torch

log = logging.getLogger("lucid")


class Process:
    """This process.

    Attributes:
        painted: whether it has computed a gradient.
    """

    painted = False


def _after_fork() -> None:
    if Process.painted:
        torch.set_num_threads(1)
        log.warning(
            "this process was forked from one that had painted: it paints with one thread, where "
            "a process that is started (multiprocessing's spawn) uses all"
        )


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
