"""Machines that the tests do not run on: written as Linux would tell of them."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from visiongate.doctor import machine
from visiongate.doctor.findings import Finding
from visiongate.doctor.machine import Machine, examine
from visiongate.settings import Settings

CPU = "processor\t: 0\nflags\t\t: fpu sse2 avx2 avx512_vnni\n\nprocessor\t: 1\nflags\t\t: fpu\n"


@pytest.fixture
def fake(tmp_path: Path) -> Machine:
    """A machine with 8 GB, half of them free, and no limits."""
    proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "self").mkdir(parents=True)
    (cgroup / "a" / "b").mkdir(parents=True)
    (proc / "cpuinfo").write_text(CPU)
    (proc / "meminfo").write_text("MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable: 4000000 kB\n")
    (proc / "self" / "cgroup").write_text("0::/a/b\n")
    return Machine(proc, cgroup)


def findings(fake: Machine, **changes: object) -> dict[str, Finding]:
    return {one.check: one for one in examine(Settings(**changes), fake)}  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(machine, "places", lambda settings: settings.concurrency or 4)


def test_all_is_well(fake: Machine) -> None:
    found = findings(fake)
    assert {one.level for check, one in found.items() if "disk" not in check} == {"ok"}
    assert "avx2, avx512_vnni" in found["processor"].message
    assert "8.2 GB at most" in found["memory"].message


def test_an_old_processor(fake: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (fake.proc / "cpuinfo").write_text("flags\t: fpu sse2\n")
    assert findings(fake)["processor"].level == "warn"
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    (fake.proc / "cpuinfo").write_text("Features\t: fp asimd\n")
    assert findings(fake)["processor"].level == "ok"


@pytest.mark.parametrize("folder", ["", "a", "a/b"])
def test_a_quota_of_cores(folder: str, fake: Machine) -> None:
    (fake.cgroup / "a" / "b" / "cpu.max").write_text("max 100000\n")
    (fake.cgroup / folder / "cpu.max").write_text("100000 100000\n")
    found = findings(fake)["cores"]
    assert found.level == "warn"
    assert "lets 1 be used" in found.message
    assert "taskset -c 0-0" in found.do


def test_a_quota_of_the_first_version(fake: Machine) -> None:
    (fake.proc / "self" / "cgroup").write_text("4:memory:/x\n3:cpu,cpuacct:/x\n")
    (fake.cgroup / "cpu" / "x").mkdir(parents=True)
    (fake.cgroup / "cpu" / "x" / "cpu.cfs_quota_us").write_text("150000\n")
    (fake.cgroup / "cpu" / "x" / "cpu.cfs_period_us").write_text("100000\n")
    (fake.cgroup / "memory" / "x").mkdir(parents=True)
    (fake.cgroup / "memory" / "x" / "memory.limit_in_bytes").write_text("500000000\n")
    assert fake.quota() == 1.5
    assert fake.memory() == 500_000_000
    (fake.cgroup / "cpu" / "x" / "cpu.cfs_quota_us").write_text("-1\n")
    (fake.cgroup / "memory" / "x" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert fake.quota() is None
    assert fake.memory() == 8_192_000_000


def test_more_workers_than_cores(fake: Machine) -> None:
    assert "WORKERS=2" in findings(fake, workers=3)["cores"].do


def test_a_limit_of_memory(fake: Machine) -> None:
    (fake.cgroup / "a" / "memory.max").write_text("2000000000\n")
    found = findings(fake)["memory"]
    assert found.level == "warn"
    pixels = int(found.do.partition("MAX_PIXELS=")[2].partition(",")[0])
    assert findings(fake, max_pixels=pixels)["memory"].level == "ok"
    assert findings(fake, max_pixels=pixels + 10_000)["memory"].level == "warn"


def test_little_free_memory(fake: Machine) -> None:
    (fake.proc / "meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 100000 kB\n")
    assert findings(fake)["free memory"].level == "warn"


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    silent = Machine(tmp_path / "none", tmp_path / "none")
    found = findings(silent)
    assert found["memory"].level == found["processor"].level == "ok"
    assert silent.quota() is None


@pytest.mark.parametrize(("free", "level"), [(50_000_000, "fail"), (500_000_000, "warn")])
def test_a_full_disk(free: int, level: str, fake: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage)
    assert findings(fake)["data folder's disk"].level == level


def test_a_budget_beyond_the_disk(fake: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 2_000_000_000})
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda path: usage)
    found = findings(fake)
    assert "RETENTION_MAX_BYTES=1000000000" in found["pictures' disk"].do
    assert found["data folder's disk"].level == "ok"
    assert "pictures' disk" not in findings(fake, retention="off")


@pytest.fixture
def few_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_few_open_files(fake: Machine, few_files: None) -> None:
    found = findings(fake)["open files"]
    assert found.level == "warn"
    assert "512" in found.message


def test_this_very_machine_is_read_without_a_problem(tmp_path: Path) -> None:
    real = Machine()
    assert real.memory() is None or real.memory() > 100_000_000  # type: ignore[operator]
    assert real.quota() is None or real.quota() > 0  # type: ignore[operator]
