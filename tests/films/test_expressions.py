from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid.errors import UsageError
from lucid.films.expressions import Expression

NT = frozenset("nt")


@pytest.mark.parametrize(
    "text",
    [
        "15*sin(n/20)",
        "n % 7 - 3 if n > 5 else -(t // 2)",
        "max(abs(n - 10), sqrt(t)) ** 1.5",
        "-n + +t * (n == 3) + pi",
        "round(exp(-n / 10) * cos(t)) + floor(n / 3) + ceil(t / 2)",
    ],
)
def test_an_expression_has_the_value_that_python_gives_it(text: str) -> None:
    known = {name: getattr(math, name) for name in ("sin", "cos", "sqrt", "exp", "floor", "ceil")}
    known |= {"pi": math.pi, "abs": abs, "max": max, "round": round}
    found = Expression(text, NT)(n=np.arange(20.0), t=6)
    expected = [eval(text, dict(known), {"n": float(n), "t": 6.0}) for n in range(20)]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 +",
        "x",
        "__import__('os')",
        "n.__class__",
        "n[0]",
        "(lambda: 1)()",
        "[n for n in t]",
        "sin",
        "sin(1, n)",
        "min(n)",
        "sin(x=1)",
        "'a' * 9",
        "True",
        "1j",
        "n; t",
        "n := 3",
        "open('x')",
        "1" * 501,
        "(" * 200 + ")" * 200,
        "f'{n}'",
    ],
)
def test_what_is_not_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Expression(text, NT)


def test_a_value_that_is_not_finite_is_refused() -> None:
    half = Expression("1 / (t - 5)", NT)
    assert half(t=7) == 0.5
    with pytest.raises(UsageError, match="finite"):
        half(t=5)
    with pytest.raises(UsageError, match="finite"):
        Expression("9 ** 9 ** 9 ** 9", NT)(t=1)


@given(st.text(max_size=40) | st.text("nt0123456789.+-*/%()<>=, absinmxelf", max_size=40))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        value = Expression(text, NT)(n=np.arange(3.0), t=1)
    except UsageError:
        return
    assert value.dtype == np.float64
    assert value.shape in ((), (3,))
