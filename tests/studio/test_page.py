"""The page in a real browser: what an artist does, and what can be seen of that."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from studio_client import photo_bytes

import lucid
from lucid.cli import main
from lucid.studio.server import PAGE, Studio

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

FRAME = "() => Number(document.body.dataset.frame || 0)"
"""The number of the picture that the page shows."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: Debian's, or the one that playwright installs."""
    path = os.environ.get("LUCID_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        path = path or playwright.chromium.executable_path
        if not Path(path).exists():
            pytest.skip("there is no chromium: apt-get install chromium")
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def photo_studio(tmp_path: Path) -> Iterator[Studio]:
    (tmp_path / "photo.png").write_bytes(photo_bytes((160, 120)))
    with Studio(tmp_path / "photo.png", port=0, folder=tmp_path / "autosave") as opened:
        yield opened


class Visitor:
    """A page in the browser, and everything that it asked for and complained of."""

    def __init__(self, browser: Browser, studio: Studio, **options: Any) -> None:
        options.setdefault("viewport", {"width": 1280, "height": 860})
        self.context: BrowserContext = browser.new_context(**options)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        self.studio = studio
        self.page.goto(studio.url)
        self.status("empty")

    def status(self, *wanted: str) -> None:
        choice = ", ".join(f'body[data-status="{each}"]' for each in wanted)
        self.page.wait_for_selector(choice)

    def frames(self, more: int) -> None:
        """Wait until the picture on the screen has changed so many times."""
        wanted = self.page.evaluate(FRAME) + more
        self.page.wait_for_function(f"() => Number(document.body.dataset.frame || 0) >= {wanted}")

    def stroke(self, *points: tuple[float, float]) -> None:
        """Draw with the brush from point to point: fractions of the picture."""
        box = self.page.locator("#overlay").bounding_box()
        assert box
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=8)
        self.page.mouse.up()

    def choose(self, name: str) -> None:
        """Add a class by typing its name."""
        self.page.fill("#search", name)
        self.page.keyboard.press("Enter")

    def press_paint(self) -> None:
        self.page.click("#paint")
        self.status("playing")

    def paint_a_little(self) -> None:
        """Paint until the picture has changed twice."""
        self.press_paint()
        self.frames(2)
        self.page.click("#paint")
        self.status("paused", "finished")

    def download(self, folder: Path) -> Path:
        with self.page.expect_download() as waiting:
            self.page.click("#save")
        waiting.value.save_as(folder / waiting.value.suggested_filename)
        return folder / waiting.value.suggested_filename

    def leave(self) -> None:
        """Close the page, which went nowhere else and was never wrong."""
        self.context.close()
        base = self.studio.url.split("/#")[0]
        away = [url for url in self.requests if not url.startswith((base, "blob:", "data:"))]
        assert away == []
        assert self.complaints == []


@pytest.fixture
def visitor(browser: Browser, studio: Studio) -> Iterator[Visitor]:
    came = Visitor(browser, studio)
    yield came
    came.leave()


@pytest.fixture
def painter(browser: Browser, photo_studio: Studio) -> Iterator[Visitor]:
    came = Visitor(browser, photo_studio)
    yield came
    came.leave()


def redo(saved: Path, folder: Path) -> bytes:
    output = folder / "again.png"
    typed = ["redo", str(saved), str(folder / "photo.png"), "-o", str(output), "-q"]
    result = CliRunner().invoke(main, typed)
    assert result.exit_code == 0, result.output
    with Image.open(output) as image:
        return image.tobytes()


def test_the_big_button_alone_grows_a_goldfish(visitor: Visitor) -> None:
    expect(visitor.page.locator("#rows li")).to_have_count(1)
    expect(visitor.page.locator("#rows")).to_contain_text("goldfish")
    expect(visitor.page.locator("#paint")).to_have_text("Paint")
    visitor.press_paint()
    visitor.frames(4)
    expect(visitor.page.locator("#paint")).to_have_text("Pause")
    size = visitor.page.evaluate("() => [picture.width, picture.height]")
    assert size == [224, 224]
    colours = visitor.page.evaluate(
        "() => new Set(picture.getContext('2d').getImageData(0, 0, 224, 224).data).size"
    )
    assert colours > 100
    visitor.page.click("#paint")
    visitor.status("paused")
    visitor.page.click("#stop")
    visitor.status("empty")


def test_a_stroke_grows_what_it_covers_and_nothing_else(
    painter: Visitor, photo_studio: Studio, tmp_path: Path
) -> None:
    before = np.asarray(photo_studio.picture()).astype(int)
    painter.choose("lion")
    expect(painter.page.locator("#rows li")).to_have_count(2)
    painter.page.locator("#rows li").first.locator(".remove").click()
    painter.stroke((0.2, 0.3), (0.2, 0.7))
    painter.page.wait_for_function("() => document.querySelector('#rows li')")
    painter.press_paint()
    painter.frames(3)
    painter.stroke((0.25, 0.7), (0.3, 0.4))  # in mid-climb
    painter.frames(3)
    painter.page.click("#paint")
    painter.status("paused")
    after = np.asarray(photo_studio.picture()).astype(int)
    assert np.array_equal(after[:, 120:], before[:, 120:])
    assert np.abs(after[30:90, 20:50] - before[30:90, 20:50]).mean() > 3
    saved = painter.download(tmp_path)
    with Image.open(saved) as image:
        assert redo(saved, tmp_path) == image.tobytes() == photo_studio.picture().tobytes()


def test_change_undo_and_redo(painter: Visitor, photo_studio: Studio) -> None:
    painter.paint_a_little()
    first = photo_studio.picture().tobytes()
    painter.choose("monarch")
    expect(painter.page.locator("#rows li")).to_have_count(2)
    painter.page.locator("#rows li").last.locator("input.weight").fill("2")
    painter.press_paint()
    painter.frames(3)
    painter.page.click("#paint")
    painter.status("paused")
    second = photo_studio.picture().tobytes()
    assert first != second
    for _ in range(2):  # the weight, then the row
        painter.page.click("#undo")
    expect(painter.page.locator("#rows li")).to_have_count(1)
    assert photo_studio.picture().tobytes() == first
    for _ in range(2):
        painter.page.keyboard.press("Control+Shift+Z")
    expect(painter.page.locator("#rows li")).to_have_count(2)
    expect(painter.page.locator("#redo")).to_be_disabled()
    assert photo_studio.picture().tobytes() == second
    painter.page.locator("#history button").first.click()
    expect(painter.page.locator("#rows li")).to_have_count(1)
    assert photo_studio.picture().tobytes() == first


def test_the_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.page
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("mon")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#search")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#rows li")).to_have_count(2)
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("Space")
    visitor.status("playing")
    visitor.frames(2)
    page.keyboard.press("Space")
    visitor.status("paused")
    page.keyboard.press("Control+Z")
    expect(page.locator("#rows li")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.locator("dialog[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    size = page.locator("#brush-size")
    before = float(size.input_value())
    page.keyboard.press("]")
    assert float(size.input_value()) > before
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert float(size.input_value()) < before


def test_a_reload_in_mid_climb(visitor: Visitor) -> None:
    visitor.press_paint()
    visitor.frames(2)
    visitor.page.reload()
    visitor.status("playing")
    visitor.frames(2)
    assert "#" not in visitor.page.url  # the token is out of the address


def test_without_the_token(browser: Browser, studio: Studio) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(studio.url.split("#")[0])
    expect(page.locator("body")).to_contain_text("This page needs the address")
    context.close()


def test_a_phone(browser: Browser, studio: Studio) -> None:
    visitor = Visitor(
        browser,
        studio,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        reduced_motion="reduce",
    )
    page = visitor.page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.locator("#paint").tap()
    visitor.status("playing")
    visitor.frames(2)
    for name in ("paint", "undo", "stop", "step", "tool-brush", "search", "sheet"):
        box = page.locator(f"#{name}").bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44, name
    page.locator("#paint").tap()
    visitor.status("paused", "finished")
    page.locator("#tool-brush").tap()
    page.locator("#overlay").tap(position={"x": 100, "y": 100})
    page.wait_for_function("() => document.querySelector('#undo:not(:disabled)')")
    visitor.leave()


def test_a_dropped_picture_brings_its_settings(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    page.fill("#seed", "77")
    page.keyboard.press("Tab")
    visitor.paint_a_little()
    saved = visitor.download(tmp_path)
    page.click("#dice")
    expect(page.locator("#seed")).not_to_have_value("77")
    page.set_input_files("#file", saved)
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("knows how it was made")
    dialog.get_by_role("button", name="Recall").click()
    expect(page.locator("#seed")).to_have_value("77")
    page.set_input_files("#file", {"name": "x.txt", "mimeType": "text/plain", "buffer": b"no"})
    expect(page.locator("#toast")).to_contain_text("no picture")
    visitor.complaints.clear()  # the browser tells of the upload that was refused


def test_before_and_after(painter: Visitor) -> None:
    slider = painter.page.locator("#compare")
    painter.paint_a_little()
    expect(slider).to_be_visible()
    slider.focus()
    for _ in range(3):
        painter.page.keyboard.press("ArrowRight")
    assert float(slider.input_value()) > 0


def test_nine_seeds(visitor: Visitor) -> None:
    visitor.page.click("#sheet")
    visitor.status("sheet")
    visitor.frames(3)
    choices = visitor.page.locator("#seeds button")
    expect(choices).to_have_count(9)
    choices.nth(4).click()
    visitor.status("playing")
    expect(visitor.page.locator("#seed")).to_have_value("10")


def test_a_film(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    page.select_option("#size", "custom")
    page.fill("#width", "64")
    page.fill("#height", "64")
    page.keyboard.press("Tab")
    visitor.paint_a_little()
    page.click("#film")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("Frames").first.fill("3")
    page.click("#make-film")
    visitor.status("film")
    page.wait_for_function("() => Number(document.querySelector('#scrubber').max) >= 2")
    page.wait_for_function("() => document.body.dataset.status === 'film'")
    with page.expect_download() as waiting:
        page.locator("#film-formats button").first.click()
    with Image.open(waiting.value.path()) as film:
        assert getattr(film, "n_frames", 1) == 3
    page.click("#film-close")
    visitor.status("paused", "finished")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_accessibility(browser: Browser, studio: Studio, scheme: str, width: int) -> None:
    visitor = Visitor(
        browser, studio, viewport={"width": width, "height": 860}, color_scheme=scheme
    )
    visitor.choose("lion")
    visitor.press_paint()
    visitor.frames(1)
    for place in ("page", "keys", "film"):
        if place != "page":
            visitor.page.click("#help" if place == "keys" else "#film")
        found = Axe().run(visitor.page).response["violations"]
        serious = [
            (each["id"], node["html"][:120])
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]
        assert serious == []
        if place != "page":
            visitor.page.keyboard.press("Escape")
    visitor.leave()


def test_the_page_is_light() -> None:
    files = [path for path in PAGE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 150_000
    for path in files:
        text = path.read_text(encoding="utf-8")
        for mark in ("http://", "https://", "//cdn", "@import", "innerHTML", "eval("):
            allowed = text.count("http://www.w3.org/")
            assert text.count(mark) <= (allowed if mark == "http://" else 0), (path.name, mark)


def test_in_a_cell_of_a_notebook(browser: Browser, tmp_path: Path) -> None:
    """The cell's HTML in a page of another port, as a notebook's is; and not elsewhere."""
    with lucid.studio(folder=tmp_path / "autosave") as studio:
        cell = f"<!doctype html><title>A notebook</title>{studio._repr_html_()}"

        class Notebook(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(cell.encode())

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Notebook) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            frame = page.frame_locator("iframe")
            expect(frame.locator("body")).to_have_attribute("data-status", "empty")
            frame.locator("#paint").click()
            expect(frame.locator("body")).to_have_attribute("data-status", "playing")
            context.close()
            server.shutdown()
        assert studio.picture().size == (224, 224)
