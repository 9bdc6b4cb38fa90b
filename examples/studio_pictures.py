"""Take the pictures of docs/studio.md from the real page.

    python examples/studio_pictures.py docs/images/studio

Needs chromium and the extra ``test``; takes a few minutes.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from lucid.studio.server import Studio

PHOTO = Path(__file__).parent / "bases" / "hills.jpg"


def main() -> None:
    """Write one JPEG for each screen."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as saves:
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with Studio(PHOTO, net="lucid1000", port=0, folder=Path(saves)) as studio:
            desk = open_page(browser, studio, 1440, 900, "light")
            paint_two(desk)
            shoot(desk, folder / "painting.jpg")
            desk.locator("#compare").fill("480")
            shoot(desk, folder / "before-after.jpg")
            film(desk)
            shoot(desk, folder / "film.jpg")
            desk.close()
        with Studio(port=0, folder=Path(saves)) as studio:
            night = open_page(browser, studio, 1024, 768, "dark")
            night.click("#sheet")
            night.wait_for_selector(
                'body[data-status="sheet"][data-running="false"]', timeout=300_000
            )
            shoot(night, folder / "nine-seeds.jpg")
            night.locator("#seeds button").nth(4).click()
            night.wait_for_selector('body[data-status="finished"]', timeout=300_000)
            night.close()
            phone = open_page(browser, studio, 390, 844, "light")
            shoot(phone, folder / "phone.jpg")
        browser.close()


def open_page(browser: Browser, studio: Studio, width: int, height: int, scheme: str) -> Page:
    """Open the page in a window of a size, in light or dark."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if width < 500 else 1,
    )
    page = context.new_page()
    page.goto(studio.url)
    page.wait_for_selector('body:not([data-status="loading"])')
    page.wait_for_timeout(2000)
    return page


def paint_two(page: Page) -> None:
    """Brush where a castle and a balloon are to grow, and paint until they are there."""
    page.select_option("#size", "512x384")
    for name in ("castle", "balloon"):
        page.fill("#search", name)
        page.keyboard.press("Enter")
        page.wait_for_timeout(300)
    page.locator("#rows li").first.locator(".remove").click()
    page.fill("#seed", "1")
    page.keyboard.press("Tab")
    page.locator("#brush-size").fill("40")
    for index, points in enumerate([((0.25, 0.5), (0.27, 0.56)), ((0.75, 0.3), (0.76, 0.34))]):
        page.locator("#rows li").nth(index).locator(".where").click()
        stroke(page, *points)
        page.wait_for_timeout(800)
    page.click("#paint")
    page.wait_for_selector('body[data-status="finished"]', timeout=600_000)
    page.wait_for_timeout(1000)


def stroke(page: Page, *points: tuple[float, float]) -> None:
    """Draw with the brush from point to point: fractions of the picture."""
    box = page.locator("#overlay").bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()


def film(page: Page) -> None:
    """Make a short film of the picture."""
    page.locator("#compare").fill("0")
    page.click("#film")
    page.locator("dialog[open]").get_by_label("Number of frames").fill("8")
    page.click("#make-film")
    page.wait_for_selector('body[data-status="film"][data-running="false"]', timeout=600_000)
    page.wait_for_timeout(1000)


def shoot(page: Page, path: Path) -> None:
    """Write what is on the screen as JPEG."""
    with Image.open(io.BytesIO(page.screenshot())) as shown:
        shown.convert("RGB").save(path, quality=86)


if __name__ == "__main__":
    main()
