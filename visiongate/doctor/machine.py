"""Processor, memory, disk: does the machine fit what the settings ask of it?

``Machine`` reads Linux's own files; elsewhere most of this is unknown, and said to be. Its
arguments are the seam at which tests put a machine that they do not have.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from visiongate.doctor.findings import Finding, fail, ok, warn
from visiongate.doctor.permissions import nearest
from visiongate.services import cores, places
from visiongate.settings import PREFIX, Settings

__all__ = ["Machine", "examine"]

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_BASE_BYTES = 500_000_000  # interpreter, runtimes and the default models, with room to spare
_BYTES_A_PIXEL = 6  # RGB, and a copy of it while it is turned upright or converted
_SPARE_THREADS = 14  # as api.py has them: each may hold a body
_LITTLE_DISK, _LEAST_DISK = 1_000_000_000, 100_000_000
_FEW_FILES = 1024
_UNLIMITED = 1 << 60


@dataclass(frozen=True)
class Machine:
    """What the operating system says of the machine, and of the share of it that we may use."""

    proc: Path = Path("/proc")
    cgroup: Path = Path("/sys/fs/cgroup")

    def flags(self) -> frozenset[str]:
        """Return the processor's features, of x86 and ARM alike; none where nobody says."""
        for line in self._lines(self.proc / "cpuinfo"):
            name, _, value = line.partition(":")
            if name.strip().lower() in ("flags", "features"):
                return frozenset(value.split())
        return frozenset()

    def quota(self) -> float | None:
        """Return how many cores the control group may keep busy; None: as many as there are."""
        shares = []
        for folder in self._groups(""):
            quota, _, period = (self._lines(folder / "cpu.max") or ["max"])[0].partition(" ")
            if quota.isdecimal() and period.strip().isdecimal():
                shares.append(int(quota) / int(period))
        for folder in self._groups("cpu"):
            old = self._number(folder / "cpu.cfs_quota_us")
            period_us = self._number(folder / "cpu.cfs_period_us")
            if old and period_us and old > 0:
                shares.append(old / period_us)
        return min(shares, default=None)

    def memory(self) -> int | None:
        """Return the bytes that this process may have at most; None where nobody says."""
        limits = [self._meminfo("MemTotal")]
        limits += [self._number(folder / "memory.max") for folder in self._groups("")]
        limits += [
            self._number(folder / "memory.limit_in_bytes") for folder in self._groups("memory")
        ]
        return min((n for n in limits if n is not None and n < _UNLIMITED), default=None)

    def available(self) -> int | None:
        """Return the bytes that are free now."""
        return self._meminfo("MemAvailable")

    def _meminfo(self, name: str) -> int | None:
        for line in self._lines(self.proc / "meminfo"):
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        return None

    def _groups(self, controller: str) -> Iterator[Path]:
        """Yield the folders of our control group and those above it; "" is version 2."""
        for line in self._lines(self.proc / "self" / "cgroup"):
            _, controllers, path = (*line.split(":", 2), "", "")[:3]
            if controller not in controllers.split(","):
                continue
            root = self.cgroup / controller
            folder = root / path.lstrip("/")
            while folder != root and root in folder.parents:
                yield folder
                folder = folder.parent
            yield root

    def _number(self, path: Path) -> int | None:
        text = (self._lines(path) or [""])[0].strip()
        return int(text) if text.lstrip("-").isdecimal() else None

    @staticmethod
    def _lines(path: Path) -> list[str]:
        try:
            return path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []


def examine(settings: Settings, machine: Machine | None = None) -> Iterator[Finding]:
    machine = machine or Machine()
    yield _processor(machine.flags())
    yield _cores(machine.quota(), settings)
    yield from _memory(machine, settings)
    yield from _disk("data folder's disk", settings.data_dir, 0)
    if settings.retention == "on":
        yield from _disk("pictures' disk", settings.images_dir, settings.retention_max_bytes)
    yield from _files()


def _processor(flags: frozenset[str]) -> Finding:
    kind = platform.machine()
    if kind.lower() in ("x86_64", "amd64") and flags and "avx2" not in flags:
        return warn(
            "processor",
            f"{kind} without AVX2: every network takes several times as long.",
            "Use another machine, or, in a virtual one, pass the host's processor through.",
        )
    known = ", ".join(name for name in _FLAGS if name in flags) or "no feature that we look for"
    return ok("processor", f"{kind} with {known}.")


def _cores(quota: float | None, settings: Settings) -> Finding:
    own = cores()
    if quota is not None and quota < own - 0.5:
        whole = max(1, round(quota))
        return warn(
            "cores",
            f"{own} cores are to be seen, of which the control group lets {quota:g} be used: too "
            "many threads take turns.",
            f"Show it as many as it may use: a cpuset (docker run --cpuset-cpus=0-{whole - 1}), or "
            f"taskset -c 0-{whole - 1} python api.py",
        )
    if settings.workers > own:
        return warn(
            "cores",
            f"{settings.workers} workers for {own} cores; one worker uses all of them.",
            f"{PREFIX}WORKERS={own} at most",
        )
    return ok("cores", f"{own}, all of them ours; {places(settings)} requests computed at once.")


def _memory(machine: Machine, settings: Settings) -> Iterator[Finding]:
    total = machine.memory()
    if total is None:
        yield ok("memory", "How much there is, this system does not say in a way that we read.")
        return
    bodies = places(settings) + settings.max_waiting + _SPARE_THREADS
    fixed = _BASE_BYTES + bodies * settings.max_upload_bytes
    needed = settings.workers * (fixed + places(settings) * settings.max_pixels * _BYTES_A_PIXEL)
    if needed > total:
        share = (total / settings.workers - fixed) / (places(settings) * _BYTES_A_PIXEL)
        do = f"{PREFIX}MAX_PIXELS={int(share):d}" if share > 1_000_000 else "add memory"
        yield warn(
            "memory",
            f"{_size(total)} at most. If all that may come at once are the largest pictures "
            f"allowed, {_size(needed)} are needed.",
            f"{do}, or fewer at once ({PREFIX}CONCURRENCY, {PREFIX}WORKERS, {PREFIX}MAX_WAITING)",
        )
    else:
        yield ok("memory", f"{_size(total)} at most; the worst case needs {_size(needed)}.")
    available = machine.available()
    if available is not None and available < _BASE_BYTES:
        yield warn(
            "free memory",
            f"{_size(available)} are free now; the gateway with its models takes about as much.",
            "End something else, or add memory; `ps aux --sort=-rss | head` shows what takes it.",
        )


def _disk(check: str, folder: Path, budget: int) -> Iterator[Finding]:
    place = nearest(folder).absolute()
    free = shutil.disk_usage(place).free
    if free < _LEAST_DISK:
        yield fail(check, f"{_size(free)} are left at {place}.", "Free some space, or move it.")
    elif free < _LITTLE_DISK:
        yield warn(check, f"{_size(free)} are left at {place}.", "Free some space, or move it.")
    elif free < budget:
        yield warn(
            check,
            f"{_size(free)} are left at {place}; kept pictures may take {_size(budget)}.",
            f"{PREFIX}RETENTION_MAX_BYTES={free // 2}",
        )
    else:
        yield ok(check, f"{_size(free)} are left at {place}.")


def _files() -> Iterator[Finding]:
    if os.name == "nt":
        return
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= limit < _FEW_FILES:
        yield warn(
            "open files",
            f"This account may have {limit} files open at once; each connection is one.",
            f"ulimit -n {_FEW_FILES} before the start, or LimitNOFILE= in a systemd unit",
        )
    else:
        yield ok("open files", f"{limit} at once.")


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
