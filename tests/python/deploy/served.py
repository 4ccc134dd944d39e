"""Deployments for tests: what `ttdirect deploy` writes, and real programs that run it."""

import contextlib
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter

from processes import ServerProcess, environment, free_port, running, script_for_fake_card
from ttdirect.cli.main import main

CLIENT = "a-client-with-a-key-of-its-own"
METRICS = "what-prometheus-knows"


def tool(name: str) -> str:
    """The path of a program that Debian has; skips the test where it is missing, fails it in CI."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:{Path(sys.executable).parent}")
    if found is None:
        assert not os.environ.get("REQUIRE_DEPLOY_TOOLS"), f"{name} is not installed"
        pytest.skip(f"{name} is not installed (see .ci/run)")
    return found


def check(*command: str | Path) -> str:
    """Run a checker and return what it says; a complaint fails the test."""
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, f"{shlex.join(map(str, command))}\n{run.stdout}{run.stderr}"
    return run.stdout + run.stderr


def two_free_ports() -> int:
    """A port that was free a moment ago, as was the next one."""
    while True:
        first = free_port()
        with contextlib.suppress(OSError), _listening(first + 1):
            return first


@contextlib.contextmanager
def _listening(port: int) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", port)):
        yield


class Deployment:
    """A script on the fake card and what `ttdirect deploy` wrote for it.

    Args:
        folder: for the script; its `deploy` gets the files.
        targets: what to write.
        options: of the command.
    """

    def __init__(self, folder: Path, *targets: str, options: tuple[str, ...] = ()) -> None:
        self.script = script_for_fake_card(folder)
        self.folder = folder / "deploy"
        self.folder.mkdir()
        (self.folder / "api-keys").write_text(f"clients:{CLIENT}\nprometheus:{METRICS}\n")
        (self.folder / "api-keys").chmod(0o600)
        chosen = [word for target in targets for word in ("--target", target)]
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("HF_MODEL", raising=False)
            assert main(["deploy", str(self.script), *chosen, *options]) == 0

    def __getitem__(self, name: str) -> str:
        return (self.folder / name).read_text()

    @property
    def ports(self) -> list[int]:
        """Those of the instances that nginx knows."""
        return [
            int(port)
            for port in re.findall(
                r"(?m)^ +server 127\.0\.0\.1:(\d+)", self["tt-api-server-direct.nginx.conf"]
            )
        ]

    def unit_command(self, port: int) -> list[str]:
        """What systemd would start for the service of a port."""
        line = re.search(r"(?m)^ExecStart=(.*)$", self["tt-api-server-direct@.service"])[1]
        return shlex.split(line.replace("%i", str(port)))

    @contextlib.contextmanager
    def instance(self, port: int, card: str = "{}") -> Iterator[ServerProcess]:
        """The server that systemd would start on a port, not waited for."""
        command = self.unit_command(port)
        home = Path(tempfile.mkdtemp(dir=self.folder))
        with running(command, self.folder.parent, HOME=str(home), FAKE_CARD=card) as server:
            server.headers["Authorization"] = f"Bearer {CLIENT}"
            yield server


class Nginx:
    """Real nginx with the site that was written, on ports and a certificate of the test's own.

    Args:
        deployment: with the target nginx.
        folder: for its own files.
        certificate: the folder of its certificate, which signs itself.
    """

    def __init__(self, deployment: Deployment, folder: Path, certificate: Path) -> None:
        self.authority = str(certificate / "fullchain.pem")
        self.port, self.plain_port = free_port(), free_port()
        folder.mkdir(exist_ok=True)
        site = deployment["tt-api-server-direct.nginx.conf"]
        site = re.sub(r"(?m)^ *listen \[::\]:.*\n", "", site)
        site = site.replace("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;")
        site = site.replace("listen 80;", f"listen 127.0.0.1:{self.plain_port};")
        (folder / "site.conf").write_text(site)
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{user} daemon off; worker_processes 1; pid {folder}/pid;\n"
            f"error_log {folder}/error.log;\n"
            "events { worker_connections 1024; }\n"
            f"http {{ access_log off; client_body_temp_path {folder}/body;\n"
            f"  proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;\n"
            f"  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;\n"
            f"  include {folder}/site.conf; }}\n"
        )
        self.command = [
            tool("nginx"),
            "-e",
            f"{folder}/error.log",
            "-c",
            str(folder / "nginx.conf"),
        ]
        self.url = f"https://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator["Nginx"]:
        """While it serves."""
        process = subprocess.Popen(self.command, env=environment(), start_new_session=True)
        try:
            until = time.monotonic() + 20
            while True:
                with contextlib.suppress(requests.ConnectionError):
                    if self.client().get(f"{self.url}/metrics", timeout=5).status_code == 404:
                        break
                assert process.poll() is None, "nginx has ended"
                assert time.monotonic() < until, "nginx does not answer"
                time.sleep(0.01)
            yield self
        finally:
            process.terminate()
            process.wait(20)

    def client(self, address: str = "127.0.0.1", key: str = CLIENT) -> requests.Session:
        """A client with an address of its own; all of 127/8 is this computer."""
        session = requests.Session()
        session.verify = self.authority
        session.mount("https://", _From(address))
        session.trust_env = False
        if key:
            session.headers["Authorization"] = f"Bearer {key}"
        return session

    def connect(self) -> ssl.SSLSocket:
        """A connection of a client that decides on each byte."""
        context = ssl.create_default_context(cafile=self.authority)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")


class _From(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__(pool_maxsize=64)

    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, source_address=(self._address, 0), **more)


def make_certificate(folder: Path) -> None:
    """A certificate for 127.0.0.1 that signs itself, in files that are named as certbot's."""
    command = [tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "privkey.pem")]
    check(*command, "-out", str(folder / "fullchain.pem"))
