"""An album's page in a real browser, from a folder: what a visitor does, and what is seen then."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from album_maker import Painted, classes_and_seeds, make_album, png
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lucid.albums.site import write_site
from lucid.imaging import video

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

COLOURS = ["red", "lime", "blue", "orange", "purple", "teal"]


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


class Visitor:
    """A page in the browser, and everything that it asked for and complained of."""

    def __init__(self, browser: Browser, folder: Path, where: str = "", **options: Any) -> None:
        options.setdefault("viewport", {"width": 1280, "height": 860})
        self.context = browser.new_context(**options)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.on(
            "console",
            lambda said: self.complaints.append(said.text) if said.type == "error" else None,
        )
        self.base = where or folder.as_uri()
        self.page.goto(f"{self.base}/index.html")

    def tiles(self) -> list[str]:
        """The captions of the small pictures."""
        return self.page.locator("#grid .caption").all_inner_texts()

    def open(self, number: int) -> None:
        """Click on a small picture."""
        self.page.locator("#grid a").nth(number).click()
        expect(self.page.locator("#lightbox")).to_be_visible()

    def large(self) -> str:
        """The file that is shown large, once it has come."""
        self.page.wait_for_function(
            "() => (document.querySelector('#picture img') ?? {}).naturalWidth > 0"
        )
        source = self.page.locator("#picture img").get_attribute("src")
        assert source
        return source

    def violations(self) -> list[str]:
        """What axe finds."""
        # It would fetch the style sheet again, which pages in folders may not.
        found = Axe().run(self.page, options={"preload": False}).response["violations"]
        return [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in found]

    def leave(self) -> None:
        """Close the page, which went nowhere else and was never wrong."""
        self.context.close()
        away = [url for url in self.requests if not url.startswith((self.base, "data:"))]
        assert away == []
        assert self.complaints == []


@pytest.fixture
def birds(tmp_path: Path) -> list[Painted]:
    """An album of six classes and four seeds, in the folder ``birds``, with its page."""
    pictures = [
        Painted(each.options, png((48 + n, 48 + n), COLOURS[n % 6]), each.caption, each.axes)
        for n, each in enumerate(
            classes_and_seeds(["lion", "eagle", "carp", "tea", "sun", "sea"], 4)
        )
    ]
    write_site(make_album(tmp_path / "birds", [*pictures, Painted({"seed": 99}, None)]))
    return pictures


@pytest.fixture
def visitor(browser: Browser, birds: list[Painted], tmp_path: Path) -> Iterator[Visitor]:
    came = Visitor(browser, tmp_path / "birds")
    yield came
    came.leave()


def test_pictures_that_are_there(visitor: Visitor, birds: list[Painted]) -> None:
    page = visitor.page
    expect(page).to_have_title("birds")
    expect(page.locator("h1")).to_have_text("birds")
    expect(page.locator("#count")).to_have_text("24 of 25 pictures so far")
    assert visitor.tiles() == [each.caption for each in birds]
    first = page.locator("#grid img").first
    expect(first).to_have_attribute("loading", "lazy")
    expect(first).to_have_attribute("width", "48")
    key = birds[0].task.key
    expect(first).to_have_attribute("srcset", f"thumbs/{key[:2]}/{key}_320.webp 48w")
    page.wait_for_function("() => document.querySelector('#grid img').naturalWidth > 0")


def test_search(visitor: Visitor) -> None:
    page = visitor.page
    page.keyboard.press("/")
    page.keyboard.type("LION")
    assert visitor.tiles() == [f"lion, seed {seed}" for seed in range(4)]
    expect(page.locator("#matches")).to_have_text("4 of 24")
    page.keyboard.type(" seed 2")
    assert visitor.tiles() == ["lion, seed 2"]
    page.fill("#search", "--seed 3")  # an option
    assert len(visitor.tiles()) == 6
    page.fill("#search", "no such thing")
    expect(page.locator("#nothing")).to_have_text("No picture matches.")
    assert visitor.violations() == []
    page.click("#clear")
    assert len(visitor.tiles()) == 24
    expect(page.locator("#search")).to_be_focused()
    expect(page.locator("#clear")).to_be_hidden()


def test_a_choice_for_each_axis(visitor: Visitor) -> None:
    page = visitor.page
    kinds, seeds = page.get_by_label("class"), page.get_by_label("seed")
    assert kinds.locator("option").all_inner_texts() == [
        *("all", "carp", "eagle", "lion", "sea", "sun", "tea")
    ]
    kinds.select_option("carp")
    assert visitor.tiles() == [f"carp, seed {seed}" for seed in range(4)]
    seeds.select_option("2")
    assert visitor.tiles() == ["carp, seed 2"]
    expect(page.locator("#matches")).to_have_text("1 of 24")
    kinds.select_option("all")
    assert len(visitor.tiles()) == 6


def test_one_picture(visitor: Visitor, birds: list[Painted]) -> None:
    page = visitor.page
    visitor.open(1)
    task = birds[1].task
    assert visitor.large() == task.name
    expect(page.locator("#caption")).to_have_text("lion, seed 1")
    expect(page.locator("#place")).to_have_text("2 of 24")
    assert page.locator("#values").inner_text().split() == ["class", "lion", "seed", "1"]
    assert page.locator("#recipe").evaluate("node => node.textContent") == task.recipe.toml()
    expect(page.locator("#command")).to_have_text(task.recipe.command_line())
    expect(page.locator("#made")).to_contain_text("49 × 49 pixels · 2.5 s · easel, cpu · ")
    expect(page.locator("#download")).to_have_attribute("href", task.name)
    assert page.url.endswith(f"#{task.key}")
    assert visitor.violations() == []
    page.go_back()
    expect(page.locator("#lightbox")).to_be_hidden()
    expect(page).to_have_title("birds")


def test_from_picture_to_picture(visitor: Visitor, birds: list[Painted]) -> None:
    page = visitor.page
    page.fill("#search", "eagle")
    visitor.open(0)
    expect(page.locator("#previous")).to_be_disabled()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#caption")).to_have_text("eagle, seed 1")
    page.click("#next")
    expect(page.locator("#caption")).to_have_text("eagle, seed 2")
    assert page.url.endswith(birds[6].task.key)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("End")
    expect(page.locator("#place")).to_have_text("4 of 4")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#caption")).to_have_text("eagle, seed 3")
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    expect(page.locator("#grid a").nth(3)).to_be_focused()
    assert "#" not in page.url
    page.go_back()
    assert page.url == "about:blank"  # turning pages is no history


def test_the_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.page
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    tiles = page.locator("#grid a")
    expect(tiles.first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tiles.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    across = page.evaluate(
        "() => getComputedStyle(document.querySelector('#grid'))"
        ".gridTemplateColumns.split(' ').length"
    )
    expect(tiles.nth(1 + across)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(tiles.first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#lightbox")).to_be_visible()
    page.locator("#close").press("Enter")
    expect(tiles.first).to_be_focused()


def test_the_address_of_a_picture(visitor: Visitor, birds: list[Painted]) -> None:
    page = visitor.page
    page.goto(f"{visitor.base}/index.html#{birds[20].task.key}")
    expect(page.locator("#caption")).to_have_text("sea, seed 0")
    page.reload()
    expect(page.locator("#caption")).to_have_text("sea, seed 0")
    page.keyboard.press("Escape")
    expect(page.locator("#grid a").nth(20)).to_be_focused()
    assert "#" not in page.url
    page.goto(f"{visitor.base}/index.html#unknown")
    expect(page.locator("#lightbox")).to_be_hidden()


def test_copy(browser: Browser, birds: list[Painted], tmp_path: Path) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    visitor = Visitor(browser, tmp_path / "birds", permissions=allowed)
    visitor.open(2)
    recipe = birds[2].task.recipe
    visitor.page.get_by_role("button", name="Copy the command").click()
    expect(visitor.page.locator("#said")).to_have_text("Copied")
    assert visitor.page.evaluate("() => navigator.clipboard.readText()") == recipe.command_line()
    visitor.page.get_by_role("button", name="Copy the recipe").click()
    visitor.page.wait_for_function(
        "text => navigator.clipboard.readText().then((found) => found === text)", arg=recipe.toml()
    )
    visitor.leave()


def test_swipe(browser: Browser, birds: list[Painted], tmp_path: Path) -> None:
    phone: dict[str, Any] = {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
    }
    visitor = Visitor(browser, tmp_path / "birds", **phone)
    page = visitor.page
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.locator("#grid a").nth(3).tap()
    expect(page.locator("#caption")).to_have_text("lion, seed 3")
    touch = visitor.context.new_cdp_session(page)
    for start, stop, caption in [(300, 80, "eagle, seed 0"), (80, 300, "lion, seed 3")]:
        for kind, across in [("touchStart", start), ("touchMove", stop), ("touchEnd", None)]:
            points = [] if across is None else [{"x": across, "y": 240}]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        expect(page.locator("#caption")).to_have_text(caption)
    for name in ("close", "next", "previous", "download"):
        box = page.locator(f"#{name}").bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44, name
    visitor.leave()


@pytest.mark.parametrize("still", [False, True])
def test_films(browser: Browser, tmp_path: Path, still: bool) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "lime")]
    video.write(frames, tmp_path / "film.webm")
    video.write(frames, tmp_path / "film.gif")
    pictures = [
        Painted({"seed": n}, (tmp_path / name).read_bytes(), name, suffix=Path(name).suffix)
        for n, name in enumerate(["film.webm", "film.gif"])
    ]
    write_site(make_album(tmp_path / "films", pictures))
    visitor = Visitor(
        browser, tmp_path / "films", reduced_motion="reduce" if still else "no-preference"
    )
    page = visitor.page
    expect(page.locator(".moves")).to_have_count(2)
    visitor.open(0)
    film = page.locator("#picture video[controls][loop]")
    expect(film).to_have_attribute("src", pictures[0].task.name)
    page.wait_for_function("() => document.querySelector('video').readyState >= 2")
    if still:
        assert film.evaluate("video => video.paused")
    else:
        page.wait_for_function("() => !document.querySelector('video').paused")
    page.keyboard.press("ArrowRight")  # which the film has not taken for itself
    if still:
        assert visitor.large().endswith("_320.webp")
        page.get_by_role("button", name="Play").click()
    page.wait_for_function(
        "name => document.querySelector('#picture img').src.endsWith(name)",
        arg=pictures[1].task.name,
    )
    assert visitor.violations() == []
    visitor.leave()


def test_names_from_outside_are_texts(browser: Browser, tmp_path: Path) -> None:
    hostile = [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(2)</script>",
        "\"'><svg onload=alert(3)>",
        "javascript:alert(4)",
    ]
    pictures = [
        Painted({"class": [text], "seed": n}, png(), text, {"<b>class</b>": text, "seed": n})
        for n, text in enumerate(hostile)
    ]
    folder = tmp_path / "<img src=x onerror=alert(5)>"
    write_site(make_album(folder, pictures))
    visitor = Visitor(browser, folder)
    page = visitor.page
    expect(page.locator("h1")).to_have_text(folder.name)
    assert visitor.tiles() == hostile
    page.get_by_label("<b>class</b>").select_option(hostile[0])
    assert visitor.tiles() == hostile[:1]
    page.get_by_label("<b>class</b>").select_option("all")
    for number, each in enumerate(pictures):
        visitor.open(number)
        expect(page.locator("#caption")).to_have_text(each.caption)
        expect(page.locator("#command")).to_have_text(each.task.recipe.command_line())
        page.keyboard.press("Escape")
        expect(page.locator("#lightbox")).to_be_hidden()
    visitor.leave()


def test_what_cannot_be_shown(browser: Browser, tmp_path: Path) -> None:
    pictures = [
        Painted({"seed": 1}, b"no picture", "damaged"),
        Painted({"seed": 2}, caption="vanished"),
        Painted({"seed": 3}, caption="good"),
    ]
    album = make_album(tmp_path / "birds", pictures)
    write_site(album)
    (tmp_path / "birds" / pictures[1].task.name).unlink()
    visitor = Visitor(browser, tmp_path / "birds")
    expect(visitor.page.locator(".plain")).to_have_count(1)
    visitor.open(0)
    note, download = visitor.page.locator(".note"), visitor.page.locator("#download")
    expect(note).to_contain_text("open its file")
    expect(download).to_have_attribute("href", pictures[0].task.name)
    visitor.page.click("#next")
    expect(note).to_contain_text("cannot be shown")
    assert visitor.large().endswith("_320.webp")
    visitor.page.click("#next")
    assert visitor.large() == pictures[2].task.name
    visitor.complaints = [each for each in visitor.complaints if "ERR_FILE_NOT_FOUND" not in each]
    visitor.leave()


def test_light_and_dark(visitor: Visitor) -> None:
    page = visitor.page
    colour = "() => getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.click("#theme")
    dark = page.evaluate(colour)
    assert light != dark
    page.reload()
    assert page.evaluate(colour) == dark
    page.click("#theme")
    assert page.evaluate(colour) == light


def test_many_pictures_stay_lazy(browser: Browser, tmp_path: Path) -> None:
    classes = [f"class {number}" for number in range(40)]
    content = png((16, 16))
    album = make_album(tmp_path / "many", classes_and_seeds(classes, 50, content=content))
    write_site(album)
    visitor = Visitor(browser, tmp_path / "many")
    page = visitor.page
    tiles = page.locator("#grid li")
    assert 90 < tiles.count() < 300
    assert len([url for url in visitor.requests if url.endswith(".webp")]) < 300
    before = tiles.count()
    page.mouse.wheel(0, 30_000)
    page.wait_for_function(f"() => document.getElementById('grid').children.length > {before}")
    assert tiles.count() < 1_000
    page.fill("#search", "class 39 seed 49")
    assert visitor.tiles() == ["class 39, seed 49"]
    page.fill("#search", "")
    visitor.open(0)
    page.keyboard.press("End")
    expect(page.locator("#place")).to_have_text("2,000 of 2,000")
    page.keyboard.press("Escape")
    expect(tiles.last.locator("a")).to_be_focused()
    assert tiles.count() == 2_000
    visitor.leave()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_accessibility(
    browser: Browser, birds: list[Painted], tmp_path: Path, scheme: Any, width: int
) -> None:
    viewport: Any = {"width": width, "height": 860}
    visitor = Visitor(browser, tmp_path / "birds", viewport=viewport, color_scheme=scheme)
    visitor.page.get_by_label("class").select_option("carp")
    assert visitor.violations() == []
    visitor.open(0)
    assert visitor.violations() == []
    visitor.leave()


def test_from_a_web_server(browser: Browser, birds: list[Painted], tmp_path: Path) -> None:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{server.server_address[1]}/birds"
        visitor = Visitor(browser, tmp_path, where)
        visitor.open(2)
        assert visitor.large() == birds[2].task.name
        visitor.leave()
        server.shutdown()
