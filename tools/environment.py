"""Make a virtual environment and install pinned requirements into it.

``python tools/environment.py FOLDER REQUIREMENTS...``: run by the Makefile with any Python of
3.10 or newer, standard library alone. uv does the installing, since it takes seconds where pip
takes minutes; it is handed pip's own settings (index, certificates, proxy), and where it cannot
be had, pip does the work.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

UV = "uv==0.13.8"
OLDEST = (3, 10)

_FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}


def main(arguments: Sequence[str]) -> int:
    """Bring the environment to the state that the requirements files ask for."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    files = [Path(name) for name in arguments[1:]]
    python = str(interpreter(folder))
    if not usable(python):
        print(f"Making the environment {folder} with Python {sys.version.split()[0]} ...")
        venv.create(folder, clear=True, with_pip=True, symlinks=os.name != "nt")
    print(f"Installing {', '.join(map(str, files))} (the first time takes a minute or two) ...")
    install(python, files)
    mend_opencv(python)
    return 0


def interpreter(folder: Path) -> Path:
    """Return where the environment in ``folder`` has its Python."""
    if os.name == "nt":
        return folder / "Scripts" / "python.exe"
    return folder / "bin" / "python"


def usable(python: str) -> bool:
    """Tell whether an environment is there, whole, and of a Python that suits.

    One is not after an upgrade of the system's Python, or when making it was interrupted.
    """
    test = f"import sys, pip; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([python, "-c", test], capture_output=True).returncode == 0
    except OSError:
        return False


def install(python: str, files: Sequence[Path]) -> None:
    """Install the files' requirements with uv, or with pip where uv fails."""
    wanted = [part for file in files for part in ("--requirement", str(file))]
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install"]
    if subprocess.run([*pip, "--quiet", UV]).returncode == 0:
        uv = [python, "-m", "uv", "pip", "install", "--python", python, *wanted]
        if subprocess.run(uv, env={**os.environ, **settings_for_uv(python)}).returncode == 0:
            return
    print("uv could not install the requirements; pip will try, which takes longer ...")
    subprocess.run([*pip, *wanted], check=True)


def settings_for_uv(python: str) -> Mapping[str, str]:
    """Translate pip's configuration, which uv does not read; what the user set for uv stays."""
    listing = subprocess.run(
        [python, "-m", "pip", "config", "list"], capture_output=True, text=True
    ).stdout
    settings = {"UV_SYSTEM_CERTS": "true"}
    for name, value in pip_settings(listing).items():
        settings[_FROM_PIP[name]] = value
        if name in ("index-url", "extra-index-url"):
            settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # pip's rule for two indexes
    return {name: value for name, value in settings.items() if name not in os.environ}


def pip_settings(listing: str) -> Mapping[str, str]:
    """Read ``pip config list``: environment before ``[install]`` before ``[global]``."""
    found: dict[str, str] = {}
    for scope in ("global.", "install.", ":env:."):
        for line in listing.splitlines():
            key, _, value = line.partition("=")
            name = key.removeprefix(scope)
            if key.startswith(scope) and name in _FROM_PIP:
                found[name] = " ".join(str(ast.literal_eval(value)).split())
    if "find-links" in found:
        found["find-links"] = ",".join(found["find-links"].split())
    return found


def mend_opencv(python: str) -> None:
    """Swap in OpenCV without windows where the system lacks the libraries for them.

    opencv-python loads libGL and glib, which servers and containers often do not have; the
    headless build of the same version answers alike. Nothing of the gateway opens a window.
    """
    which = "from importlib.metadata import version; print(version('opencv-python'))"
    found = subprocess.run([python, "-c", which], capture_output=True, text=True)
    trial = subprocess.run([python, "-c", "import cv2"], capture_output=True, text=True)
    if found.returncode or trial.returncode == 0:
        return
    version = found.stdout.strip()
    reason = trial.stderr.strip().splitlines()[-1]
    print(f"opencv-python does not load here ({reason}); taking opencv-python-headless.")
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "uninstall", "--yes", "opencv-python"], check=True)
    headless = f"opencv-python-headless=={version}"
    subprocess.run([*pip, "install", "--no-deps", "--force-reinstall", headless], check=True)
    subprocess.run([python, "-c", "import cv2"], check=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"Setting up failed: {' '.join(map(str, error.cmd))} (exit {error.returncode})")
