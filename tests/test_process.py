"""What `lucid.process` sets for the whole process, each in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

STEPS = """
import resource
from lucid.process import tune_process

tune_process()
import torch

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    torch.ones(16 << 20)  # 64 MiB, which malloc takes from the system by itself

for _ in range(16):  # until the small blocks beside it have found their places
    step()
before = faults()
step()
print(faults() - before)
"""

OPENMP = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
@pytest.mark.parametrize(("variable", "kept"), [("LANG", True), ("MALLOC_ARENA_MAX", False)])
def test_a_step_finds_the_last_ones_memory(variable: str, kept: bool) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    answer = subprocess.run(
        [sys.executable, "-c", STEPS],
        env=own | {variable: "4"},
        capture_output=True,
        text=True,
        check=True,
    )
    pages = (64 << 20) // os.sysconf("SC_PAGE_SIZE")
    assert (int(answer.stdout) < pages / 10) is kept


@pytest.mark.parametrize(
    ("variable", "value", "spins"),
    [("LANG", "C", "1000"), ("GOMP_SPINCOUNT", "7", "7"), ("OMP_WAIT_POLICY", "active", None)],
)
def test_threads_spin_little_unless_the_user_says_how(
    variable: str, value: str, spins: str | None
) -> None:
    """The command line sees to it before torch is imported, the library never."""
    code = """if True:
        import os, sys, lucid
        print(os.environ.get('GOMP_SPINCOUNT'))
        from lucid.cli import main
        main(['show'], standalone_mode=False)
        print(os.environ.get('GOMP_SPINCOUNT'), 'torch' in sys.modules)
    """
    environment = {key: each for key, each in os.environ.items() if key not in OPENMP}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {variable: value},
        capture_output=True,
        text=True,
        check=True,
    )
    before = value if variable == "GOMP_SPINCOUNT" else None
    assert answer.stdout.splitlines() == [str(before), f"{spins} False"]


@pytest.mark.slow
def test_a_process_is_tuned_too_late() -> None:
    """Where torch is there already, lucid says that it has no effect."""
    for first, said in (("torch", 1), ("lucid", 0)):
        code = f"import {first}, lucid.process; lucid.process.tune_process()"
        environment = {key: each for key, each in os.environ.items() if key not in OPENMP}
        answer = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stderr.count("before torch is imported") == said
