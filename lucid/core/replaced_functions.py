"""Contexts in which torch calls other functions than those that a net asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch.overrides import TorchFunctionMode


class ReplacedFunctions(TorchFunctionMode):
    """A context in which some functions of torch are replaced.

    Attributes:
        replacements: what is called, with the same arguments, in the place of each function.
    """

    replacements: ClassVar[Mapping[Callable[..., Any], Callable[..., Any]]]

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: object,
        arguments: tuple[Any, ...] = (),
        options: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, or what takes its place."""
        return self.replacements.get(function, function)(*arguments, **(options or {}))
