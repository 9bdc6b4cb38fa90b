"""Measure the studio in a real browser: python examples/studio_figures.py [--repeats N].

Needs chromium and the extra ``test``. Every figure is of this machine, with the browser on the same
cores as the painter.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

import lucid

lucid.tune_process()  # as the command does, before torch is imported
from lucid.studio.document import Document  # noqa: E402
from lucid.studio.server import PAGE, Studio  # noqa: E402

PHOTO = Path(__file__).parent / "bases" / "hills.jpg"

CHANGES_PER_SECOND = """async (seconds) => {
  const first = Number(document.body.dataset.frame);
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  return (Number(document.body.dataset.frame) - first) / seconds;
}"""

# The time from a short stroke to the first picture on the screen that differs under it.
STROKE = """async ([x, y]) => {
  const overlay = document.querySelector("#overlay"), picture = document.querySelector("#picture");
  const box = overlay.getBoundingClientRect(), context = picture.getContext("2d");
  const left = Math.round(x * picture.width) - 8, top = Math.round(y * picture.height) - 8;
  const look = () => context.getImageData(left, top, 16, 16).data.join();
  const before = look();
  const send = (type, dx) => overlay.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, pointerType: "mouse", isPrimary: true, bubbles: true, button: 0,
    buttons: type === "pointerup" ? 0 : 1,
    clientX: box.left + x * box.width + dx, clientY: box.top + y * box.height,
  }));
  overlay.setPointerCapture = () => {};
  const began = performance.now();
  send("pointerdown", 0); send("pointermove", 4); send("pointerup", 4);
  while (look() === before && performance.now() - began < 5000)
    await new Promise((done) => requestAnimationFrame(done));
  return performance.now() - began;
}"""


def main() -> None:
    """Print one line for each figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    weight = sum(path.stat().st_size for path in PAGE.rglob("*") if path.is_file())
    show("page weight", f"{weight / 1000:.0f} kB")
    show("start to ready", f"{median(start_to_ready, repeats):.2f} s")
    snapshots()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        path = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        with Studio(port=0, folder=Path(folder)) as studio:
            page = open_page(browser.new_page(), studio)
            big_button(page, repeats)
            idle(page)
            overhead(page, studio, repeats)
        with Studio(PHOTO, port=0, folder=Path(folder)) as studio:
            strokes(open_page(browser.new_page(), studio), studio, 3 * repeats)
        browser.close()


def show(name: str, value: str) -> None:
    print(f"{name:<46} {value}", flush=True)


def median(measure: object, repeats: int) -> float:
    assert callable(measure)
    return statistics.median(measure() for _ in range(repeats))


def start_to_ready() -> float:
    """Seconds from the command to the address that is printed once the page is served."""
    began = time.monotonic()
    command = [sys.executable, "-m", "lucid", "studio", "--no-open", "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout
    line = process.stdout.readline()
    seconds = time.monotonic() - began
    process.terminate()
    process.wait()
    process.stdout.close()
    assert re.match(r"lucid studio: http://127", line), line
    return seconds


def snapshots() -> None:
    """Milliseconds of a snapshot and of going back to it, at 512x512."""
    climb = lucid.Climb(
        lucid.prepare("lucid64", "goldfish", size=512, octave_count=1, subject="tile")
    )
    for _ in range(3):
        climb.step()
    taken, restored = [], []
    for _ in range(10):
        began = time.perf_counter()
        snapshot = climb.snapshot()
        taken.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        climb.restore(snapshot)
        restored.append(1000 * (time.perf_counter() - began))
    show(
        "snapshot at 512x512", f"{statistics.median(taken):.1f} ms, {snapshot.nbytes / 1e6:.1f} MB"
    )
    show("restore at 512x512", f"{statistics.median(restored):.1f} ms")


def open_page(page: Page, studio: Studio) -> Page:
    page.set_viewport_size({"width": 1280, "height": 860})
    page.goto(studio.url)
    page.wait_for_selector('body[data-status="empty"]')
    page.wait_for_timeout(2000)
    return page


def wait_for(page: Page, status: str) -> None:
    page.wait_for_selector(f'body[data-status="{status}"]', timeout=120_000)


def big_button(page: Page, repeats: int) -> None:
    """From the press to a picture that has begun to grow; then changes a second."""
    seconds = []
    for _ in range(repeats):
        seconds.append(
            page.evaluate(
                """async () => {
                  const first = Number(document.body.dataset.frame || 0), began = performance.now();
                  document.querySelector("#paint").click();
                  while (Number(document.body.dataset.frame || 0) < first + 2)
                    await new Promise((done) => setTimeout(done, 5));
                  return (performance.now() - began) / 1000;
                }"""
            )
        )
        page.click("#stop")
        wait_for(page, "empty")
    show("press to a growing picture, 224x224", f"{statistics.median(seconds):.2f} s")
    page.click("#paint")
    wait_for(page, "playing")
    show("changes a second, 224x224", f"{page.evaluate(CHANGES_PER_SECOND, 3):.1f}")
    page.click("#stop")
    wait_for(page, "empty")


def idle(page: Page) -> None:
    """Processor time of the studio and of the browser while nothing happens."""
    page.wait_for_timeout(1500)
    before, own = page_work(page), time.process_time()
    page.wait_for_timeout(10_000)
    show("idle page", f"{10 * (page_work(page) - before):.2f} % CPU")
    show("idle studio", f"{10 * (time.process_time() - own):.2f} % CPU (with this script)")


def page_work(page: Page) -> float:
    """Seconds for which the page's main thread was busy."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    found = {
        each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]
    }
    return float(found["TaskDuration"])


def overhead(page: Page, studio: Studio, repeats: int) -> None:
    """How much longer painting takes with a page that only listens, and with the browser."""
    rates: dict[str, list[float]] = {"alone": [], "heard": [], "watched": []}
    listener = Listener(studio)
    page.goto("about:blank")
    for _ in range(repeats):
        rates["alone"].append(rings_per_second(studio))
        with listener:
            rates["heard"].append(rings_per_second(studio))
        page.goto(studio.url)
        page.wait_for_timeout(2000)
        rates["watched"].append(rings_per_second(studio))
        page.goto("about:blank")
        page.wait_for_timeout(500)
    alone = statistics.median(rates["alone"])
    for name, what in (("heard", "a page that shows nothing"), ("watched", "chromium")):
        share = alone / statistics.median(rates[name]) - 1
        show(f"longer with {what}, 224x224", f"{100 * share:.0f} %")


def rings_per_second(studio: Studio) -> float:
    """How fast the same picture grows, over three seconds."""
    studio.painter.tell({"do": "play"})
    time.sleep(0.5)
    before, began = studio.ask(rings), time.monotonic()
    time.sleep(3)
    after, ended = studio.ask(rings), time.monotonic()
    studio.painter.tell({"do": "stop"})
    return (after - before) / (ended - began)


def rings(document: Document) -> int:
    """The passes of the picture, each of one ring at 224x224."""
    return document.climb.passes if document.climb else 0


class Listener:
    """A page without a browser, which takes pictures and acknowledges them."""

    def __init__(self, studio: Studio) -> None:
        self.base = studio.url.split("/#")[0]
        request = urllib.request.Request(
            f"{self.base}/session", studio.token.encode(), {"Origin": self.base}
        )
        with urllib.request.urlopen(request) as answer:
            self.cookie = str(answer.headers["set-cookie"]).split(";")[0]

    def __enter__(self) -> None:
        address = self.base.replace("http", "ws") + "/live"
        headers = {"Cookie": self.cookie}
        self.line = connect(
            address, origin=Origin(self.base), additional_headers=headers, legacy=True
        )
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                received = self.line.recv()
                if isinstance(received, bytes):
                    number = int.from_bytes(received[4:8], "little")
                    self.line.send(json.dumps({"do": "ack", "frame": number}))

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self.thread.join()


def strokes(page: Page, studio: Studio, repeats: int) -> None:
    """From a stroke to the first pixel that changes under it, at 512x384, while painting."""
    page.select_option("#size", "512x384")
    page.fill("#search", "lion")
    page.keyboard.press("Enter")
    page.locator("#rows li").first.locator(".remove").click()
    page.evaluate("([x, y]) => 0", [0, 0])
    times = []
    for number in range(repeats):
        x, y = 0.1 + 0.8 * (number * 0.37 % 1), 0.15 + 0.7 * (number * 0.61 % 1)
        page.click("#tool-clear") if number else None
        page.evaluate(STROKE.replace("5000", "50"), [0.95, 0.95])  # a mask far from here
        if not number:
            page.click("#paint")
            wait_for(page, "playing")
        page.wait_for_timeout(1500)
        if page.evaluate("() => document.body.dataset.status") != "playing":
            page.click("#paint")
            wait_for(page, "playing")
            page.wait_for_timeout(500)
        times.append(page.evaluate(STROKE, [x, y]))
    show("stroke to the first changed pixel, 512x384", f"{statistics.median(times):.0f} ms")
    show("  the slowest of them", f"{max(times):.0f} ms")


if __name__ == "__main__":
    main()
