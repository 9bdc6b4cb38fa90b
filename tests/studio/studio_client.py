"""A page without a browser, for tests of the studio."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import time
from collections.abc import Callable
from typing import Any

import httpx
from PIL import Image, ImageDraw
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from lucid.studio.server import Studio

PATIENCE = 30.0
"""Seconds after which a test gives up waiting: never how long something may take."""


class Client:
    """A page without a browser."""

    def __init__(self, studio: Studio) -> None:
        self.base = studio.url.split("/#")[0]
        self.http = httpx.Client(base_url=self.base, headers={"Origin": self.base})
        answer = self.http.post("/session", content=studio.token)
        assert answer.status_code == 204
        self.cookie = answer.headers["set-cookie"].split(";")[0]
        self.http.headers["Cookie"] = self.cookie
        self.messages: list[dict[str, Any]] = []
        self.frames: list[tuple[int, int, int, int, Image.Image]] = []
        self.socket = self.connect()

    def connect(self, **headers: str) -> ClientConnection:
        return connect(
            self.base.replace("http", "ws") + "/live",
            origin=Origin(headers.pop("origin", self.base)),
            additional_headers={"Cookie": self.cookie, **headers},
            max_size=None,
            legacy=True,
        )

    def do(self, name: str, **more: Any) -> None:
        self.socket.send(json.dumps({"do": name, **more}))

    def set(self, gesture: str | None = None, **changes: Any) -> None:
        self.do("set", changes=changes, **({"gesture": gesture} if gesture else {}))

    def receive(self) -> None:
        """Take one message; frames are shown, and acknowledged."""
        received = self.socket.recv(timeout=PATIENCE)
        if isinstance(received, str):
            self.messages.append(json.loads(received))
            return
        kind, _, index, number, width, height, _ = struct.unpack("<BBHIIII", received[:20])
        image = Image.open(io.BytesIO(received[20:]))
        image.load()
        self.frames.append((kind, index, width, height, image))
        self.do("ack", frame=number)

    def wait(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next message that fits; what came before is forgotten."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            while self.messages:
                message = self.messages.pop(0)
                if fits(message):
                    return message
            self.receive()
        raise AssertionError("what was waited for did not come")

    def wait_for(self, kind: str) -> dict[str, Any]:
        return self.wait(lambda message: message["type"] == kind)

    def state(self, status: str) -> dict[str, Any]:
        return self.wait(lambda each: each["type"] == "state" and each["status"] == status)

    def passes(self, count: int) -> None:
        """Wait until so many passes were painted."""
        self.wait(lambda each: each["type"] == "progress" and each.get("passes", 0) >= count)

    def pause(self) -> None:
        self.do("pause")
        self.state("paused")

    def upload(self, content: bytes) -> httpx.Response:
        return self.http.put(f"/asset/{hashlib.sha256(content).hexdigest()}", content=content)

    def mask(self, box: tuple[int, int, int, int], size: tuple[int, int] = (48, 48)) -> str:
        image = Image.new("L", size)
        ImageDraw.Draw(image).rectangle(box, fill=255)
        content = png(image)
        digest = hashlib.sha256(content).hexdigest()
        answer = self.http.put(f"/mask/{digest}", content=content)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["mask"])

    def download(self, message: dict[str, Any]) -> bytes:
        answer = self.http.get(f"/asset/{message['asset']}", params={"name": message["name"]})
        assert answer.status_code == 200
        assert message["name"] in answer.headers["content-disposition"]
        return answer.content

    def close(self) -> None:
        self.socket.close()
        self.http.close()


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def photo_bytes(size: tuple[int, int] = (64, 48)) -> bytes:
    image = Image.linear_gradient("L").resize(size)
    return png(Image.merge("RGB", (image, image.rotate(180), image)))


SMALL: dict[str, Any] = {"size": [48, 48], "octaves": 1, "iters": 5000}
"""Settings of a picture that is quick to paint, and long enough to be changed under way."""
