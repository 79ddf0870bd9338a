"""Show the gateway at work: start one, add a user, log in, find a face in a photograph, stop.

``make demo``, or ``python examples/demo.py [PICTURE]``. Needs nothing and asks nothing: users,
keys and kept pictures go into a temporary folder, which is removed at the end. Writes the
annotated picture into the working directory. Exit status 0 only if a face was found.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[1]
USER = "demo"
START_SECONDS = 120.0
ANSWER_SECONDS = 120.0
_PHOTOGRAPHS = (
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    ("skimage", "data/astronaut.png"),
)


class DemoFailed(Exception):
    """The demonstration cannot go on; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Run the demonstration; return its exit status."""
    try:
        photograph = Path(arguments[0]) if arguments else bundled_photograph()
        picture = photograph.read_bytes()
        with tempfile.TemporaryDirectory(prefix="visiongate-demo-") as folder:
            found, drawn = show(photograph.name, picture, Path(folder))
    except (DemoFailed, OSError, requests.RequestException) as problem:
        print(f"The demonstration failed: {problem}", file=sys.stderr)
        return 1
    target = Path.cwd() / f"demo-{photograph.stem}.jpg"
    target.write_bytes(drawn)
    print(f"\nAnnotated picture: {target}")
    if not found:
        print("No face was found in it.", file=sys.stderr)
        return 1
    print("Next: make serve, and README.md.")
    return 0


def bundled_photograph() -> Path:
    """Return a photograph of a face that an installed package ships; does not import it."""
    for package, inside in _PHOTOGRAPHS:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (photograph := Path(folder) / inside).is_file():
                return photograph
    raise DemoFailed("no photograph is installed; name one: python examples/demo.py PICTURE")


def show(name: str, picture: bytes, folder: Path) -> tuple[list[object], bytes]:
    """Send the picture to a gateway of its own; return the faces and the annotated JPEG."""
    environment = throw_away_settings(folder)
    password = secrets.token_urlsafe(12)
    add_user(environment, folder, password)
    print(f"1. Added the user {USER!r}:  python adduser.py -u {USER}")
    with gateway(environment, folder) as address:
        print(f"2. Started the gateway on {address}:  python api.py")
        token = post(
            f"{address}/api/v1/login", json={"username": USER, "password": password}
        ).json()["access_token"]
        print("3. Logged in for a token:  POST /api/v1/login")
        session = {"Authorization": f"Bearer {token}"}
        began = time.perf_counter()
        answer = post(
            f"{address}/api/v1/detect/face", headers=session, files={"file": (name, picture)}
        ).json()
        print(f"4. Sent {name}:  POST /api/v1/detect/face")
        print(f"   The answer, after {time.perf_counter() - began:.2f} s, loading included:\n")
        print("[" + ",\n ".join(json.dumps(item) for item in answer) + "]")
        drawn = post(
            f"{address}/api/v1/detect/face",
            headers=session,
            params={"annotate": "true", "delete": "true"},
            files={"file": (name, picture)},
        ).content
    return answer, drawn


def throw_away_settings(folder: Path) -> Mapping[str, str]:
    """Return an environment whose gateway keeps everything in ``folder``, on a free port.

    Where weights come from stays as the operator has set it.
    """
    kept = ("VISIONGATE_MODEL_MIRROR", "VISIONGATE_OFFLINE")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in kept or not (name.startswith("VISIONGATE_") or name in ("PORT", "FLASK_DEBUG"))
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return environment | {
        "VISIONGATE_DATA_DIR": str(folder / "data"),
        "VISIONGATE_IMAGES_DIR": str(folder / "images"),
        "VISIONGATE_HOST": "127.0.0.1",
        "VISIONGATE_PORT": str(port),
        # The first answer waits for the network to be loaded, which takes long where all is busy.
        "VISIONGATE_DEADLINE_MS": str(round(ANSWER_SECONDS * 1000)),
    }


def add_user(environment: Mapping[str, str], folder: Path, password: str) -> None:
    """Add the user as an administrator would, on the command line."""
    command = [sys.executable, str(ROOT / "adduser.py"), "-u", USER, "--password-stdin"]
    done = subprocess.run(
        command, input=password + "\n", env=environment, cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        raise DemoFailed(f"adduser.py said: {done.stderr.strip()}")


@contextmanager
def gateway(environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Run a gateway for the ``with`` block; yield its address once it answers."""
    log = folder / "gateway.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, str(ROOT / "api.py")],
            env=environment,
            cwd=folder,  # the operator's .env and visiongate.toml are not for this gateway
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{environment['VISIONGATE_PORT']}"
    try:
        wait_until_live(server, address)
        yield address
    except (DemoFailed, requests.RequestException):
        print("The gateway's last lines:", file=sys.stderr)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(lines[-15:]), file=sys.stderr)
        raise
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_live(server: subprocess.Popen[bytes], address: str) -> None:
    """Wait until the gateway answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise DemoFailed(f"the gateway ended with exit status {server.returncode}")
        try:
            if requests.get(f"{address}/health/live", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
    raise DemoFailed(f"the gateway did not answer within {START_SECONDS:.0f} s")


def post(address: str, **content: object) -> requests.Response:
    """Send a request; raise with the problem document's words where it is refused."""
    response = requests.post(address, timeout=ANSWER_SECONDS, **content)  # type: ignore[arg-type]
    if not response.ok:
        raise DemoFailed(f"{address} answered {response.status_code}: {response.text.strip()}")
    return response


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
