"""What is imported is required by name; what is required is pinned, on every Python we name."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
OURS = {path.stem for path in (ROOT / "examples").iterdir()} | {
    *(
        "visiongate",
        "detectors",
        "db",
        "training",
        "bench",
        "proofs",
        "tests",
        "tools",
        "adduser",
        "api",
    )
}
OPTIONAL = {
    "torch",  # converts TorchScript where somebody has installed it
    "keras",  # tensorflow's own
    "_typeshed",  # known to type checkers alone
    "pycocotools",  # measures detectors; the command that needs it says how to install it
}


def python_files(*folders: str) -> list[Path]:
    return [source for folder in folders for source in (ROOT / folder).rglob("*.py")]


SERVING = [
    ROOT / "api.py",
    ROOT / "adduser.py",
    *(ROOT / "examples").glob("*.py"),
    *(ROOT / "examples" / "streaming").glob("*.py"),
    *python_files("visiongate", "detectors", "db", "examples/streaming"),
]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(file: str) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def distributions() -> dict[str, list[str]]:
    """Return who brings each top-level name; Python 3.10's own look-up misses most."""
    found: dict[str, list[str]] = {}
    for distribution in metadata.distributions():
        names = set((distribution.read_text("top_level.txt") or "").split()) or {
            file.parts[0].partition(".")[0]
            for file in distribution.files or ()
            if file.suffix in (".py", ".so", ".pyd")
        }
        for name in names:
            found.setdefault(name, []).append(distribution.name)
    return found


def imported(source: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize(
    ("sources", "lists"),
    [
        (SERVING, ["requirements.in"]),
        (python_files("tests"), ["requirements.in", "requirements-dev.in"]),
        (python_files("bench"), ["requirements.in", "requirements-bench.in"]),
    ],
    ids=["serving", "tests", "bench"],
)
def test_every_package_imported_is_required_by_name(sources: list[Path], lists: list[str]) -> None:
    packages = {name for source in sources for name in imported(source)}
    foreign = packages - set(sys.stdlib_module_names) - OURS - OPTIONAL - {"tomllib"}
    wanted = {canonical(requirement.name) for file in lists for requirement in required(file)}
    homes = distributions()  # what is not installed is looked for under its own name
    missing = {
        name
        for name in foreign
        if not wanted & {canonical(home) for home in homes.get(name, [name])}
    }
    assert missing == set()


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize(
    "name", ["requirements", "requirements-dev", "requirements-bench", "requirements-fuzz"]
)
def test_every_requirement_has_one_pin_that_fits(name: str, version: str) -> None:
    world = {"python_version": version, "python_full_version": f"{version}.0", "extra": ""}
    pins: dict[str, list[Requirement]] = {}
    for pin in required(f"{name}.txt"):
        if pin.marker is None or pin.marker.evaluate(world):
            pins.setdefault(canonical(pin.name), []).append(pin)
    for requirement in required(f"{name}.in"):
        if requirement.marker is not None and not requirement.marker.evaluate(world):
            continue
        (pin,) = pins[canonical(requirement.name)]
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert requirement.specifier.contains(exact.version)


def test_the_lists_agree_with_each_other() -> None:
    pinned = {str(pin) for pin in required("requirements.txt")}
    by_name = {canonical(pin.name) for pin in required("requirements.txt")}
    for other in ("requirements-dev.txt", "requirements-bench.txt"):
        shared = {str(pin) for pin in required(other) if canonical(pin.name) in by_name}
        assert {text.partition(" ;")[0].partition(";")[0] for text in shared} <= {
            text.partition(" ;")[0].partition(";")[0] for text in pinned
        }


def test_pins_tell_nothing_of_the_machine_that_made_them() -> None:
    for file in ROOT.glob("requirements*.txt"):
        text = file.read_text()
        assert "://" not in text
        assert "--index-url" not in text
        assert "--find-links" not in text
        assert str(Path.home()) not in text
