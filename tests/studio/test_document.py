"""The studio's picture without a server, and mistakes that must not come back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw
from studio_client import Client, photo_bytes, png

import lucid
from lucid.cli import main
from lucid.imaging import recipes
from lucid.studio import autosave
from lucid.studio.assets import Assets
from lucid.studio.document import Document
from lucid.studio.server import Studio
from lucid.studio.settings import Settings

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {"size": [48, 48], "octaves": 1, "iters": 12}


@pytest.fixture
def document() -> Iterator[Document]:
    assets = Assets()
    made = Document(lucid.load("lucid64"), Settings(), assets)
    made.change(SMALL)
    yield made
    assets.close()


def mask_of(document: Document, right: int = 20) -> str:
    image = Image.new("L", (48, 48))
    ImageDraw.Draw(image).rectangle((0, 0, right, 47), fill=255)
    name = document.assets.add_mask(png(image))
    assert name
    return name


def upload(document: Document, content: bytes, name: str, **more: Any) -> str:
    import hashlib

    digest = hashlib.sha256(content).hexdigest()
    document.assets.upload(digest, content)
    document.change({"photo": digest, "photo_name": name, "size": [48, 48], **more})
    return digest


def paint(document: Document, rings: int) -> None:
    document.go_on()
    for _ in range(rings):
        document.step()


def redo(document: Document, folder: Path, *words: str) -> Path:
    """Save the picture, make it again in a terminal, and compare."""
    saved, again = folder / "saved.png", folder / "again.png"
    saved.write_bytes(document.png())
    typed = ["redo", str(saved), *words, "-o", str(again), "-q", "--force"]
    result = CliRunner().invoke(main, typed)
    assert result.exit_code == 0, result.output
    with Image.open(saved) as one, Image.open(again) as other:
        assert one.mode == other.mode
        assert np.array_equal(np.asarray(one), np.asarray(other))
    return again


def test_a_picture_of_its_first_rings(document: Document, tmp_path: Path) -> None:
    upload(document, photo_bytes((300, 300)), "photo.png", size=[300, 300], octaves=1)
    (tmp_path / "photo.png").write_bytes(photo_bytes((300, 300)))
    paint(document, 1)
    assert document.climb
    assert document.climb.moment == (0, 1)
    redo(document, tmp_path)


def test_what_was_edited_last(document: Document, tmp_path: Path) -> None:
    paint(document, 5)
    document.erase(mask_of(document))
    redo(document, tmp_path)
    paint(document, 20)
    assert document.climb
    assert document.climb.finished
    document.erase(mask_of(document, 30))
    again = redo(document, tmp_path)
    # A picture that was made again is a picture like any other: it has its masks.
    twice = tmp_path / "twice.png"
    result = CliRunner().invoke(main, ["redo", str(again), "-o", str(twice), "-q"])
    assert result.exit_code == 0, result.output
    assert recipes.read(again).masks
    assert twice.read_bytes() == again.read_bytes()


def test_a_photograph_with_transparency(document: Document, tmp_path: Path) -> None:
    photo = Image.new("RGBA", (60, 60), (200, 100, 50, 255))
    ImageDraw.Draw(photo).rectangle((0, 0, 30, 60), fill=(10, 20, 30, 0))
    upload(document, png(photo), "clear.png")
    (tmp_path / "clear.png").write_bytes(png(photo))
    paint(document, 3)
    again = redo(document, tmp_path)
    with Image.open(again) as image:
        assert image.mode == "RGBA"


def test_a_guide(document: Document, tmp_path: Path) -> None:
    content = photo_bytes((80, 60))
    upload(document, photo_bytes((64, 48)), "photo.png")
    import hashlib

    digest = hashlib.sha256(content).hexdigest()
    document.assets.upload(digest, content)
    document.change({"guide": digest, "guide_layer": "8", "guide_name": "photo.png", "rows": []})
    (tmp_path / "photo.png").write_bytes(photo_bytes((64, 48)))
    (tmp_path / "guide-photo.png").write_bytes(content)
    paint(document, 3)
    document.change({"strength": 0.3})
    document.step()
    assert document.climb
    assert document.climb.plan.strength == 0.3
    redo(document, tmp_path)
    document.recall(recipes.read(tmp_path / "saved.png"))
    assert document.settings.guide == digest
    assert document.settings.guide_layer == "8"
    assert document.settings.rows == ()
    document.change({"rows": [{"id": 1, "kind": "layer", "name": "4"}]})
    with pytest.raises(lucid.UsageError, match="a guide goes with classes"):
        document.go_on()


def test_edits_without_any_row(document: Document) -> None:
    paint(document, 3)
    document.change({"rows": []})
    document.change({"strength": 0.25})
    document.change({"rows": [{"id": 1, "name": "lion"}]})
    assert document.climb
    assert document.climb.plan.strength == 0.25
    assert [words for _, words in document.recipe().options["at"]] == [
        *("strength=0.25", "class=lion", "stop")
    ]


def test_what_was_painted_after_undo_is_kept(document: Document) -> None:
    paint(document, 2)
    document.change({"strength": 2.0})
    document.step()
    document.undo()
    for _ in range(3):
        document.step()
    painted = document.picture().tobytes()
    document.redo()
    labels = [entry.label for entry in document.history.entries]
    assert labels == ["size", "strength", "painted on", "now"]
    document.undo()
    assert document.picture().tobytes() == painted
    with pytest.raises(lucid.UsageError, match="nothing to undo or redo"):
        document.go(document.history.entries[document.history.at].id)


def test_recalled_edits_survive_undo_and_redo(document: Document) -> None:
    paint(document, 2)
    document.change({"strength": 0.5})
    document.step()
    recipe = document.recipe()
    assert document.recall(recipe) == 1
    document.undo()
    document.redo()
    paint(document, 12)
    assert document.climb
    assert document.climb.plan.strength == 0.5
    assert document.settings.strength == 0.5


def test_a_refused_change_leaves_everything(document: Document) -> None:
    paint(document, 2)
    document.change({"strength": 2.0})
    document.undo()
    entries = len(document.history.entries)
    with pytest.raises(lucid.UsageError, match="gryphon"):
        document.change({"rows": [{"id": 1, "name": "gryphon"}]})
    odd = document.assets.add_mask(png(Image.new("L", (40, 10), 255)))
    with pytest.raises(lucid.UsageError, match="another shape"):
        document.erase(odd)
    assert len(document.history.entries) == entries
    assert document.settings.rows[0].name == "goldfish"
    document.redo()
    assert document.settings.strength == 2.0


def test_masks_take_little_memory(document: Document) -> None:
    paint(document, 1)
    for right in range(10, 30):
        rows = [{"id": 1, "name": "lion", "mask": mask_of(document, right)}]
        document.change({"rows": rows}, "stroke")
    assert document.climb
    assert all(edit == {} for _, edit in document.climb.edits)
    name = mask_of(document)
    shape = document.assets.read_mask(name)
    assert shape.untyped_storage().nbytes() == 4 * 48 * 48


def test_saved_files_make_room(document: Document) -> None:
    digests = [document.assets.offer(bytes([number]) * 10, ".png") for number in range(12)]
    assert [digest in document.assets for digest in digests] == [False] * 4 + [True] * 8


def test_the_autosave_holds_what_it_needs(document: Document, tmp_path: Path) -> None:
    photo = upload(document, photo_bytes(), "photo.png")
    paint(document, 3)
    assert autosave.save(document, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"picture.png", photo}
    again = Document(document.net, Settings(), Assets())
    autosave.resume(again, tmp_path, ["lucid64"])
    assert again.settings.photo == photo
    again.assets.close()
    (tmp_path / photo).unlink()
    lost = Document(document.net, Settings(), Assets())
    with pytest.raises(lucid.LucidError, match=r"painted on photo\.png"):
        autosave.resume(lost, tmp_path, ["lucid64"])
    lost.assets.close()
    with pytest.raises(lucid.UsageError, match="give --net lucid64"):
        autosave.resume(lost, tmp_path, ["lucid1000"])


def test_another_net_and_play_at_once(studio: Studio, client: Client) -> None:
    client.set(**SMALL, net="lucid1000")
    client.do("play")
    client.wait(lambda m: m["type"] == "net" and m["name"] == "lucid1000")
    client.passes(2)
    assert studio.ask(lambda document: document.recipe().options["net"]) == "lucid1000"
    assert studio.ask(lambda document: document.climb.plan.net.name) == "lucid1000"  # type: ignore[union-attr]


def test_other_programs_cookies(studio: Studio, client: Client) -> None:
    for other in ('prefs={"a":1}', "x", "a=b c; =; ü=1"):
        cookie = f"{other}; {client.cookie}".encode()
        answer = client.http.get(f"/asset/{'0' * 64}", headers={b"Cookie": cookie})
        assert answer.status_code == 404


def test_questions_of_a_program(tmp_path: Path) -> None:
    studio = Studio(port=0, folder=tmp_path)
    with pytest.raises(lucid.UsageError, match="start it first"):
        studio.picture()
    studio.start()
    with pytest.raises(ZeroDivisionError):
        studio.ask(lambda document: 1 / 0)
    assert studio.picture().size == (224, 224)
    studio.stop()
    with pytest.raises(lucid.UsageError, match="start it first"):
        studio.picture()
    never = Studio(port=0, folder=tmp_path)
    never.stop()


def test_a_mistake_of_lucid_s_own_is_told_and_survived(studio: Studio, client: Client) -> None:
    """A real one: the photograph's file vanishes from under the studio."""
    client.set(**{**SMALL, "iters": 5000})
    client.do("play")
    client.passes(3)
    client.do("pause")
    client.state("paused")
    first = studio.picture().tobytes()
    with_photo = client.upload(photo_bytes()).json()["sha"]
    client.set(photo=with_photo, **SMALL)
    client.wait(lambda each: each["type"] == "state" and each["settings"]["photo"])
    studio.assets.path(with_photo).unlink()
    client.do("play")
    assert client.wait_for("error")["text"]
    client.do("undo")
    client.wait(lambda each: each["type"] == "state" and not each["settings"]["photo"])
    assert studio.picture().tobytes() == first
    client.do("play")
    client.passes(5)


def test_a_film_too_large_for_the_memory(client: Client) -> None:
    client.set(size=[4096, 4096])
    client.do("film", frames=600, warps=[], at=[])
    assert "do not fit into memory: 32 do" in client.wait_for("error")["text"]


def test_nothing_changes_behind_a_sheet(client: Client) -> None:
    client.set(**SMALL)
    client.do("play")
    client.passes(2)
    client.do("sheet")
    client.state("sheet")
    client.do("fork")
    assert "leave the film or the nine seeds first" in client.wait_for("error")["text"]
    client.set(strength=1000)
    assert "strength must be" in client.wait_for("error")["text"]
    client.do("pause")
    client.state("sheet")  # which a refused change has not closed
