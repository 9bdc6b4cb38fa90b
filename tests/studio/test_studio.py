"""The studio as a page sees it: messages, pictures, undo, seeds, films, saving and recalling."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageSequence
from studio_client import SMALL, Client, photo_bytes, png

import lucid
from lucid.cli import main
from lucid.drawing.climb import Climb
from lucid.imaging import recipes
from lucid.studio import hub
from lucid.studio.document import Document
from lucid.studio.server import Studio

pytestmark = pytest.mark.slow


def pixels(content: bytes | Path) -> np.ndarray:
    with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def redo(content: bytes, folder: Path, *words: str) -> np.ndarray:
    """What ``lucid redo`` makes of a saved picture."""
    (folder / "saved.png").write_bytes(content)
    output = folder / "again.png"
    typed = ["redo", str(folder / "saved.png"), *words, "-o", str(output), "-q", "--force"]
    result = CliRunner().invoke(main, typed)
    assert result.exit_code == 0, result.output
    return pixels(output)


def climb_of(document: Document) -> Climb:
    assert document.climb
    return document.climb


def save(client: Client) -> bytes:
    client.do("save")
    return client.download(client.wait_for("saved"))


def test_a_page_is_told_all_it_needs(client: Client) -> None:
    net = client.wait_for("net")
    assert net["name"] == "lucid64"
    assert "goldfish" in net["classes"]
    assert "birds" in net["groups"]
    shapes = [(name, shape) for name, _, shape in lucid.load("lucid64").describe()]
    assert net["layers"] == [
        {"name": name, "channels": shape[0]} for name, shape in shapes if len(shape) == 3
    ]
    state = client.state("empty")
    assert state["settings"]["rows"][0]["name"] == "goldfish"
    assert state["can"] == {"undo": False, "redo": False}


def test_the_big_button_alone_grows_a_goldfish(client: Client, tmp_path: Path) -> None:
    client.set(**SMALL)
    client.do("play")
    client.state("playing")
    client.passes(5)
    client.pause()
    saved = save(client)
    recipe = recipes.parse(Image.open(io.BytesIO(saved)).info["lucid"], "saved")
    assert recipe.options["class"] == ["goldfish"]
    assert recipe.options["at"][-1][1] == "stop"
    assert np.array_equal(redo(saved, tmp_path), pixels(saved))
    kinds = {frame[0] for frame in client.frames}
    assert kinds == {0}
    assert client.frames[-1][2:4] == (48, 48)


def test_a_steered_picture_is_made_again_to_the_byte(client: Client, tmp_path: Path) -> None:
    photo = photo_bytes()
    (tmp_path / "photo.png").write_bytes(photo)
    uploaded = client.upload(photo).json()
    assert (uploaded["width"], uploaded["height"], uploaded["recipe"]) == (64, 48, False)
    client.set(**SMALL, photo=uploaded["sha"], photo_name="photo.png")
    left, right = client.mask((0, 0, 20, 47)), client.mask((30, 0, 47, 47))
    rows: list[dict[str, Any]] = [{"id": 1, "name": "lion", "mask": left}]
    client.set(rows=rows)
    client.do("play")
    client.passes(4)
    client.set(rows=[*rows, {"id": 2, "name": "monarch", "weight": 1.5, "mask": right}])
    client.passes(8)
    client.set(strength=0.5)
    client.do("erase", mask=client.mask((0, 0, 10, 10)))
    client.set(rows=[*rows, {"id": 3, "kind": "layer", "name": "8:5", "weight": 0.5}])
    client.passes(12)
    client.do("fork")
    client.passes(16)
    client.pause()
    saved = save(client)
    recipe = recipes.parse(Image.open(io.BytesIO(saved)).info["lucid"], "saved")
    assert [words.partition("=")[0] for _, words in recipe.options["at"]] == [
        *("class", "strength", "erase", "class", "seed", "stop")
    ]
    assert len(recipe.masks) == 3
    assert recipe.options["base"] == ["photo.png"]
    assert np.array_equal(redo(saved, tmp_path), pixels(saved))
    client.do("command")
    client.wait_for("notice")
    assert client.wait_for("command")["text"].startswith("lucid redo lion+8-5_6_pass")


def test_outside_of_the_mask_nothing_changes(studio: Studio, client: Client) -> None:
    client.set(**SMALL, photo=client.upload(photo_bytes()).json()["sha"])
    client.wait(lambda each: each["type"] == "state" and each["settings"]["photo"])
    before = np.asarray(studio.picture()).astype(int)
    client.set(rows=[{"id": 1, "name": "lion", "mask": client.mask((0, 0, 15, 47))}])
    client.do("play")
    client.passes(5)
    after = np.asarray(studio.picture()).astype(int)
    assert np.array_equal(after[:, 20:], before[:, 20:])
    assert np.abs(after[:, :15] - before[:, :15]).mean() > 1


def test_undo_and_redo(studio: Studio, client: Client) -> None:
    client.set(**SMALL)
    client.do("play")
    client.passes(3)
    client.pause()
    first = studio.picture().tobytes()
    client.set(rows=[{"id": 2, "name": "monarch"}], strength=2)
    client.do("play")
    client.passes(3 + studio.ask(lambda document: climb_of(document).passes))
    client.pause()
    second = studio.picture().tobytes()
    assert second != first
    client.do("undo")
    state = client.wait(lambda each: each["type"] == "state" and each["can"]["redo"])
    assert state["settings"]["rows"][0]["name"] == "goldfish"
    assert state["settings"]["strength"] == 1
    assert studio.picture().tobytes() == first
    client.do("redo")
    client.wait(lambda each: each["type"] == "state" and not each["can"]["redo"])
    assert studio.picture().tobytes() == second
    history = studio.ask(lambda document: document.history.to_dict())
    assert [entry["label"] for entry in history["entries"]] == ["size", "add monarch", "now"]
    client.do("go", to=history["entries"][0]["id"])
    state = client.state("empty")
    assert state["settings"]["size"] == [224, 224]
    client.do("undo")
    assert client.wait_for("error")["text"] == "there is nothing to undo or redo there"


def test_the_parts_of_a_stroke_are_one_step_of_undo(client: Client) -> None:
    for right in (5, 10, 20, 30):
        mask = client.mask((0, 0, right, 47))
        client.set("stroke-1", rows=[{"id": 1, "name": "lion", "mask": mask}])
    client.do("undo")
    state = client.wait(lambda each: each["type"] == "state" and each["can"]["redo"])
    assert state["settings"]["rows"][0] == {
        **{"id": 1, "kind": "class", "name": "goldfish", "weight": 1.0, "mask": None, "on": True}
    }


def test_a_finished_picture_goes_on(client: Client, tmp_path: Path) -> None:
    client.set(size=[48, 48], octaves=1, iters=3)
    client.do("play")
    assert client.state("finished")["passes"] == 3
    client.do("play")
    assert client.state("finished")["passes"] == 11
    client.set(rows=[{"id": 1, "name": "lion"}])
    client.do("play")
    assert client.state("finished")["passes"] > 11
    saved = save(client)
    assert np.array_equal(redo(saved, tmp_path), pixels(saved))
    client.do("command")
    text = client.wait_for("command")["text"]
    assert text.startswith("lucid draw ")
    assert "--at 3 iters=11" in text
    client.do("stop")
    client.state("empty")


def test_one_of_nine_seeds_goes_on_larger(client: Client, tmp_path: Path) -> None:
    client.set(size=[96, 72], octaves=2, iters=4, seed=7, net="lucid64")
    client.do("sheet")
    client.state("sheet")
    client.wait(lambda each: each["type"] == "state" and not each["running"])
    client.do("pick", index=2)
    state = client.state("finished")
    assert state["settings"]["seed"] == 9
    sheets = [frame for frame in client.frames if frame[0] == 1]
    assert sheets
    saved = save(client)
    made = lucid.draw("lucid64", "goldfish", size=(72, 96), octave_count=2, iterations=4, seed=9)
    assert np.array_equal(pixels(saved), np.asarray(made).astype(int))
    client.do("pick", index=1)
    assert "no sheet" in client.wait_for("error")["text"]


def test_a_film_of_the_picture(client: Client, tmp_path: Path) -> None:
    client.set(size=[48, 48], octaves=1, iters=2)
    client.do("play")
    client.state("finished")
    picture = save(client)
    client.do("film", frames=4, warps=["zoom:.1"], at=[[2, "class=lion"], [3, "strength=.5"]])
    client.state("film")
    client.wait(lambda each: each["type"] == "state" and not each["running"])
    indices = [frame[1] for frame in client.frames if frame[0] == 2]
    assert indices == sorted(indices)
    assert indices[-1] == 3
    client.do("download", what="film", format="gif")
    content = client.download(client.wait_for("saved"))
    with Image.open(io.BytesIO(content)) as film:
        frames = [frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(film)]
    assert len(frames) == 4
    (tmp_path / "film.gif").write_bytes(content)
    (tmp_path / "goldfish_6.png").write_bytes(picture)
    again = tmp_path / "again.gif"
    typed = ["redo", str(tmp_path / "film.gif"), "-o", str(again), "-q"]
    result = CliRunner().invoke(main, typed)
    assert result.exit_code == 0, result.output
    with Image.open(again) as film:
        assert [each.convert("RGB").tobytes() for each in ImageSequence.Iterator(film)] == frames
    client.do("film", frames=2, warps=["zooom:1"], at=[])
    assert "there is no warp 'zooom'; the nearest" in client.wait_for("error")["text"]
    client.do("close")
    client.state("finished")


def test_a_saved_picture_brings_back_its_settings(client: Client, tmp_path: Path) -> None:
    mask = client.mask((0, 0, 20, 47))
    client.set(**SMALL, seed=5, rows=[{"id": 1, "name": "lion", "weight": 2, "mask": mask}])
    client.do("play")
    client.passes(3)
    client.set(rows=[{"id": 1, "name": "monarch"}], padding="wrap")
    client.passes(6)
    client.pause()
    saved = save(client)
    client.set(rows=[{"id": 4, "name": "goldfish"}], size=[64, 64], seed=1)
    uploaded = client.upload(saved).json()
    assert uploaded["recipe"]
    client.do("recall", asset=uploaded["sha"])
    assert client.wait_for("edits")["count"] == 1
    state = client.state("empty")
    settings = state["settings"]
    assert settings["size"] == [48, 48]
    assert settings["seed"] == 5
    assert settings["rows"][0]["name"] == "lion"
    assert settings["rows"][0]["weight"] == 2
    assert settings["rows"][0]["mask"] == mask
    client.do("play")
    state = client.wait(  # for the edit, which is made again
        lambda m: m["type"] == "state" and m["settings"]["rows"][0]["name"] == "monarch"
    )
    assert state["settings"]["padding"] == "wrap"
    client.pause()
    again = save(client)
    assert np.array_equal(redo(again, tmp_path), pixels(again))


def test_what_the_studio_cannot_recall(client: Client, tmp_path: Path) -> None:
    def said(name: str) -> str:
        uploaded = client.upload((tmp_path / name).read_bytes()).json()
        client.do("recall", asset=uploaded["sha"])
        return str(client.wait_for("error")["text"])

    words = "--size 48 --iters 1 --octaves 1 --seed 1 -q --force -o"
    for name, more in {
        "decay.png": "--class lion --weight-decay 1",
        "point.png": "--class lion@.5,.5",
        "varied.png": "--class lion --variety 3",
    }.items():
        typed = ["draw", *more.split(), *words.split(), str(tmp_path / name)]
        assert CliRunner().invoke(main, typed).exit_code == 0
    assert said("decay.png") == "the studio has no weight-decay: `lucid redo` makes the picture"
    assert "no region .5,.5" in said("point.png")
    assert "the studio has no variety" in said("varied.png")
    lucid.save(lucid.draw("lucid64", lucid.LayerL2("8"), size=48, iterations=1), tmp_path / "a.png")
    client.do("recall", asset=client.upload((tmp_path / "a.png").read_bytes()).json()["sha"])
    state = client.wait(
        lambda each: each["type"] == "state" and each["settings"]["rows"][0]["kind"] == "layer"
    )
    assert state["settings"]["rows"][0] == {
        **{"id": 1, "kind": "layer", "name": "8", "weight": 1.0, "mask": None, "on": True}
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sise": 3}, "there is no setting 'sise'"),
        ({"size": [10, 48]}, "a side must be a whole number from 32 to 4096"),
        ({"size": "large"}, "size must be width and height"),
        ({"strength": "1"}, "strength must be a number from 0 to 100"),
        ({"strength": float("nan")}, "strength must be a number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"net": "/etc/passwd"}, "the net '/etc/passwd' is not in the box"),
        ({"photo": "0" * 64}, "there is no such upload"),
        ({"photo": "../etc/passwd"}, "photo must be the hash of an upload"),
        ({"rows": [{"id": 1, "name": "lion", "mask": "/etc/passwd"}]}, "a mask must be the name"),
        ({"rows": [{"id": 1, "name": "lion", "mask": "sha256:" + "0" * 64}]}, "there is no mask"),
        ({"rows": [{"id": 1, "name": "lion@x.png"}]}, "is no name of a class or layer"),
        ({"rows": [{"id": 1, "name": "lion", "more": 1}]}, "a row has id, kind"),
        ({"rows": [{"id": n, "name": "lion"} for n in range(13)]}, "rows must be a list of 12"),
        ({"rows": [{"id": 1, "kind": "film", "name": "x"}]}, "kind 'film' is not in the box"),
        ({"subject": "../x"}, "subject must be a share"),
        ({"keep_colors": "yes"}, "keep_colors must be true or false"),
        ({"tiles": "own.py:tiles"}, "tiles 'own.py:tiles' is not in the box"),
        ({"preset": "own.toml"}, "preset 'own.toml' is not in the box"),
    ],
)
def test_settings_that_make_no_sense(client: Client, changes: Any, said: str) -> None:
    client.set(**changes)
    assert said in client.wait_for("error")["text"]
    client.set(seed=77)
    state = client.wait(lambda m: m["type"] == "state" and m["settings"]["seed"] == 77)
    assert state["settings"]["rows"][0]["name"] == "goldfish"


def test_a_class_that_is_not_there(client: Client) -> None:
    client.set(**SMALL, rows=[{"id": 1, "name": "gryphon"}])
    client.do("play")
    assert "has no class 'gryphon'" in client.wait_for("error")["text"]
    client.set(rows=[])
    client.do("play")
    assert "there is nothing to paint" in client.wait_for("error")["text"]
    client.set(rows=[{"id": 1, "name": "lion"}])
    client.do("play")
    client.passes(2)
    client.set(rows=[{"id": 1, "name": "gryphon"}])  # in mid-climb: nothing changes
    assert "has no class 'gryphon'" in client.wait_for("error")["text"]
    client.passes(4)


def test_two_pages_share_one_picture(studio: Studio, client: Client) -> None:
    other = Client(studio)
    client.set(**SMALL)
    other.do("play")
    client.passes(2)
    other.passes(2)
    client.do("pause")
    other.state("paused")
    assert other.frames
    assert client.frames
    other.close()
    client.do("step")
    client.state("paused")


def test_the_picture_is_there_after_a_reload(studio: Studio, client: Client) -> None:
    client.set(**SMALL)
    client.do("play")
    client.passes(3)
    client.socket.close()
    again = Client(studio)
    again.passes(5)
    again.close()


def test_without_any_page_it_pauses(
    studio: Studio, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "GRACE", 0.2)
    client.set(**{**SMALL, "iters": 10_000})
    client.do("play")
    client.passes(2)
    client.socket.close()
    deadline = time.monotonic() + 30
    while studio.painter.running and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not studio.painter.running
    again = Client(studio)
    again.state("paused")
    again.close()


def test_a_studio_that_ended_is_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "autosave"
    (tmp_path / "photo.png").write_bytes(photo_bytes())
    with Studio(tmp_path / "photo.png", port=0, folder=folder) as first:
        client = Client(first)
        client.set(**SMALL)
        client.set(rows=[{"id": 1, "name": "lion", "mask": client.mask((0, 0, 20, 47))}])
        client.do("play")
        client.passes(3)
        client.set(strength=0.5)
        client.passes(6)
        client.pause()
        picture = first.picture().tobytes()
        stood = first.ask(lambda document: climb_of(document).moment)
        client.close()
    with Studio(port=0, folder=folder, resume=True) as second:
        client = Client(second)
        state = client.state("empty")
        assert state["settings"]["photo_name"] == "photo.png"
        client.close()

        def again(document: Document) -> bytes:
            """The picture, painted again to where it stood."""
            document.go_on()
            while climb_of(document).moment < stood:
                document.step()
            return document.picture().tobytes()

        assert second.ask(again) == picture
    with pytest.raises(lucid.UsageError, match="holds no picture to resume"):
        Studio(port=0, folder=tmp_path / "nothing", resume=True)


def test_in_a_program_and_a_notebook(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(png(Image.new("RGB", (40, 30), "red")))
    with lucid.studio(tmp_path / "photo.png", folder=tmp_path) as studio:
        assert studio.picture().size == (40, 32)
        html = studio._repr_html_()
        assert f":{studio.port}/#{studio.token}" in html
        page = Client(studio)
        assert (
            "frame-ancestors http://localhost:* http://127.0.0.1:*"
            in (page.http.get("/").headers["content-security-policy"])
        )
        page.close()
    (tmp_path / "photo.txt").write_text("no picture")
    with pytest.raises(lucid.LucidError, match=r"photo.txt: that is no picture"):
        lucid.studio(tmp_path / "photo.txt")
    with pytest.raises(lucid.LucidError, match=r"nix.png: cannot be read"):
        lucid.studio(tmp_path / "nix.png")
    with pytest.raises(lucid.LucidError, match="nosuch"):
        lucid.studio(net="nosuch")
