"""The studio as a server: its page, uploads, and the line on which commands and pictures travel."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import torch
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from lucid.errors import LucidError, UsageError
from lucid.nets.registry import load, local_weights
from lucid.resources import PACKAGE, bundled, presets
from lucid.studio import autosave
from lucid.studio.access import Access
from lucid.studio.assets import MAX_UPLOAD, TYPES, Assets
from lucid.studio.document import Document
from lucid.studio.film import FORMATS, list_warps
from lucid.studio.hub import Hub
from lucid.studio.messages import Message
from lucid.studio.painter import Painter
from lucid.studio.settings import Settings
from lucid.tiling.tiles import ORDERS

PORT = 8188
PAGE = PACKAGE / "studio" / "page"
MAX_MASK = 2**20
"""Bytes of the largest mask."""

MAX_MESSAGE = 2**16
"""Bytes of the longest message of a page."""

MAX_CONNECTIONS = 200

Value = TypeVar("Value")


class Studio:
    """A page to paint on, and what paints behind it.

    >>> import lucid
    >>> with lucid.studio(port=0) as studio:
    ...     print(studio.url.startswith("http://127.0.0.1:"))
    True
    """

    def __init__(
        self,
        photo: str | Path | None = None,
        *,
        net: str = "lucid64",
        port: int = PORT,
        lan: bool = False,
        resume: bool = False,
        in_notebook: bool = False,
        folder: Path | None = None,
    ) -> None:
        """Take a port, and prepare the picture.

        Args:
            photo: a photograph's file to begin with; None for an empty canvas.
            net: the net that paints; with those that lie on this machine, it can be chosen.
            port: of the page; 0 for any that is free.
            lan: whether other machines of the network reach the page, too.
            resume: whether to take up the picture that was saved automatically.
            in_notebook: whether a notebook shows the page in a frame.
            folder: of the automatic saves; None for the cache folder's.

        Raises:
            LucidError: the port is taken, or the photograph or the net cannot be read.
        """
        self._socket = _listen("0.0.0.0" if lan else "127.0.0.1", port)
        self.port: int = self._socket.getsockname()[1]
        self.assets = Assets()
        try:
            folder = folder or autosave.autosave_folder()
            document = Document(load(net), Settings(net=net), self.assets)
            if photo is not None:
                document.settings = _with_photo(document.settings, Path(photo), self.assets)
            nets = list(dict.fromkeys([net, *nets_in_the_box()]))
            if resume:
                autosave.resume(document, folder, nets)
        except BaseException:
            self._socket.close()
            self.assets.close()
            raise
        self.token = secrets.token_urlsafe(32)
        self.host = address_of_this_machine() if lan else "127.0.0.1"
        self._hub = Hub(_hello(nets))
        painter = Painter(self._hub.publish, document, net, nets, folder)
        self.painter = self._hub.painter = painter
        self.app = self._app(lan, in_notebook)
        config = uvicorn.Config(
            self.app,
            log_level="error",
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address of the page, with the token that opens it."""
        return f"http://{self.host}:{self.port}/#{self.token}"

    def serve(self) -> None:
        """Serve until Ctrl-C, then save the picture and tidy up."""
        self._begin()
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._tidy_up()

    def start(self) -> Studio:
        """Serve in the background, until ``stop``."""
        self._begin()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[self._socket])),
            name="lucid studio",
            daemon=True,
        )
        self._thread.start()
        return self

    def _begin(self) -> None:
        """Start the painter, and look for more nets meanwhile."""
        self.painter.start()
        threading.Thread(target=self._find_nets, name="lucid nets", daemon=True).start()

    def _find_nets(self) -> None:
        """Offer torchvision's nets whose weights lie on this machine, too."""
        if not any(Path(torch.hub.get_dir(), "checkpoints").glob("*")):
            return  # importing torchvision would hold up the first picture
        from lucid.nets.torchvision import model_names

        if found := [name for name in model_names() if local_weights(name)]:
            self.painter.nets += found
            self._hub.hello = _hello(self.painter.nets)
            self._hub.publish(self._hub.hello)

    def stop(self) -> None:
        """Save the picture, close the page's line and free the port."""
        self._server.should_exit = True
        if self._thread:
            self._thread.join(30)
        self._tidy_up()

    def picture(self) -> Image.Image:
        """The picture as it is now."""
        return self.ask(lambda document: document.picture())

    def ask(self, question: Callable[[Document], Value]) -> Value:
        """Let the painter's thread answer a question about the picture, between two rings."""
        answer: Future[Value] = Future()

        def reply(document: Document) -> None:
            try:
                answer.set_result(question(document))
            except Exception as error:  # which is the asker's
                answer.set_exception(error)

        self.painter.tell({"do": "ask", "answer": reply})
        while True:
            try:
                return answer.result(timeout=0.5)
            except TimeoutError:
                if not self.painter.is_alive() and not answer.done():
                    raise UsageError("the studio is not running: start it first") from None

    def _tidy_up(self) -> None:
        self.painter.close()
        with contextlib.suppress(OSError):
            self._socket.close()
        self.assets.close()

    def __enter__(self) -> Studio:
        return self if self._thread else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _repr_html_(self) -> str:
        """The page in a cell of a notebook."""
        # Under the notebook's own host name, so that the cookie counts as of the same site.
        element = f"lucid-studio-{self.port}"
        return (
            f'<div id="{element}"></div><script>'
            f'(() => {{ const frame = document.createElement("iframe");'
            'const here = ["localhost", "127.0.0.1"].includes(location.hostname);'
            f'frame.src = `http://${{here ? location.hostname : "127.0.0.1"}}:{self.port}'
            f"/#{self.token}`;"
            'frame.style = "width: 100%; height: 760px; border: 0"; frame.title = "lucid studio";'
            f'document.getElementById("{element}").replaceChildren(frame); }})()</script>'
        )

    # What is served

    def _app(self, lan: bool, in_notebook: bool) -> Access:
        routes = [
            Route("/", self._index),
            Route("/session", self._session, methods=["POST"]),
            Route("/asset/{digest}", self._get_asset),
            Route("/asset/{digest}", self._put_asset, methods=["PUT"]),
            Route("/mask/{digest}", self._put_mask, methods=["PUT"]),
            WebSocketRoute("/live", self._hub.serve),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]
        errors = {LucidError: _refuse, HTTPException: _not_found}
        app = Starlette(routes=routes, exception_handlers=errors)  # type: ignore[arg-type]
        names = ["127.0.0.1", "localhost", *([self.host] if lan else [])]
        hosts = frozenset(f"{name}:{self.port}" for name in names)
        return Access(app, self.token, hosts, in_notebook=in_notebook)

    async def _index(self, request: Request) -> Response:
        return FileResponse(PAGE / "index.html")

    async def _session(self, request: Request) -> Response:
        token = (await _body(request, 200)).decode("utf-8", "replace")
        cookie = self.app.exchange(token)
        if cookie is None:
            return Response("the token is wrong\n", 403)
        return Response(status_code=204, headers={"Set-Cookie": cookie})

    async def _put_asset(self, request: Request) -> Response:
        content = await _body(request, MAX_UPLOAD)
        digest = _digest(request)
        width, height = await run_in_threadpool(self.assets.upload, digest, content)
        recipe = await run_in_threadpool(self.assets.has_recipe, digest)
        return JSONResponse({"sha": digest, "width": width, "height": height, "recipe": recipe})

    async def _put_mask(self, request: Request) -> Response:
        _digest(request)
        content = await _body(request, MAX_MASK)
        return JSONResponse({"mask": await run_in_threadpool(self.assets.add_mask, content)})

    async def _get_asset(self, request: Request) -> Response:
        path = self.assets.path(_digest(request))
        headers = {"Cache-Control": "private, max-age=86400, immutable"}
        name = request.query_params.get("name")
        if name is not None:
            plain = re.sub(r"[^A-Za-z0-9_+.-]", "_", name)[:100]
            headers["Content-Disposition"] = f'attachment; filename="{plain}"'
        return FileResponse(path, media_type=TYPES[path.suffix], headers=headers)


async def _body(request: Request, most: int) -> bytes:
    """The body of a request, which is cut off once it is longer than that many bytes."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                raise UsageError(f"that is larger than {most // 2**20 or 1} MB: send less")
    except ClientDisconnect:
        raise UsageError("the upload was cut short") from None
    return bytes(content)


def _digest(request: Request) -> str:
    digest = str(request.path_params["digest"])
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise HTTPException(404)
    return digest


async def _refuse(request: Request, error: LucidError) -> Response:
    """Tell the page in one line what was wrong with an upload."""
    return JSONResponse({"error": str(error)}, 400 if request.method == "PUT" else 404)


async def _not_found(request: Request, error: HTTPException) -> Response:
    return Response("there is nothing here\n", error.status_code)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens on a port.

    Raises:
        UsageError: the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Without this a port stays taken for a minute after its studio has gone.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(MAX_CONNECTIONS)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"port {port} cannot be had ({reason}), perhaps because another studio is open "
            "there: use that one, or give another --port"
        ) from error
    return listener


def address_of_this_machine() -> str:
    """The address under which other machines of the network know this one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))  # sends nothing: it only chooses an interface
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def nets_in_the_box() -> list[str]:
    """The cfg nets whose weights lie on this machine, by the names that ``load`` takes."""
    own = {name: path.with_suffix(".weights") for name, path in bundled().items()}
    return [name for name, weights in own.items() if weights.exists()]


def _with_photo(settings: Settings, path: Path, assets: Assets) -> Settings:
    """Settings with a photograph of this machine."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    digest = hashlib.sha256(content).hexdigest()
    try:
        assets.upload(digest, content)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    return settings.changed({"photo": digest, "photo_name": path.name}, assets)


def _hello(nets: list[str]) -> Message:
    """What each page is told first: all that can be chosen."""
    from lucid import __version__

    return {
        **{"type": "hello", "version": __version__, "nets": nets, "presets": [*presets()]},
        **{"tiles": [*ORDERS, "none"], "paddings": ["reflect", "wrap"]},
        **{"warps": list_warps(), "formats": list(FORMATS)},
    }
