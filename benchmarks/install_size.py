"""What the core install weighs, package by package, and how long its parts take to import.

Sizes are those of the files that each installed package lists, followed through the requirements
of Nital without extras. Imports are timed in fresh processes, less the start of Python.

    python benchmarks/install_size.py --json install.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

IMPORTS = (
    "nital",
    "nital.cli",
    "numpy",
    "scipy.ndimage",
    "onnxruntime",
    "tifffile",
    "pandas",
    "pyarrow.parquet",
)
QUICK_IMPORTS = IMPORTS[:2]


def main() -> None:
    """Measure, print a table to the standard error stream and one JSON object at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="time only Nital's own imports")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the JSON here")
    arguments = parser.parse_args()
    sizes = {name: size_mb(name) for name in sorted(core_packages("nital"))}
    repeats = 1 if arguments.quick else 3
    names = QUICK_IMPORTS if arguments.quick else IMPORTS
    bare = fastest("pass", repeats)
    result: dict[str, Any] = {
        "benchmark": "install_size",
        "total_mb": round(sum(sizes.values()), 1),
        "packages_mb": dict(sorted(sizes.items(), key=lambda item: -item[1])),
        "import_seconds": {n: round(fastest(f"import {n}", repeats) - bare, 3) for n in names},
        "help_seconds": round(fastest(HELP, repeats), 3),
    }
    for name, size in result["packages_mb"].items():
        print(f"{size:8.1f} MB  {name} {metadata.version(name)}", file=sys.stderr)
    text = json.dumps(result)
    if arguments.json is not None:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)


HELP = "import sys; sys.argv = ['nital', '--help']; from nital.cli import main; main()"


def core_packages(name: str) -> set[str]:
    """Names of a package and of all that it needs here without extras."""
    found: set[str] = set()
    waiting = [(canonicalize_name(name), frozenset[str]())]
    seen = set(waiting)
    while waiting:
        package, extras = waiting.pop()
        found.add(package)
        for need in needs(package, extras):
            entry = (canonicalize_name(need.name), frozenset(need.extras))
            if entry not in seen:
                seen.add(entry)
                waiting.append(entry)
    return found


def needs(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    """Requirements of an installed package that apply to this Python and these extras."""
    for line in metadata.requires(name) or ():
        need = Requirement(line)
        if need.marker is None or any(
            need.marker.evaluate({"extra": extra}) for extra in ("", *extras)
        ):
            yield need


def size_mb(name: str) -> float:
    """Size of the files of an installed package, 10^6 bytes."""
    paths = [Path(str(file.locate())) for file in metadata.files(name) or ()]
    return round(sum(path.stat().st_size for path in paths if path.is_file()) / 1e6, 1)


def fastest(code: str, repeats: int) -> float:
    """Seconds of the fastest of some fresh processes that run a line of Python."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
