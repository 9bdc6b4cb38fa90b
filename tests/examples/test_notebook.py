"""The notebook in examples/ runs from top to bottom, and holds its pictures."""

from __future__ import annotations

import base64
import copy
import io
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

NOTEBOOK = Path(__file__).parents[2] / "examples" / "lucid_dreams.ipynb"


@pytest.fixture(scope="module")
def kept() -> NotebookNode:
    """The notebook as committed."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(cell: NotebookNode) -> list[tuple[str | None, tuple[int, int], int]]:
    """Format, (width, height) and number of frames of each picture in a cell's output."""
    found = []
    for output in cell.outputs:
        for kind, content in output.get("data", {}).items():
            if kind.startswith("image/"):
                with Image.open(io.BytesIO(base64.b64decode(content))) as image:
                    image.load()
                    found.append((image.format, image.size, getattr(image, "n_frames", 1)))
    return found


def texts(cell: NotebookNode, stream: str) -> str:
    outputs = (each for each in cell.outputs if each.output_type == "stream")
    return "".join(each.text for each in outputs if each.name == stream)


FEWER = re.compile(r"(iterations=|every=|--iters |iters = )(\d+)")
"""Numbers of passes, which the test divides by twelve."""

Outputs = dict[str, tuple[list[tuple[str | None, tuple[int, int], int]], bool]]


def shown(notebook: NotebookNode) -> Outputs:
    """The pictures of each cell, and whether the cell prints anything."""
    return {cell.id: (pictures(cell), bool(texts(cell, "stdout"))) for cell in code(notebook)}


@pytest.mark.slow
def test_it_runs_and_shows_what_is_kept(
    kept: NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, desk = tmp_path / "folder", tmp_path / "desk"
    folder.mkdir()
    desk.mkdir()
    settings = {
        "https_proxy": "http://127.0.0.1:9",  # where nobody listens
        "LUCID_CACHE": str(tmp_path / "none"),
        "TORCH_HOME": str(tmp_path / "none"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "TMPDIR": str(desk),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    notebook = copy.deepcopy(kept)
    for cell in code(notebook):
        cell.outputs, cell.execution_count = [], None
        cell.source = FEWER.sub(
            lambda found: found[1] + str(max(1, int(found[2]) // 12)), cell.source
        )
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    assert shown(notebook) == shown(kept)
    said = "".join(texts(cell, "stderr") for cell in code(notebook)).splitlines()
    assert all(line.startswith("painting ") for line in said), said
    assert [*folder.iterdir(), *desk.glob("tmp*")] == [], "what it writes, it takes away"


def test_its_pictures_are_kept_in_it(kept: NotebookNode) -> None:
    cells = code(kept)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    seen = [picture for cell in cells for picture in pictures(cell)]
    assert len(seen) >= 14
    assert [frames for kind, _, frames in seen if kind == "GIF"] == [10]
    assert NOTEBOOK.stat().st_size < 2_000_000


def test_nothing_of_a_machine_is_kept_in_it(kept: NotebookNode) -> None:
    assert set(kept.metadata) == {"kernelspec", "language_info"}
    assert all(cell.metadata == {} for cell in kept.cells)
    outputs = [output for cell in code(kept) for output in cell.outputs]
    said = [
        text
        for output in outputs
        for text in (output.get("text", ""), output.get("data", {}).get("text/plain", ""))
    ]
    assert not re.search(r"Traceback|Warning|(?<![\w./:])/\w+/|[A-Z]:\\", "\n".join(said))
    assert all(output.output_type != "error" for output in outputs)
    assert all(output.get("name") != "stderr" for output in outputs)


def test_a_sentence_stands_before_every_cell(kept: NotebookNode) -> None:
    kinds = [cell.cell_type for cell in kept.cells]
    before = [kinds[number - 1] for number, kind in enumerate(kinds) if kind == "code"]
    assert before == ["markdown"] * len(before)
