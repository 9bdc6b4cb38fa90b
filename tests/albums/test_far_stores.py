"""Albums on S3, as a server on this machine speaks it, and between two hosts with TLS."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from album_tasks import check_whole
from click.testing import CliRunner
from conftest import LUCID

from lucid.albums.album import Album
from lucid.albums.store import Store, StoreError
from lucid.cli import main

pytestmark = pytest.mark.slow

Start = Callable[..., subprocess.Popen[str]]

NET = ("--net", "tiny.cfg", "--size", "32x32", "--iters", "1", "--octaves", "1")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket."""
    server = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    running = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().makedirs("birds", exist_ok=True)
    yield "s3://birds/album"
    running.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def lucid(*words: str) -> str:
    result = CliRunner().invoke(main, [*words], env={"OMP_NUM_THREADS": "1"})
    assert result.exit_code == 0, result.output
    return result.output


def test_an_album_on_s3(desk: Path, bucket: str) -> None:
    words = ("--classes", "all", *NET, "--each", "photo.png", "-o", bucket)
    said = lucid("album", *words, "--page")
    assert f"5 of 5 pictures are in {bucket} (5 painted now" in said
    assert f"wrote {bucket}/index.html" in said
    album = Album(Store(bucket))
    entries = [*album.entries()]
    for task, record in entries:
        content = album.store.read(task.name)
        assert record.files == {task.name: hashlib.sha256(content).hexdigest()}
    gone = next(task for task, _ in entries if task.axes["class"] == "tench")
    album.store.delete(gone.name)
    assert "(1 painted now" in lucid("album", bucket, "--workers", "2")
    lucid("draw", "--class", "tench", *NET, "photo.png", "--seed", "0", "-o", "x.png")
    assert album.store.read(gone.name) == (desk / "x.png").read_bytes()
    assert album.store.names("inputs")
    assert album.store.names("thumbs")
    lucid("album", bucket, "--sheet", "all.pdf")
    assert (desk / "all.pdf").read_bytes().startswith(b"%PDF")


def test_a_bucket_without_rights_is_named(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucid.albums.store.FIRST_PAUSE", 0.01)
    with pytest.raises(StoreError, match="s3://nobodys/album/x: cannot be reached or written"):
        Store("s3://nobodys/album").write("x", b"x")


def can_make_hosts() -> bool:
    """Whether network namespaces can be made here."""
    if not shutil.which("ip") or os.geteuid() != 0:
        return False
    made = subprocess.run(["ip", "netns", "add", "lucid-try"], capture_output=True, check=False)
    subprocess.run(["ip", "netns", "del", "lucid-try"], capture_output=True, check=False)
    return made.returncode == 0


@pytest.fixture
def hosts() -> Iterator[dict[str, str]]:
    """Two hosts, each with a network of its own, and a cable between them: addresses by name."""
    if not can_make_hosts():
        pytest.skip("no network namespaces can be made here")
    one, two = (f"lucid-{name}-{os.getpid()}" for name in ("one", "two"))
    addresses = {one: "10.213.77.1", two: "10.213.77.2"}
    cable = (f"lu{os.getpid()}a"[-15:], f"lu{os.getpid()}b"[-15:])
    try:
        for name in addresses:
            subprocess.run(["ip", "netns", "add", name], check=True)
        link = ("ip", "link", "add", cable[0], "type", "veth", "peer", "name", cable[1])
        subprocess.run(link, check=True)
        for end, (name, address) in zip(cable, addresses.items(), strict=True):
            subprocess.run(["ip", "link", "set", end, "netns", name], check=True)
            inside = ["ip", "-n", name]
            subprocess.run([*inside, "addr", "add", f"{address}/24", "dev", end], check=True)
            subprocess.run([*inside, "link", "set", end, "up"], check=True)
            subprocess.run([*inside, "link", "set", "lo", "up"], check=True)
        yield addresses
    finally:
        for name in addresses:
            subprocess.run(["ip", "netns", "del", name], check=False)


def test_two_hosts_with_tls_between_them(desk: Path, hosts: dict[str, str], start: Start) -> None:
    security = pytest.importorskip("distributed.security").Security.temporary()
    for name in ("tls_ca_file", "tls_scheduler_cert", "tls_scheduler_key"):
        (desk / f"{name}.pem").write_text(getattr(security, name))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    env["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] = "true"
    env["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = str(desk / "tls_ca_file.pem")
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        for kind in ("CERT", "KEY"):
            file = desk / f"tls_scheduler_{kind.lower()}.pem"
            env[f"DASK_DISTRIBUTED__COMM__TLS__{role}__{kind}"] = str(file)

    def on(host: str, *words: str) -> subprocess.Popen[str]:
        return start(
            ["ip", "netns", "exec", host, sys.executable, "-m", *words],
            cwd=desk,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    (one, first), (two, _) = hosts.items()
    address = f"tls://{first}:8786"
    options = ("--no-dashboard", "--protocol", "tls")
    on(one, "distributed.cli.dask_scheduler", "--host", first, "--port", "8786", *options)
    for host, own in hosts.items():
        words = ("--host", own, "--nthreads", "1", "--no-nanny", *options)
        on(host, "distributed.cli.dask_worker", address, *words)
    command = ["ip", "netns", "exec", two, *LUCID, "album", "--classes", "all", *NET]
    command += ["--seeds", "0-1", "-o", "a", "--threads", "1", "--cluster", address, "--strict"]
    done = subprocess.run(command, cwd=desk, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "10 of 10 pictures are in a" in done.stdout
    check_whole(Album(Store(desk / "a")))
