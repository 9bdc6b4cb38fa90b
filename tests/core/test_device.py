from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

STEPS = """
import resource
import torch
from lucid.core import device

device.tune_malloc()

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
