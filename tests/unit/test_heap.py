"""What is free goes back to the kernel, though gaps lie between what lives on."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_GAPS = """
import sys, time
from visiongate import heap

def megabytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

heap.tune()
blocks = [bytes(100_000) for _ in range(2000)]
lived = []
for at in range(0, 2000):  # between each two, something small that stays
    blocks[at] = None
    lived.append(bytes(600))
    blocks[at] = bytes(99_000)
lived.append(bytes(3_000_000))
full = megabytes()
blocks.clear()
freed = megabytes()
stop = heap.start_trimming(0.01)
end = time.monotonic() + 60
while megabytes() > full - 150 and time.monotonic() < end:
    time.sleep(0.01)
trimmed = megabytes()
stop()
print(full, freed, trimmed)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc's"
)
def test_gaps_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _GAPS], capture_output=True, text=True, check=True)
    full, freed, trimmed = (float(word) for word in done.stdout.split())
    assert freed > full - 50, "no gaps: this shows nothing"
    assert trimmed < full - 150


def test_another_c_library_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    from visiongate import heap

    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    heap.tune()
    heap.start_trimming(0.001)()
