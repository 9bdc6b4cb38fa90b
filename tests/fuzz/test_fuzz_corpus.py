"""Every input that a fuzzer found, and every seed, is met as it should be."""

from __future__ import annotations

from pathlib import Path

import fuzz_targets
import pytest

FOUND = sorted((Path(__file__).parent / "corpus").glob("*/*"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name[:16]}")
def test_what_was_found_once(path: Path) -> None:
    fuzz_targets.run(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", fuzz_targets.TARGETS)
def test_right_inputs_are_understood(name: str) -> None:
    seeds = fuzz_targets.seeds(name)
    assert seeds
    understood = 0
    for seed in seeds:
        try:
            fuzz_targets.TARGETS[name](seed)
            understood += 1
        except fuzz_targets.EXPECTED:
            continue
    assert understood, "else the fuzzer would begin nowhere"


@pytest.mark.slow
@pytest.mark.parametrize("name", fuzz_targets.TARGETS)
def test_cut_and_changed_inputs_are_met(name: str) -> None:
    for seed in fuzz_targets.seeds(name):
        for end in range(0, len(seed), max(1, len(seed) // 20)):
            fuzz_targets.run(name, seed[:end])
            fuzz_targets.run(name, seed[:end] + b"\xff" + seed[end + 1 :])
