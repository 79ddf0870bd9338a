"""The commands of the project's pages, and a copy of the project to run them in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import DOCS, ROOT

PAGES = [ROOT / "README.md", ROOT / "deploy" / "README.md", *sorted(DOCS.glob("*.md"))]
SHIM = Path(__file__).with_name("shim.py")
SHIMS = ("sudo", "useradd", "install", "apt-get", "nginx", "systemctl", "docker", "systemd-analyze")
"""What only an administrator may run, or no machine of tests has; shim.py tells what it checks."""
_BLOCK = re.compile(
    r"^```(?:sh|bash|console)\n(?P<fenced>.*?)^```"
    r"|(?<=\n\n)(?P<indented>(?: {4}(?:python3?|make|curl|pip|docker|sudo) [^\n]*\n)+)",
    re.MULTILINE | re.DOTALL,
)
_INLINE = re.compile(
    r"(?<!`)`((?:\.venv/bin/)?(?:python3?|pip|make|curl|sudo|docker|git|systemctl|tar) [^`]+)`(?!`)"
)


@dataclass(frozen=True)
class Block:
    """A block of commands, fenced as sh or indented, with the line at which it begins."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> list[Block]:
    """Return every block of commands of every page."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            which = "fenced" if match["fenced"] is not None else "indented"
            line = text.count("\n", 0, match.start(which)) + 1
            found.append(Block(str(page.relative_to(ROOT)), line, textwrap.dedent(match[which])))
    return found


def inline() -> list[tuple[str, str]]:
    """Return each page and command that stands within a sentence or a table."""
    found = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for command in _INLINE.findall(text):
            found.append((str(page.relative_to(ROOT)), " ".join(command.split())))
    return sorted(set(found))


def copy_project(folder: Path) -> None:
    """Copy the working tree into ``folder``, as a repository of its own with an environment."""
    ignored = shutil.ignore_patterns(
        ".*", "__pycache__", "data", "images", "*.egg-info", "build", "proofs"
    )
    shutil.copytree(ROOT, folder, ignore=ignored, symlinks=True)
    link_environment(folder)
    (folder / ".gitignore").write_text(".venv/\n/data/\n/images/\n")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com"]
    for arguments in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--no-gpg-sign", "--message=all"],
        ["tag", "v1.1.0"],
        ["remote", "add", "origin", "."],
    ):
        subprocess.run([*git, *arguments], cwd=folder, check=True)


def link_environment(folder: Path) -> None:
    """Lend ``folder`` the environment that runs the tests, ready as `make` knows it."""
    own = folder / ".venv"
    own.mkdir(exist_ok=True)
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith(".ready") and not (own / part.name).exists():
            (own / part.name).symlink_to(part)
    for ready in (".ready", ".ready-dev"):
        (own / ready).touch()


def make_shims(folder: Path) -> None:
    """Put the stand-ins of ``SHIMS`` into ``folder``, for the front of PATH."""
    folder.mkdir()
    for name in SHIMS:
        shim = folder / name
        shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SHIM}" {name} "$@"\n')
        shim.chmod(0o755)


def run_script(
    script: str, folder: Path, environment: dict[str, str], answers: dict[str, str]
) -> tuple[int, str]:
    """Run ``script`` in bash at a pseudo-terminal; return its exit status and all it wrote.

    Whenever the last line that it wrote is a key of ``answers``, the value is typed.
    """
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    seen = ""
    try:
        while more := os.read(ours, 4096):
            seen += more.decode("utf-8", "replace")
            last = seen.rpartition("\n")[2]
            if last in answers:
                seen += "\n"
                os.write(ours, f"{answers[last]}\n".encode())
    except OSError:
        pass  # how Linux says that the other side is closed
    finally:
        os.close(ours)
    return process.wait(60), seen
