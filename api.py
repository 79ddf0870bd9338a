"""Serve the gateway: ``python api.py``, or ``api:app`` for any WSGI server.

Runs gunicorn with threads (waitress on Windows), never Flask's development server. SIGTERM
lets running requests finish. Importing this module builds nothing; ``app`` is built when it
is first asked for.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visiongate import heap
from visiongate.errors import ConfigurationError, VisiongateError
from visiongate.settings import Settings, load_settings

if TYPE_CHECKING:
    from flask import Flask

_MEMORY_FOLDER = "/dev/shm"  # nosec B108  # noqa: S108 - where a heartbeat file never waits for a disk
_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_BODY_OVERHEAD = 2_000_000
_TURN_SECONDS = 0.0005
"""How long a thread may keep Python from the others. The loop that takes requests in waits for such
a turn after each read and write; with Python's own 5 ms, those who are refused hold up those who
are not. Measured, it takes no more processor."""
_USAGE = """Serve the gateway until it is stopped. It takes settings, no options: VISIONGATE_...
in the environment, such as VISIONGATE_PORT=8080, or visiongate.toml; see docs/configuration.md."""
_SPARE_THREADS = 14
"""Threads beyond those that compute or wait, so that health checks and logins get through."""


def build() -> Flask:
    """Build the application and start its background work, from the settings."""
    from visiongate.services import build_services
    from visiongate.web.app import create_app

    settings = load_settings()
    services = build_services(settings)
    app = create_app(settings, services)
    services.start()
    heap.start_trimming()
    app.extensions["visiongate"] = services
    return app


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(name)
    app = build()
    globals()["app"] = app
    return app


def main(arguments: Sequence[str] = ()) -> int:
    """Serve until told to stop; return the exit status."""
    argparse.ArgumentParser(prog="api.py", description=_USAGE).parse_args(arguments)
    try:
        settings = load_settings()
        _share_metrics(settings)
        _check_address(settings)
        _check(settings)
    except VisiongateError as error:
        print(f"visiongate: {error.detail}", file=sys.stderr)
        return 1
    heap.tune()
    sys.setswitchinterval(_TURN_SECONDS)
    if sys.platform == "win32":
        return _serve_waitress(settings)
    return _serve_gunicorn(settings)


def _share_metrics(settings: Settings) -> None:
    """Give several workers a folder to add up their counts in.

    prometheus_client looks for it when it is imported, so this comes before all else.
    """
    if settings.workers > 1 and sys.platform != "win32" and _METRICS not in os.environ:
        os.environ[_METRICS] = tempfile.mkdtemp(prefix="visiongate-metrics-")
        # In this process alone: the workers are forked from it, and must not clean up.
        atexit.register(_remove_metrics, os.environ[_METRICS], os.getpid())


def _remove_metrics(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _check_address(settings: Settings) -> None:
    """Fail at once, and say so in one line, where somebody else listens there already."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while ")[0]  # "... to bind on address"
        raise ConfigurationError(
            f"The gateway cannot listen on {settings.host}, port {settings.port}: {reason}. "
            "Stop what listens there, or choose another port: "
            f"VISIONGATE_PORT={settings.port % 65535 + 1}"
        ) from error


def _check(settings: Settings) -> None:
    """Fail here, in one line, rather than in every worker; and say how to begin.

    What this imports is inherited by the workers, so that they start sooner and share it. Nothing
    here may start a thread, or have OpenVINO or OpenCV compute: that does not survive the fork.
    """
    from visiongate.runtimes.openvino import import_openvino
    from visiongate.services import build_services
    from visiongate.web import app  # noqa: F401 - imported to be inherited

    services = build_services(settings)
    services.keys.list()  # makes them, or says what is wrong with them
    if settings.workers > 1 and sys.platform != "win32":
        services.registry.read_ahead(services.models)
    services.close()
    import_openvino()
    if not services.user_store.page("", 1):
        print(
            "No user exists yet. Add one, in another terminal if you like:  "
            f"{_python()} adduser.py",
            file=sys.stderr,
            flush=True,
        )


def _python() -> str:
    """Return how this interpreter is called in the folder that the gateway is started in."""
    try:
        return str(Path(sys.executable).relative_to(Path.cwd()))
    except ValueError:
        return "python"


def _say_where(settings: Settings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(
        f"Visiongate listens on http://{host}:{settings.port} (stop it with Ctrl+C).",
        file=sys.stderr,
        flush=True,
    )


def _threads(settings: Settings) -> int:
    from visiongate.services import places

    return settings.threads or places(settings) + settings.max_waiting + _SPARE_THREADS


def _largest_body(settings: Settings) -> int:
    """Return more bytes than any request may have that is not refused for its length."""
    return 2 * settings.max_upload_bytes + _BODY_OVERHEAD


def _share_with_workers() -> None:
    """Let the processes that are forked from this one go on sharing what it has in memory.

    They copy a page when they first write to it, and the garbage collector writes to every object
    that it looks at; what is frozen it leaves alone.
    """
    gc.collect()
    gc.freeze()


def _serve_gunicorn(settings: Settings) -> int:
    from gunicorn.app.base import BaseApplication

    from visiongate.web.logging import gunicorn_logger
    from visiongate.web.serving.door import door_of
    from visiongate.web.serving.patient_worker import patient_worker

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            options = {
                "bind": f"{settings.host}:{settings.port}",
                "workers": settings.workers,
                "worker_class": patient_worker(_largest_body(settings), door_of),
                "threads": _threads(settings),
                "graceful_timeout": int(settings.shutdown_seconds) or 1,
                "timeout": 120,
                "keepalive": 15,
                "sendfile": False,  # which a client that does not read would hold a thread with
                "reload": settings.debug,
                "worker_tmp_dir": _MEMORY_FOLDER if Path(_MEMORY_FOLDER).is_dir() else None,
                # Else another one, which none of our tests has met, serves where it is installed.
                "http_parser": "python",
                "logger_class": gunicorn_logger(),
                # When all is well, the gateway's own log says enough.
                "loglevel": "info" if settings.debug else "warning",
                # An admin socket in the home folder, which nobody asked for.
                "control_socket_disable": True,
                "when_ready": lambda _server: _say_where(settings),
                "worker_exit": _worker_exit,
                "child_exit": _child_exit,
                "proc_name": "visiongate",
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return build()

    _share_with_workers()
    Server().run()
    return 0


def _worker_exit(_server: object, worker: Any) -> None:
    services = getattr(worker.wsgi, "extensions", {}).get("visiongate")
    if services is not None:
        services.close()


def _child_exit(_server: object, worker: Any) -> None:
    if _METRICS in os.environ:
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _serve_waitress(settings: Settings) -> int:
    import waitress

    app = build()
    try:
        waitress.serve(
            app,
            host=settings.host,
            port=settings.port,
            threads=_threads(settings),
            ident=None,
            # Waitress writes bodies over half a megabyte to a temporary file: never a picture.
            inbuf_overflow=_largest_body(settings),
        )
    finally:
        app.extensions["visiongate"].close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
