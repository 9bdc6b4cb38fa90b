"""The CSV file of ``lucid draw --log``."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lucid.cli.files import refuse_overwrite, reserve_output
from lucid.drawing.measurements import measure
from lucid.drawing.plan import Plan
from lucid.drawing.progress import Progress
from lucid.imaging.files import atomic_write


@dataclass
class PassLog:
    """A CSV file with a line for each pass; columns that a picture lacks are empty."""

    path: Path
    lines: list[dict[str, object]] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path, force: bool) -> Iterator[PassLog]:
        """Refuse a file that exists; write what was added, also after an error or Ctrl-C."""
        refuse_overwrite([path], force)
        reserve_output(path)
        log = cls(path)
        try:
            yield log
        finally:
            columns = list(dict.fromkeys(name for line in log.lines for name in line))
            with (
                atomic_write(path, replace=force) as part,
                part.open("w", newline="", encoding="utf-8") as file,
            ):
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(log.lines)

    def add(self, plan: Plan, progress: Progress, number: int) -> None:
        """Add a line for a pass."""
        height, width = progress.octave
        line: dict[str, object] = {"seed": plan.seed, "octave": f"{width}x{height}"}
        line |= {"pass": number, "done": f"{progress.done / progress.total:.4f}"}
        for name, value in measure(plan, progress).items():
            line[name] = f"{value:.6g}"
        self.lines.append(line)
