"""Peak memory of a stretch of work, and what a run was made with."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PeakMemory", "configuration_hash", "peak_memory", "versions"]

PACKAGES = ("numpy", "scipy", "scikit-image", "onnxruntime", "torch")
STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class PeakMemory:
    """Peak resident memory in MiB, known after the ``with`` block of :func:`peak_memory`."""

    mebibytes: float = 0.0


@contextlib.contextmanager
def peak_memory() -> Iterator[PeakMemory]:
    """Measure the peak resident memory of this process within the block.

    On Linux the kernel's high-water mark is set back first. Elsewhere it is that of the whole
    process so far.
    """
    with contextlib.suppress(OSError):
        RESET.write_text("5", encoding="ascii")
    peak = PeakMemory()
    try:
        yield peak
    finally:
        peak.mebibytes = _high_water()


def _high_water() -> float:
    with contextlib.suppress(OSError):
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    if sys.platform == "win32":
        return 0.0
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1024**2 if sys.platform == "darwin" else 1024)


def versions() -> dict[str, str]:
    """Versions of Nital, Python and the packages that decide results, and the machine."""
    import nital

    found = {"nital": nital.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found | {"machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"}


def configuration_hash(configuration: dict[str, Any]) -> str:
    """First 16 digits of SHA-256 of a configuration as canonical JSON."""
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
