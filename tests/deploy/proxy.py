"""nginx with the configuration of ``deploy/nginx``, changed in ports and paths alone."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from tests.deploy.ports import unused_ports, wait_for

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "deploy" / "nginx"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/temporary/body;
    proxy_temp_path {folder}/temporary/proxy;
    fastcgi_temp_path {folder}/temporary/fastcgi;
    uwsgi_temp_path {folder}/temporary/uwsgi;
    scgi_temp_path {folder}/temporary/scgi;
    include {folder}/conf.d/*.conf;
}}
"""


class From(HTTPAdapter):
    """Ask from another of this machine's addresses, as another client would."""

    def __init__(self, address: str) -> None:
        self._address = address
        super().__init__()

    def init_poolmanager(self, *args: object, **options: object) -> None:
        super().init_poolmanager(*args, source_address=(self._address, 0), **options)  # type: ignore[arg-type]


class Proxy:
    """A running nginx. ``changes`` replaces further text of visiongate.conf, each found once."""

    def __init__(self, folder: Path, gateway_port: int, **changes: tuple[str, str]) -> None:
        self.folder = folder
        plain, tls = unused_ports(2)
        self.plain = f"http://127.0.0.1:{plain}"
        self.address = f"https://127.0.0.1:{tls}"
        self.tls_port = tls
        (folder / "conf.d").mkdir(parents=True)
        (folder / "temporary").mkdir()
        certificates = folder / "tls"
        make = [ROOT / "deploy" / "make-certificate", "127.0.0.1", certificates]
        subprocess.run(make, check=True, capture_output=True)
        self.certificate = certificates / "fullchain.pem"
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder))
        self._copy(
            "visiongate.conf",
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{tls} ssl;"),
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl;\n", ""),
            ("/etc/visiongate/tls/fullchain.pem", f"{self.certificate}"),
            ("/etc/visiongate/tls/privkey.pem", f"{certificates}/privkey.pem"),
            *changes.values(),
            everywhere=("/var/log/nginx/access.log", f"{folder}/access.log"),
        )
        self._copy("visiongate-upstream.conf", ("127.0.0.1:5000", f"127.0.0.1:{gateway_port}"))
        assert NGINX
        self._command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        self._process: subprocess.Popen[bytes] | None = None

    def _copy(
        self, name: str, *changes: tuple[str, str], everywhere: tuple[str, str] = ("", "")
    ) -> None:
        text = (CONFIGURATION / name).read_text()
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
            text = text.replace(old, new)
        if everywhere[0]:
            text = text.replace(*everywhere)
        (self.folder / "conf.d" / name).write_text(text)

    def check(self) -> str:
        """Return what ``nginx -t`` says; raise where it refuses."""
        done = subprocess.run([*self._command, "-t"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "error.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(self.tls_port, self._process, self.folder / "error.log")

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def session(self, address: str = "127.0.0.1") -> requests.Session:
        """Return a session that trusts the certificate, and asks from ``address``."""
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.certificate)
        session.mount("https://", From(address))
        return session

    def connection(self, *, receive_buffer: int = 0) -> ssl.SSLSocket:
        """Return an open TLS connection, to write into what no client library would."""
        plain = socket.socket()
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(30)
        plain.connect(("127.0.0.1", self.tls_port))
        context = ssl.create_default_context(cafile=str(self.certificate))
        return context.wrap_socket(plain, server_hostname="127.0.0.1")
