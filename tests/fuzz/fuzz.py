"""Fuzz what lucid reads, guided by coverage: `make fuzz`.

    python tests/fuzz/fuzz.py                          every target, for a million executions
    python tests/fuzz/fuzz.py cfg warps -runs=10000    two of them, with libFuzzer's options

Each target runs in a process of its own. An exception that no user should see, an input of more
than 5 seconds, or more than a GiB of memory ends it, and the input is kept in tests/fuzz/corpus,
where the tests try it from then on.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"

RUNS = {"pictures": 500_000, "state_dicts": 100_000, "nets": 100_000, "weights": 100_000}
RUNS["key_frames"] = 20_000  # each looks up classes of many nets: thirty a second
"""Executions of targets that are slower than parsers; those of the rest are ``USUAL_RUNS``."""

USUAL_RUNS = 1_000_000


def fuzz_one(name: str, options: list[str]) -> None:
    """Fuzz a target in this process, which ends with that."""
    import atheris

    with atheris.instrument_imports(include=["lucid"]):
        import fuzz_targets

    # Most of what lucid reads was imported before that: its functions are instrumented here.
    folder = Path(tempfile.mkdtemp())
    for number, seed in enumerate(fuzz_targets.seeds(name)):
        (folder / f"seed{number}").write_bytes(seed)
    known = CORPUS / name
    folders = [str(folder), *([str(known)] if known.is_dir() else [])]
    atheris.Setup(
        [sys.argv[0], *folders, *options], lambda data: fuzz_targets.run(name, bytes(data))
    )
    atheris.Fuzz()


def main() -> None:
    """Fuzz the targets that are named, or all."""
    from fuzz_targets import TARGETS

    words = sys.argv[1:]
    options = [word for word in words if word.startswith("-")]
    names = [word for word in words if not word.startswith("-")] or list(TARGETS)
    failed = []
    for name in names:
        kept = CORPUS / name
        kept.mkdir(parents=True, exist_ok=True)
        limits = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=4096", "-print_final_stats=1"]
        runs = f"-runs={RUNS.get(name, USUAL_RUNS)}"
        command = [sys.executable, __file__, "--one", name, *limits, runs]
        command += [f"-artifact_prefix={kept}/", *options]
        print(f"== {name}", flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
        if not any(kept.iterdir()):
            kept.rmdir()
    print(f"failed: {', '.join(failed)}" if failed else f"{len(names)} targets, no finding")
    sys.exit(bool(failed))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    if sys.argv[1:2] == ["--one"]:
        fuzz_one(sys.argv[2], sys.argv[3:])
    else:
        main()
