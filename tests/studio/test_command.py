"""``lucid studio`` as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import LUCID

from lucid.cli import main

pytestmark = pytest.mark.slow

Start = Callable[..., "subprocess.Popen[str]"]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "LUCID_CACHE": str(folder / "cache"), "TMPDIR": str(folder)}


def test_it_serves_until_it_is_stopped(start: Start, tmp_path: Path) -> None:
    command = [*LUCID, "studio", "--no-open", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(command, env=environment(tmp_path), **pipes)
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("lucid studio: http://127.0.0.1:")
    with urllib.request.urlopen(line.split()[-1].split("#")[0]) as answer:
        assert b"lucid <b>studio</b>" in answer.read()
    assert list(tmp_path.glob("lucid-studio-*"))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert not list(tmp_path.glob("lucid-studio-*"))
    assert process.stderr
    assert "Traceback" not in process.stderr.read()


def test_the_network_is_told_of_what_it_opens(start: Start, tmp_path: Path) -> None:
    command = [*LUCID, "studio", "--no-open", "--lan", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(command, env=environment(tmp_path), encoding="utf-8", **pipes)
    assert process.stderr
    said = process.stderr.readline()
    assert "Whoever is in your network" in said
    assert "not encrypted" in said
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    assert process.stdout
    shown = process.stdout.read()
    assert shown.startswith("lucid studio: http://")
    assert "█" in shown or "▄" in shown  # the QR code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--net", "nosuch"], "nosuch"),
        (["nix.jpg"], "nix.jpg: cannot be read"),
        (["--port", "70000"], "--port"),
        (["--resume"], "holds no picture to resume"),
    ],
)
def test_mistakes(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUCID_CACHE", str(tmp_path))
    port = [] if "--port" in words else ["--port", "0"]
    result = CliRunner().invoke(main, ["studio", "--no-open", *port, *words])
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert "Traceback" not in result.output


def test_what_it_needs_is_named() -> None:
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from lucid.cli import main; main(['studio', '--no-open'])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "the studio needs starlette: pip install 'lucid-nightmare[studio]'" in result.stderr
