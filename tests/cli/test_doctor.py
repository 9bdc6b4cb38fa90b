from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from lucid import __version__
from lucid.cli.doctor import PACKAGES, VARIABLES, Bytes, doctor
from lucid.core.device import find_precision, precision_name
from lucid.errors import printable


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of lucid's and one of torch's, with something in each."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "vgg-conv.weights").write_bytes(bytes(2_500_000))
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "squeezenet1_1-b8a52dc0.pth").write_bytes(bytes(1_000_000))
    monkeypatch.setenv("LUCID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> str:
    result = CliRunner().invoke(doctor, words)
    assert result.exit_code == 0, result.output
    return result.output


def lines(output: str) -> dict[str, str]:
    """By what comes before two blanks or more."""
    return {
        name: rest.strip() for name, _, rest in (x.partition("  ") for x in output.splitlines())
    }


def test_a_line_for_each_thing(here: Path) -> None:
    output = run()
    said = lines(output)
    assert said["lucid"] == __version__
    assert said["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert said["torch"] == version("torch")
    assert said["Pillow"] == version("pillow")
    assert said["cpu"].startswith(f"threads {torch.get_num_threads()}, auto ")
    assert said["cache"] == f"folder {printable(str(here / 'cache'))}, files 1, size 2.5 MB"
    assert said["torch's cache"].endswith("checkpoints, files 1, size 1.0 MB")
    assert said["weights at hand"] == "lucid1000 lucid64 vgg-conv squeezenet1_1"
    assert said["LUCID_CACHE"] == printable(str(here / "cache"))
    assert "NO_COLOR" not in said
    assert "unknown" not in output
    width = max(map(len, said)) + 2
    assert all(line[width - 2 : width] == "  " != line[width] for line in output.splitlines())


def test_the_same_as_json(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    facts = json.loads(run("--json"))
    assert list(facts) == [*lines(run())]
    assert facts["cache"] == {"folder": str(here / "cache"), "files": 1, "size": 2_500_000}
    assert facts["weights at hand"] == ["lucid1000", "lucid64", "vgg-conv", "squeezenet1_1"]
    assert facts["NO_COLOR"] == "1"
    assert 0 < facts["memory"]["free"] <= facts["memory"]["total"]
    assert facts["disk here"]["free"] > 0


def test_what_a_cpu_takes(here: Path) -> None:
    cpu = json.loads(run("--json"))["cpu"]
    assert cpu["auto"] == precision_name(find_precision("auto", torch.device("cpu")))
    assert cpu["precisions"] == ["fp32", "bf16"]
    assert (cpu["auto"] == "bf16") == (cpu["AMX"] or cpu["AVX512-bf16"])


def test_what_is_not_installed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "Nothing", (("no-such-package", "nor-this"), "tests"))
    monkeypatch.setitem(PACKAGES, "Either", (("no-such-package", "click"), "tests"))
    said = lines(run())
    assert said["Nothing"] == "not installed (for tests)"
    assert said["Either"] == version("click")


def test_a_cache_that_is_not_there_is_empty(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCID_CACHE", str(here / "nowhere"))
    assert (
        lines(run())["cache"] == f"folder {printable(str(here / 'nowhere'))}, files 0, size 0.0 MB"
    )


def test_a_broken_torch_is_found_and_not_fatal(here: Path) -> None:
    (here / "broken" / "torch").mkdir(parents=True)
    (here / "broken" / "torch" / "__init__.py").write_text("raise ImportError('no libcudart\\nso')")
    answer = subprocess.run(
        [sys.executable, "-c", "from lucid.cli.doctor import doctor; doctor()"],
        env={**os.environ, "PYTHONPATH": str(here / "broken")},
        capture_output=True,
        text=True,
        check=True,
    )
    said = lines(answer.stdout)
    assert said["devices"] == "unknown (ImportError: no libcudart so)"
    assert said["weights at hand"].startswith("unknown")
    assert said["torch"] == version("torch")
    assert said["cache"].endswith("size 2.5 MB")
    assert answer.stderr == ""


def test_a_folder_that_is_gone_is_not_fatal(here: Path) -> None:
    (here / "gone").mkdir()
    os.chdir(here / "gone")
    (here / "gone").rmdir()
    assert lines(run())["disk here"].startswith("free unknown (FileNotFoundError")


def test_sizes_are_read_by_people() -> None:
    assert [str(Bytes(size)) for size in (0, 17_016_788, 25_276_510_208)] == [
        "0.0 MB",
        "17.0 MB",
        "25.3 GB",
    ]
