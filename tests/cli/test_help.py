"""Help texts: sections, words, and what a terminal and a pipe are shown."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from conftest import LUCID

from lucid.cli import main
from lucid.cli.help import TOPICS
from lucid.cli.sections import SectionedCommand


def help_of(*words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--help"])
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", ["draw", "film", "nightmare"])
def test_every_option_stands_in_one_section(name: str) -> None:
    command = main.commands[name]
    assert isinstance(command, SectionedCommand)
    listed = [each for names in command.sections.values() for each in names]
    options = {each.name for each in command.params if isinstance(each, click.Option)}
    assert options <= set(listed)
    known = {each for each in listed if listed.count(each) == 1}
    assert options <= known, "an option stands in two sections"
    text = help_of(name)
    for title in command.sections:
        assert f"\n{title}:\n" in text
    assert "Other options" in text  # --help


def test_every_command_stands_in_one_section_with_its_whole_description() -> None:
    text = help_of()
    sections = main.sections
    assert sorted(each for names in sections.values() for each in names) == sorted(main.commands)
    listed = text.split("Make pictures:")[1]
    assert listed.index("draw") < listed.index("film ") < listed.index("nightmare ")
    assert "..." not in listed


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("words", [["--help"], ["draw", "--help"], ["models", "--help"]])
def test_a_terminal_is_shown_boxes_and_a_pipe_is_not(words: list[str]) -> None:
    import pty

    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    process = subprocess.Popen([*LUCID, *words], stdout=follower, env=environment)
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:  # Linux says so at the end
        pass
    finally:
        os.close(leader)
    assert process.wait(timeout=60) == 0
    assert "╭─" in shown.decode()
    piped = help_of(*words[:-1])
    assert "╭─" not in piped
    assert "\x1b" not in piped


@pytest.mark.parametrize("word", [*TOPICS, "octaves", "TILES", "--tv"])
def test_words_are_explained(word: str) -> None:
    result = CliRunner().invoke(main, ["help", "--", word])
    assert result.exit_code == 0
    topic = word.lower().removeprefix("--")
    assert result.output.startswith((f"{topic}:", f"{topic.removesuffix('s')}:"))
    assert max(map(len, result.output.splitlines())) <= 80


def test_help_knows_commands_and_says_what_it_does_not_know() -> None:
    assert CliRunner().invoke(main, ["help", "draw"]).output == help_of("draw")
    assert "octave" in CliRunner().invoke(main, ["help"]).output
    unknown = CliRunner().invoke(main, ["help", "octve"])
    assert unknown.exit_code == 2
    assert "does not know 'octve'; the nearest are octave" in unknown.output


def test_ranges_are_readable() -> None:
    text = " ".join(help_of("draw").split())
    assert "2147483647" not in text
    assert "[1 or more]" in text
    assert "0 to 100" in text
