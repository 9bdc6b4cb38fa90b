"""Arithmetic that a user types, evaluated from its syntax tree: no code of a user's ever runs."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lucid.errors import UsageError

Values = np.ndarray[Any, np.dtype[np.float64]]

CONSTANTS = {"pi": np.float64(math.pi), "e": np.float64(math.e)}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sqrt", "exp", "log", "sign")},
    **{name: getattr(np, name) for name in ("floor", "ceil", "round", "abs")},
    "min": np.minimum,
    "max": np.maximum,
}
_OPERATORS: dict[type[ast.operator | ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
MAX_LENGTH = 500  # characters of an expression


@dataclass(frozen=True)
class Expression:
    """Arithmetic in the variables, such as ``15 * sin(n / 20)``.

    Only Python's arithmetic operators, comparisons, ``a if b else c``, ``CONSTANTS`` and
    ``FUNCTIONS`` are allowed.
    """

    text: str
    variables: frozenset[str]

    def __post_init__(self) -> None:
        self()  # refuse bad syntax before any frame is drawn

    def __call__(self, **values: Values | float) -> Values:
        """Evaluate the expression, for values that broadcast together, to float64.

        Raise a UsageError if it is not arithmetic or not finite. No values: check the syntax alone.
        """
        variables = {name: np.asarray(values.get(name, 1.0), np.float64) for name in self.variables}
        if len(self.text) > MAX_LENGTH:
            raise self._error(f"is longer than {MAX_LENGTH} characters")
        try:
            tree = ast.parse(self.text.strip(), mode="eval").body
            with np.errstate(all="ignore"):
                value = np.asarray(self._evaluate(tree, variables), np.float64)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            raise self._error("is not arithmetic") from error
        if values and not np.isfinite(value).all():
            raise self._error("is not a finite number everywhere")
        return value

    def _evaluate(self, node: ast.expr, variables: dict[str, Values]) -> Any:  # noqa: PLR0911
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return np.float64(number)
            case ast.Name(id=name) if name in variables or name in CONSTANTS:
                return variables[name] if name in variables else CONSTANTS[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._evaluate(operand, variables)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._evaluate(operand, variables)
            case (
                ast.BinOp(left=left, op=op, right=right)
                | ast.Compare(left=left, ops=[op], comparators=[right])
            ) if type(op) in _OPERATORS:
                operands = (self._evaluate(each, variables) for each in (left, right))
                return np.float64(1) * _OPERATORS[type(op)](*operands)
            case ast.IfExp(test=test, body=body, orelse=other):
                return np.where(*(self._evaluate(part, variables) for part in (test, body, other)))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                # A NumPy function would write its result into one argument too many.
                if len(args) != (2 if name in ("min", "max") else 1):
                    raise self._error(f"gives {name} too many or too few numbers")
                return FUNCTIONS[name](*(self._evaluate(each, variables) for each in args))
        raise self._error(
            f"holds {ast.unparse(node)!r}, and may hold only arithmetic in "
            f"{', '.join(sorted(self.variables))}, {', '.join([*CONSTANTS, *FUNCTIONS])}"
        )

    def _error(self, reason: str) -> UsageError:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "…"
        return UsageError(f"{shown!r} {reason}")
