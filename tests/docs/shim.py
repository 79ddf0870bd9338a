"""Stand in for programs that only an administrator may run, or that no machine of tests has.

What can be checked without them is: that flags exist, that files and units are there, that
Compose reads its file. What cannot is refused, so that a page cannot say just anything.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path


def main(name: str, arguments: list[str]) -> int:
    """Run the stand-in for ``name``."""
    return int(globals()["_" + name.replace("-", "_")](arguments))


def _real(name: str, arguments: list[str]) -> int:
    """Run the program itself, which lies behind the stand-ins on PATH."""
    path = os.environ["PATH"].split(os.pathsep, 1)[1] + ":/usr/sbin:/sbin"
    program = shutil.which(name, path=path)
    if program is None:
        return _refuse(f"{name} is not on this machine")
    return subprocess.run([program, *arguments]).returncode


def _refuse(reason: str) -> int:
    sys.stderr.write(f"shim: {reason}\n")
    return 97


def _sudo(arguments: list[str]) -> int:
    """Run the command as whoever runs the tests."""
    if arguments[0] == "-u":
        if arguments[1] != "visiongate":
            return _refuse(f"no user {arguments[1]}")
        arguments = arguments[2:]
    return subprocess.run(["env", *arguments]).returncode


def _useradd(arguments: list[str]) -> int:
    told = subprocess.run(["/usr/sbin/useradd", "--help"], capture_output=True, text=True).stdout
    unknown = [flag for flag in arguments if flag.startswith("--") and flag not in told]
    if unknown or arguments[-1] != "visiongate":
        return _refuse(f"useradd {arguments}")
    return 0


def _install(arguments: list[str]) -> int:
    """Install for real, but for the owner, who is not on this machine."""
    if "-g" in arguments:
        at = arguments.index("-g")
        del arguments[at : at + 2]
    return _real("install", arguments)


def _apt_get(arguments: list[str]) -> int:
    return _real("apt-get", ["-s", *arguments])


def _nginx(arguments: list[str]) -> int:
    """Tests in tests/deploy run `nginx -t` on the same files, with ports that are free."""
    return 0 if arguments == ["-t"] else _refuse(f"nginx {arguments}")


def _systemctl(arguments: list[str]) -> int:
    verb, *rest = arguments
    units = [one.removesuffix(".service") for one in rest if not one.startswith("--")]
    known = {"daemon-reload", "enable", "restart", "reload", "status", "stop", "start"}
    if verb not in known or not set(units) <= {"visiongate", "nginx"}:
        return _refuse(f"systemctl {arguments}")
    return 0


def _systemd_analyze(arguments: list[str]) -> int:
    return 0 if arguments == ["security", "visiongate"] else _refuse(f"{arguments}")


def _docker(arguments: list[str]) -> int:
    if arguments[0] == "compose":
        return _compose(arguments[1:])
    if arguments[0] == "build":
        file = Path(arguments[arguments.index("-f") + 1])
        text = file.read_text(encoding="utf-8")
        given = [arguments[i + 1] for i, one in enumerate(arguments) if one == "--build-arg"]
        unknown = [g for g in given if not re.search(rf"^ARG {g.split('=')[0]}\b", text, re.M)]
        if unknown or not Path(arguments[-1]).is_dir():
            return _refuse(f"docker build: {unknown or arguments[-1]}")
        return 0
    if arguments[0] == "run" and arguments[-1] == "visiongate":
        flags = {"--rm", "--read-only", "--tmpfs", "--cap-drop", "--security-opt", "-v", "-p"}
        unknown = [one for one in arguments if one.startswith("-") and one not in flags]
        return _refuse(f"docker run: {unknown}") if unknown else 0
    return _refuse(f"docker {arguments}")


def _compose(arguments: list[str]) -> int:
    """Have Compose read the file with the same options; then look at what was asked."""
    at = next(i for i, one in enumerate(arguments) if one in ("up", "build", "exec", "ps"))
    options, verb, rest = arguments[:at], arguments[at], arguments[at + 1 :]
    if "--profile" in options and "monitoring" not in options:
        return _refuse(f"no such profile: {options}")
    tool = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    path = os.environ["PATH"].split(os.pathsep, 1)[1]
    environment = {**os.environ, "PATH": path}
    read = subprocess.run([*tool, *options, "config", "-q"], env=environment)
    if read.returncode:
        return read.returncode
    if verb == "exec":
        service, *command = [one for one in rest if one != "-T"]
        if service != "gateway":
            return _refuse(f"no service {service}")
        # The image has the project in /app.
        inside = [word.replace("/app/", "") for word in command]
        return subprocess.run(inside).returncode if inside else 0
    flags = {"up": {"-d", "--build"}, "build": {"--pull"}, "ps": set()}[verb]
    return 0 if set(rest) <= flags else _refuse(f"docker compose {verb} {rest}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
