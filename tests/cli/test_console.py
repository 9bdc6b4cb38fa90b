"""How long a command says that its work will take, and whether it asks."""

from __future__ import annotations

import time
from typing import Any

import click
import pytest
from click.testing import CliRunner

from lucid.cli.console import ProgressBar, echo, format_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(700, "12 min"), (3600, "1 h 00 min"), (7500, "2 h 05 min"), (10**7, "115 days")],
)
def test_times_are_short(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


def progress(steps: int, seconds: float, answer: str, **options: Any) -> tuple[str, bool]:
    """What is printed while two of so many steps take so many seconds; whether work went on."""

    @click.command()
    def command() -> None:
        with click.progressbar(length=steps, hidden=True) as bar:
            timed = ProgressBar(bar, **{"quiet": False, "ask": True, **options})
            timed._begin = time.monotonic() - seconds
            timed.update(1)
            timed.update(1)
        click.echo("whole")

    result = CliRunner().invoke(command, input=answer, standalone_mode=False)
    assert result.exception is None or isinstance(
        result.exception, (KeyboardInterrupt, click.Abort)
    )
    return result.output, "whole" in result.output


def test_work_of_more_than_an_hour_asks() -> None:
    said, whole = progress(1000, 20, "n\n")
    assert "about 5 h 33 min to go" in said
    assert "Go on?" in said
    assert not whole
    said, whole = progress(1000, 20, "y\n")
    assert whole
    assert said.count("to go") == 1
    assert progress(1000, 20, "", ask=False)[1]
    assert "to go" not in progress(1000, 20, "", ask=False, quiet=True)[0]


def test_work_of_less_does_not() -> None:
    said, whole = progress(50, 20, "")
    assert "about 16 min to go" in said
    assert "Go on?" not in said
    assert whole
    assert progress(1000, 1, "") == ("whole\n", True), "it is too early to tell"
    assert progress(10, 20, "") == ("whole\n", True), "it is not worth saying"


def test_what_is_printed_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    echo("a\x1b[31m\nb\udcff\u202e")
    assert capsys.readouterr().out == "a\\x1b[31m\\nb\\udcff\\u202e\n"
