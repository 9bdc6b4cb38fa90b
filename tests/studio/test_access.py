"""Who may not talk to the studio; no attack harms the painter."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from PIL import Image, PngImagePlugin
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from studio_client import SMALL, Client, photo_bytes, png
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from lucid.cli import main
from lucid.errors import UsageError
from lucid.studio import assets
from lucid.studio.server import Studio

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _unharmed(client: Client) -> Iterator[None]:
    """After each test the painter still paints."""
    yield
    if client.socket.protocol.state.name == "OPEN":
        client.set(**SMALL)
        client.do("play")
        client.passes(2)


def test_another_host_is_refused(studio: Studio) -> None:
    """DNS rebinding: a name of the attacker's that leads to this machine."""
    base = studio.url.split("/#")[0]
    for host in (f"evil.example:{studio.port}", "evil.example", f"127.0.0.1:{studio.port + 1}", ""):
        answer = httpx.get(base, headers={"Host": host})
        assert answer.status_code in (400, 403)
        assert "lucid" not in answer.text
    assert httpx.get(base, headers={"Host": f"localhost:{studio.port}"}).status_code == 200
    # Two Host headers
    with socket.create_connection(("127.0.0.1", studio.port)) as line:
        line.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nHost: evil\r\n\r\n".encode()
        )
        assert b" 200 " not in line.recv(200)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "", None])
def test_another_origin_is_refused(studio: Studio, client: Client, origin: str | None) -> None:
    headers = {"Cookie": client.cookie} | ({} if origin is None else {"Origin": origin})
    base = studio.url.split("/#")[0]
    content = photo_bytes()
    digest = hashlib.sha256(content).hexdigest()
    for answer in (
        httpx.put(f"{base}/asset/{digest}", content=content, headers=headers),
        httpx.post(f"{base}/session", content=studio.token, headers=headers),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    with (
        pytest.raises(InvalidStatus),
        connect(
            base.replace("http", "ws") + "/live",
            origin=None if origin is None else Origin(origin),
            additional_headers={"Cookie": client.cookie},
        ),
    ):
        pass
    preflight = httpx.options(f"{base}/asset/{digest}", headers={"Origin": origin or "null"})
    assert preflight.status_code == 403


def test_without_the_token_there_is_nothing(studio: Studio, client: Client) -> None:
    base = studio.url.split("/#")[0]
    own = {"Origin": base}
    assert httpx.post(f"{base}/session", content="guess", headers=own).status_code == 403
    assert httpx.post(f"{base}/session", content="x" * 10_000, headers=own).status_code >= 400
    assert httpx.get(f"{base}/asset/{'0' * 64}").status_code == 403
    assert httpx.put(f"{base}/asset/{'0' * 64}", headers=own).status_code == 403
    wrong = {**own, "Cookie": client.cookie[:-3] + "abc"}
    assert httpx.get(f"{base}/asset/{'0' * 64}", headers=wrong).status_code == 403
    with (
        connect(base.replace("http", "ws") + "/live", origin=Origin(base)) as line,
        pytest.raises(ConnectionClosed) as closed,
    ):
        line.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403


def test_the_page_tells_browsers_to_be_strict(client: Client) -> None:
    answer = client.http.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    answer = client.http.post("/session", content="wrong")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        *("/asset/../../etc/passwd", "/asset/%2e%2e%2fetc%2fpasswd", "/asset/" + "0" * 63 + "g"),
        *("/page/../painter.py", "/page/%2e%2e/painter.py", "/page//etc/passwd", "/page/..%5c"),
        *("/asset/" + "A" * 64, "/mask/" + "0" * 64, "/painter.py", "/live", "/docs"),
    ],
)
def test_paths_lead_nowhere_else(studio: Studio, client: Client, path: str) -> None:
    with socket.create_connection(("127.0.0.1", studio.port)) as line:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nConnection: close\r\n"
        line.sendall((head + f"Cookie: {client.cookie}\r\n\r\n").encode())
        answer = b""
        while part := line.recv(65536):
            answer += part
    assert b" 40" in answer.splitlines()[0]
    assert b"root:" not in answer
    assert b"import" not in answer


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header promises many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    body = (
        chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_uploads_that_are_refused(client: Client, studio: Studio) -> None:
    for content, said in (
        (huge_png(50_000, 50_000), "pixels"),
        (huge_png(9000, 9000), "too many"),
        (b"no picture", "that is no picture"),
        (b"", "that is no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "that is no picture"),
        (photo_bytes()[:100], "picture"),
    ):
        answer = client.upload(content)
        assert answer.status_code == 400
        assert said in answer.json()["error"]
        assert hashlib.sha256(content).hexdigest() not in studio.assets
    answer = client.http.put(f"/asset/{'0' * 64}", content=photo_bytes())
    assert "not what its hash says" in answer.json()["error"]
    answer = client.http.put(f"/mask/{'0' * 64}", content=huge_png(5000, 10))
    assert "a mask is a PNG of 512" in answer.json()["error"]
    black = png(Image.new("L", (20, 20)))
    digest = hashlib.sha256(black).hexdigest()
    assert client.http.put(f"/mask/{digest}", content=black).json() == {"mask": None}


def test_an_upload_that_never_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucid.studio.server.MAX_UPLOAD", 100_000)

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"\x89PNG" + bytes(10_000)

    with contextlib.suppress(httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        answer = client.http.put(f"/asset/{'0' * 64}", content=endless())
        assert answer.status_code == 400
        assert "larger than" in answer.json()["error"]


def test_the_studio_is_full(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "MAX_TOTAL", 300)
    answer = client.upload(photo_bytes((200, 200)))
    assert "the studio is full" in answer.json()["error"]


def recalled(client: Client, recipe: str) -> str:
    """What the studio says to a picture with such a recipe."""
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("lucid", recipe)
    file = io.BytesIO()
    Image.new("RGB", (32, 32)).save(file, "PNG", pnginfo=chunks)
    client.do("recall", asset=client.upload(file.getvalue()).json()["sha"])
    return str(client.wait_for("error")["text"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('base = ["/etc/passwd"]', "painted on /etc/passwd: drop that here first"),
        ('class = ["lion@/etc/passwd.png"]', "no region /etc/passwd.png"),
        ('net = "/tmp/evil.py:net"', "is not in the box"),
        ('net = "evil.pt"', "is not in the box"),
        ('weights = "/tmp/evil.pth"', "the studio has no weights"),
        ('objective = ["evil.py:run"]', "the studio has no objective"),
        ('canvas = "evil.py:run"', "the studio has no canvas"),
        ('tiles = "evil.py:run"', "is not in the box"),
        ('preset = "/etc/evil.toml"', "is not in the box"),
        ('at = [["1", "mask=/etc/passwd"]]', "the picture names /etc/passwd"),
        ('at = [["1", "class=lion@/etc/x.png"]]', "the picture names /etc/x.png"),
        ('at = "1 erase=x"', "the picture's edits are no pairs"),
        ("at = 5", "the picture's edits are no pairs"),
        ('at = [["1", "mask = /etc/passwd"]]', "the picture names /etc/passwd"),
        ('layer = ["8:5@0.5,0.5"]', "no neurons"),
        ('output = "/tmp/out.png"', "the studio has no output"),
        ('size = "evil"', "WIDTHxHEIGHT"),
        ('size = "99999x99999"', "a side must be"),
        ('guide = "/etc/passwd"', "painted on /etc/passwd"),
    ],
)
def test_recipes_of_strangers(client: Client, options: str, said: str) -> None:
    assert said in recalled(client, f'command = "draw"\n{options}\n')


def test_recipes_that_are_none(client: Client) -> None:
    assert "not by `lucid draw`" in recalled(client, 'command = "film"\nwarps = "evil.py"\n')
    text = 'command = "draw"\n[masks]\n"sha256:00" = "AAAA"\n'
    assert "mask of the recipe cannot be read" in recalled(client, text)
    mask = "iVBORw0KGgo="
    assert "cannot be read" in recalled(client, f'command = "draw"\n[masks]\nx = "{mask}"\n')
    assert recalled(client, "command = \n")


def test_messages_that_make_no_sense(studio: Studio, client: Client) -> None:
    other = Client(studio)
    for text in (
        *("{", "null", "[]", "3", '"do"', "{}", '{"do": 3}', '{"do": "quit"}', '{"do": "ask"}'),
        *('{"do": "nix"}', "[" * 30_000, '{"do": "hello"}'),
    ):
        other.socket.send(text)
        assert "does not know" in other.wait_for("error")["text"]
    other.socket.send(b"\0" * 100)
    assert "does not know" in other.wait_for("error")["text"]
    for command, said in (
        ('{"do": "set"}', "set needs changes"),
        ('{"do": "set", "changes": {"rows": [[]]}}', "a row has id"),
        ('{"do": "pick", "index": "x"}', "no sheet"),
        ('{"do": "go", "to": {}}', "nothing to undo"),
        ('{"do": "erase", "mask": []}', "erase needs a mask"),
        ('{"do": "erase", "mask": {"a": 1}}', "erase needs a mask"),
        ('{"do": "recall", "asset": "../x"}', "no such upload"),
        ('{"do": "film", "frames": -1}', "frames must be"),
        ('{"do": "film", "warps": "zoom"}', "warps must be a list"),
        ('{"do": "film", "at": [[1]]}', "a key frame is"),
        ('{"do": "download", "format": "exe"}', "there is no film"),
        ('{"do": "save"}', "paint first"),
        ('{"do": "command"}', "paint first"),
        ('{"do": "fork"}', "paint first"),
    ):
        other.socket.send(command)
        assert said in other.wait_for("error")["text"]
    with contextlib.suppress(ConnectionClosed):
        for _ in range(100):
            other.socket.send("{")
        other.socket.send("x" * 100_000)  # longer than any message may be
        while True:
            other.socket.recv(timeout=10)
    assert other.socket.protocol.state.name in ("CLOSED", "CLOSING")
    other.http.close()


def test_a_page_that_never_acknowledges(studio: Studio, client: Client) -> None:
    deaf = Client(studio)
    client.set(**SMALL)
    client.do("play")
    client.passes(20)
    deaf.socket.close()
    deaf.http.close()


def test_many_pages_at_once(studio: Studio, client: Client) -> None:
    client.set(**SMALL)
    client.do("play")
    address = client.base.replace("http", "ws") + "/live"

    async def come(leave: asyncio.Event) -> bool:
        """Whether a page was let in; it stays until all have come."""
        cookie = {"Cookie": client.cookie}
        try:
            async with connect_async(
                address, origin=Origin(client.base), additional_headers=cookie, open_timeout=60
            ) as line:
                await line.recv()
                await leave.wait()
                return True
        except (ConnectionClosed, InvalidStatus, InvalidMessage, OSError):
            return False

    async def all_come() -> list[bool]:
        leave = asyncio.Event()
        pages = [asyncio.create_task(come(leave)) for _ in range(200)]
        while sum(page.done() for page in pages) < 185:
            await asyncio.sleep(0.1)
        leave.set()
        return await asyncio.gather(*pages)

    assert sum(asyncio.run(all_come())) == 15  # and the client
    client.passes(5)


def test_what_is_saved_has_a_harmless_name(client: Client) -> None:
    client.set(**SMALL, rows=[{"id": 1, "name": "lion"}])
    client.do("play")
    client.passes(2)
    client.do("pause")
    client.do("save")
    saved = client.wait_for("saved")
    answer = client.http.get(
        f"/asset/{saved['asset']}", params={"name": '../../x"; evil\r\nX: y\u202e.png'}
    )
    assert (
        answer.headers["content-disposition"] == 'attachment; filename=".._.._x___evil__X__y_.png"'
    )


def test_a_port_that_is_taken(studio: Studio) -> None:
    with pytest.raises(UsageError, match=f"port {studio.port} cannot be had"):
        Studio(port=studio.port)
    result = CliRunner().invoke(main, ["studio", "--no-open", "--port", str(studio.port)])
    assert result.exit_code == 2
    assert "another studio" in result.output


def test_over_an_app_without_a_socket(tmp_path: Path) -> None:
    """Starlette's own client, which can send what no HTTP client would."""
    studio = Studio(port=0, folder=tmp_path)
    host = f"127.0.0.1:{studio.port}"
    headers = {"Origin": f"http://{host}", "Host": host}
    page = TestClient(studio.app, base_url=f"http://{host}")
    assert page.get("/").status_code == 200
    assert page.post("/session", content=studio.token, headers=headers).status_code == 204
    with (
        pytest.raises(WebSocketDisconnect),
        page.websocket_connect("/live", headers={"Host": host}),  # without an origin
    ):
        pass
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    with page.websocket_connect("/live", headers={**headers, "Cookie": cookie}) as line:
        assert json.loads(line.receive_text())["type"] == "hello"
    studio.painter.start()
    studio.stop()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Studio(port=0, folder=tmp_path / "autosave") as studio:
        folder = studio.assets.folder
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    with socket.socket() as line:
        line.bind(("127.0.0.1", studio.port))


def test_only_this_machine_reaches_it(studio: Studio) -> None:
    assert studio._socket.getsockname()[0] == "127.0.0.1"
    with socket.socket() as other:  # the port is free on every other address of this machine
        other.bind(("127.0.0.2", studio.port))
