"""Painting in a process that was forked from one that painted.

The threads of OpenMP, with which torch computes on a CPU, do not exist in a forked process, which
would wait for them for ever. With one thread, torch waits for no other.
"""

from __future__ import annotations

import logging
import os

import torch

log = logging.getLogger("lucid")


class _Process:
    painted = False
    forked = False


def check() -> None:
    """Note that this process paints; use one thread if it was forked from one that had painted."""
    if _Process.forked:
        _Process.forked = False
        torch.set_num_threads(1)
        log.warning(
            "this process was forked from one that had painted: it paints with one thread, where "
            "a process that is started (multiprocessing's spawn) uses all"
        )
    _Process.painted = True


def _note_fork() -> None:
    _Process.forked, _Process.painted = _Process.painted, False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
