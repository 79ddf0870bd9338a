"""Make deploy/Dockerfile's image as a folder: its very steps, with this machine as the base image.

No Docker engine is asked. COPY copies, RUN runs the shell line that stands in the file, and ENV,
WORKDIR and CMD hold as they would; of each line only the paths that belong to the image are led
into the folder. What a real base image would decide (its libraries, its user ids) is not shown.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
OWN = ("/opt/visiongate", "/app", "/data", "/weights", "/src", "/etc/visiongate", "/tmp")
"""The image's own folders; a step that names another is refused."""
_PATH = re.compile(r"(?<![\w./$}{-])/[\w.][\w./-]*")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions and what follows each, comments left out."""
    parser = DockerfileParser(fileobj=BytesIO(DOCKERFILE.read_bytes()))
    return [
        (one["instruction"], one["value"])
        for one in parser.structure
        if one["instruction"] != "COMMENT"
    ]


@dataclass
class Stage:
    """One FROM's folder, environment and working directory."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def inside(self, text: str) -> str:
        """Lead the image's own paths in ``text`` into the folder."""

        def led(found: re.Match[str]) -> str:
            assert found[0].startswith(OWN), f"{found[0]} is none of the image's own folders"
            return str(self.folder) + found[0]

        return _PATH.sub(led, text)

    def path(self, name: str) -> Path:
        """Return where ``name``, seen from the working directory, is in the folder."""
        return self.folder / os.path.join(self.workdir, name).lstrip("/")  # noqa: PTH118

    def world(self, **more: str) -> dict[str, str]:
        """Return the environment of a process in this stage."""
        paths = f"{self.folder}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin"
        own = {name: self.inside(value) for name, value in self.environment.items()}
        own["PATH"] = own.get("PATH", "$PATH").replace("$PATH", paths)
        return {"HOME": f"{self.folder}/root", "TMPDIR": f"{self.folder}/tmp", **own, **more}


class Image:
    """The stages of the Dockerfile, built in ``folder`` with these build arguments."""

    def __init__(self, folder: Path, **arguments: str) -> None:
        self._folder = folder
        self._given = arguments
        self.stages: dict[str, Stage] = {}
        self.steps: list[str] = []
        self.final = Stage(folder)
        for instruction, value in instructions():
            getattr(self, f"_{instruction.lower()}")(value)

    def _from(self, value: str) -> None:
        base, _, name = value.partition(" AS ")
        folder = self._folder / (name or "final")
        stage = Stage(folder)
        if before := self.stages.get(base):
            subprocess.run(["cp", "-al", before.folder, folder], check=True)
            # Environments know their own folder; this one is the same, by another name.
            stage.environment = {**before.environment}
        else:
            assert base == "${PYTHON_IMAGE}", base
            (folder / "usr/local/bin").mkdir(parents=True)
            interpreter = getattr(sys, "_base_executable", sys.executable)
            (folder / "usr/local/bin/python").symlink_to(interpreter)
        for owned in ("tmp", "root"):
            (folder / owned).mkdir(exist_ok=True)
        self.final = stage
        if name:
            self.stages[name] = stage

    def _arg(self, value: str) -> None:
        name, _, default = value.partition("=")
        self.final.arguments[name] = self._given.get(name, default.strip('"'))

    def _env(self, value: str) -> None:
        self.final.environment |= dict(one.split("=", 1) for one in shlex.split(value))

    def _workdir(self, value: str) -> None:
        self.final.workdir = value
        self.final.path(".").mkdir(parents=True, exist_ok=True)

    def _user(self, value: str) -> None:
        self.final.user = value

    def _copy(self, value: str) -> None:
        *sources, target = [word for word in shlex.split(value) if not word.startswith("--")]
        origin = re.search(r"--from=(\w+)", value)
        for source in sources:
            if origin:
                self._link(self.stages[origin[1]].path(source), self.final.path(target))
            elif (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, self.final.path(target), ignore=ignored)
            else:
                self.final.path(target).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, self.final.path(target))

    @staticmethod
    def _link(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-al", source, target], check=True)

    def _run(self, value: str) -> None:
        stage = self.final
        # As a build outside of this machine's own settings, but by its ways to packages.
        allowed = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy")
        ours = {k: v for k, v in os.environ.items() if k.startswith(allowed)}
        ours |= {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))}
        done = subprocess.run(
            ["/bin/sh", "-c", stage.inside(value)],
            cwd=stage.path("."),
            env={**ours, **stage.world(**stage.arguments)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"RUN {value}\n{done.stdout}\n{done.stderr}"
        self.steps.append(value)

    def _cmd(self, value: str) -> None:
        self.final.command = [self.final.inside(word) for word in _words(value)]

    def _healthcheck(self, value: str) -> None:
        self.final.healthcheck = [self.final.inside(w) for w in _words(value.split("CMD", 1)[1])]

    def _nothing(self, value: str) -> None:
        """What changes no file and no process here."""

    _label = _volume = _expose = _nothing


def _words(listed: str) -> list[str]:
    return re.findall(r'"([^"]*)"', listed)
