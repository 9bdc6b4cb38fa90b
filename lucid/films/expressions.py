"""Arithmetic that a user types, worked out without running any code of theirs."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lucid.errors import UsageError

Values = np.ndarray[Any, np.dtype[np.float64]]

CONSTANTS = {"pi": np.pi, "e": np.e}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sqrt", "exp", "log", "sign")},
    **{name: getattr(np, name) for name in ("floor", "ceil", "round", "abs")},
    "min": np.minimum,
    "max": np.maximum,
}
_TWO_OPERANDS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
LONGEST = 500


@dataclass(frozen=True)
class Expression:
    """Arithmetic in some variables, such as ``15 * sin(n / 20)``.

    Python's own operators and comparisons, ``a if b else c``, ``CONSTANTS`` and
    ``FUNCTIONS``; nothing else.

    Attributes:
        text: as it was typed.
        variables: the names that may stand in it.
    """

    text: str
    variables: frozenset[str]

    def __post_init__(self) -> None:
        self()  # what is wrong is said now

    def __call__(self, **values: Values | float) -> Values:
        """Its value, of the shape that the variables' values have together.

        Raises:
            UsageError: it is no arithmetic, or its value is not finite.
        """
        known = {name: np.asarray(1.0) for name in self.variables} | values
        if len(self.text) > LONGEST:
            raise self._wrong(f"is longer than {LONGEST} characters")
        try:
            tree = ast.parse(self.text.strip(), mode="eval").body
            with np.errstate(all="ignore"):
                value = np.asarray(self._value(tree, known), np.float64)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            raise self._wrong("is not arithmetic") from error
        if values and not np.isfinite(value).all():
            raise self._wrong("is not a finite number everywhere")
        return value

    def _value(self, node: ast.expr, known: dict[str, Any]) -> Any:  # noqa: PLR0911
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return np.float64(number)
            case ast.Name(id=name) if name in known or name in CONSTANTS:
                return known[name] if name in known else CONSTANTS[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand, known)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._value(operand, known)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _TWO_OPERANDS:
                return _TWO_OPERANDS[type(op)](self._value(left, known), self._value(right, known))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
                holds = _COMPARISONS[type(op)]
                return 1.0 * holds(self._value(left, known), self._value(right, known))
            case ast.IfExp(test=test, body=body, orelse=other):
                parts = (self._value(part, known) for part in (test, body, other))
                return np.where(*parts)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                # NumPy would write into a number too many.
                if len(args) != (2 if name in ("min", "max") else 1):
                    raise self._wrong(f"gives {name} too many or too few numbers")
                return FUNCTIONS[name](*(self._value(each, known) for each in args))
        part = ast.unparse(node)
        raise self._wrong(
            f"holds {part!r}, and may hold only arithmetic in "
            f"{', '.join(sorted(self.variables))}, {', '.join([*CONSTANTS, *FUNCTIONS])}"
        )

    def _wrong(self, why: str) -> UsageError:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "…"
        return UsageError(f"{shown!r} {why}")
