"""Reports of `lucid bench`, of this version and of version 0.1."""

from __future__ import annotations

from dataclasses import asdict

from lucid.bench import Report, Row


def test_regressions_are_found_in_reports_of_version_0_1() -> None:
    """Its rows call the baseline `floor`, and its reports the platform `machine`."""
    row = Row("draw", "tiny", "48x48", "fp32", 1.0, 1.5, 1.5, 1, 1.0, 1)
    report = Report("cpu", "Linux", 1, "2", [row])
    assert report.regressions(asdict(report)) == []
    keys = {"task": "draw", "net": "tiny", "size": "48x48", "precision": "fp32"}
    rows = [{**keys, "floor": 1.0, "step": 1.3, "ratio": 1.3}, {**keys, "net": "x", "ratio": 0.1}]
    assert report.regressions({"machine": "Linux", "rows": rows}) == [(row, 1.3)]
