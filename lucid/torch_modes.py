"""Torch's global modes, as painting needs them, whatever the caller has set."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import torch

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@contextlib.contextmanager
def painting_modes() -> Iterator[None]:
    """Compute gradients, in single precision, for a ``with`` statement.

    The caller may be within ``torch.no_grad()`` or ``torch.inference_mode()``, or have set double
    precision as the default.
    """
    before = torch.get_default_dtype()
    if before != torch.float32:
        torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        if before != torch.float32:
            torch.set_default_dtype(before)


def in_painting_modes(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a function, or a generator from each item to the next, in ``painting_modes``."""

    @functools.wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with painting_modes():
            return function(*args, **kwargs)

    @functools.wraps(function)
    def generate(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Iterator[object]:
        items = function(*args, **kwargs)
        assert inspect.isgenerator(items)
        with contextlib.closing(items):
            while True:
                with painting_modes():
                    try:
                        item = next(items)
                    except StopIteration:
                        return
                yield item

    return generate if inspect.isgeneratorfunction(function) else run  # type: ignore[return-value]
