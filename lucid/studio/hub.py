"""The pages that are open: what goes to them, and what comes from them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
from collections import deque
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from lucid.studio.frames import FILM, Frame
from lucid.studio.messages import Message
from lucid.studio.painter import PAGE_COMMANDS, Painter

MAX_PAGES = 16
MAX_WAITING = 2000
"""Messages that a page may leave waiting: one that takes none is cut off."""

MAX_MISTAKES = 50
"""Messages that make no sense, after which a page is cut off."""

GRACE = 60.0
"""Seconds without any page after which the painter pauses."""

NO_SESSION, TOO_MANY, BAD = 4403, 1013, 1003
"""Codes by which a connection is closed."""


class Page:
    """One open page.

    Attributes:
        socket: the connection.
        waiting: messages that are to be sent.
        frame: the picture that is to be sent, the latest only.
        unseen: the number of the picture that was sent and not yet shown; 0 for none.
    """

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.waiting: deque[Message | Frame] = deque()
        self.frame: Frame | None = None
        self.unseen = 0
        self.changed = asyncio.Event()
        self.deaf = False

    def put(self, item: Message | Frame) -> None:
        """Take something to send; frames of a film all, of other pictures the latest.

        A page that leaves too much waiting is cut off.
        """
        if len(self.waiting) > MAX_WAITING:
            self.waiting.clear()
            self.deaf = True
        if isinstance(item, Frame) and item.kind != FILM:
            self.frame = item
        else:
            self.waiting.append(item)
        self.changed.set()

    async def send(self) -> None:
        """Send what waits, for ever."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            if self.deaf:
                await self.socket.close(BAD)
                return
            while self.waiting:
                item = self.waiting.popleft()
                if isinstance(item, Frame):
                    await self.socket.send_bytes(item.to_bytes())
                else:
                    await self.socket.send_text(json.dumps(item))
            if self.frame and not self.unseen:
                frame, self.frame = self.frame, None
                self.unseen = frame.number
                await self.socket.send_bytes(frame.to_bytes())


class Hub:
    """All open pages.

    Attributes:
        painter: who carries out their commands.
        hello: what each is told first.
    """

    def __init__(self, hello: Message) -> None:
        self.hello = hello
        self.pages: set[Page] = set()
        self.painter: Painter
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pause: asyncio.TimerHandle | None = None

    def publish(self, item: Message | Frame) -> None:
        """Send something to all pages, from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._spread, item)

    def _spread(self, item: Message | Frame) -> None:
        for page in self.pages:
            page.put(item)
        self._ask_for_frames()

    def send_to(self, page: Page, item: Message | Frame) -> None:
        """Send something to one page, from any thread."""
        assert self._loop
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(page.put, item)

    def _ask_for_frames(self) -> None:
        """Let the painter know whether any page could show a picture."""
        if any(page.frame is None and not page.unseen for page in self.pages):
            self.painter.wants_frame.set()
            if not self.painter.running:
                self.painter.tell({"do": "wake"})
        else:
            self.painter.wants_frame.clear()

    async def serve(self, socket: WebSocket) -> None:
        """Talk to one page until it goes."""
        self._loop = asyncio.get_running_loop()
        await socket.accept()
        if not socket.scope.get("lucid.session"):
            await socket.close(NO_SESSION)
            return
        if len(self.pages) >= MAX_PAGES:
            await socket.close(TOO_MANY, "too many pages are open")
            return
        page = Page(socket)
        self.pages.add(page)
        if self._pause:
            self._pause.cancel()
        page.put(self.hello)
        self.painter.tell({"do": "hello", "send": functools.partial(self.send_to, page)})
        sender = asyncio.create_task(page.send())
        try:
            await self._listen(page)
        except (WebSocketDisconnect, RuntimeError):  # gone, perhaps while something was sent
            pass
        finally:
            self.pages.discard(page)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sender
            self._ask_for_frames()
            if not self.pages:
                loop = asyncio.get_running_loop()
                self._pause = loop.call_later(GRACE, self.painter.tell, {"do": "pause"})

    async def _listen(self, page: Page) -> None:
        """Take commands of a page."""
        mistakes = 0
        while True:
            received = await page.socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            command = _read(received.get("text"))
            if command is None or command["do"] not in PAGE_COMMANDS:
                mistakes += 1
                page.put({"type": "error", "text": "the page sent what the studio does not know"})
                if mistakes > MAX_MISTAKES:
                    await page.socket.close(BAD)
                    return
            elif command["do"] == "ack":
                if command.get("frame") == page.unseen:
                    page.unseen = 0
                    page.changed.set()
                    self._ask_for_frames()
            else:
                self.painter.tell(command)


def _read(text: Any) -> Message | None:
    """A command of a page; None for anything else."""
    try:
        command = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(command, dict) or not isinstance(command.get("do"), str):
        return None
    return command
