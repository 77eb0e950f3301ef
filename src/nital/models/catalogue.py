"""Models that Nital can fetch by name, from their authors' own servers or the hub."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["CATALOGUE", "Entry", "Source", "hub_address"]

ORIGINAL = "https://dl.fbaipublicfiles.com/segment_anything/"


def hub_address() -> str:
    """Address of the model hub; ``HF_ENDPOINT`` names a mirror, as for the hub's own tools."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


@dataclass(frozen=True)
class Source:
    """One file to fetch.

    Parameters
    ----------
    name
        File name in the cache.
    address
        Full address, or repository and path on the hub.
    size
        Bytes, about; 0 when unknown.
    sha256
        What it must have; ``None``: what the hub states, written down at the first fetch.
    """

    name: str
    address: str
    size: int = 0
    sha256: str | None = None

    @property
    def url(self) -> str:
        """Where it is fetched from."""
        return self.address if "://" in self.address else f"{hub_address()}/{self.address}"


@dataclass(frozen=True)
class Entry:
    """A model by name, what it is, its licence, and its files."""

    name: str
    title: str
    licence: str
    sources: tuple[Source, ...]

    @property
    def size(self) -> int:
        """Bytes to fetch, about."""
        return sum(source.size for source in self.sources)


def _original(name: str, title: str, file: str, size: int, sha256: str) -> Entry:
    source = Source(file, ORIGINAL + file, size, sha256)
    return Entry(name, title, "Apache-2.0", (source,))


def _on_hub(name: str, title: str, repository: str, size: int) -> Entry:
    files = (("config.json", 5_000), ("model.safetensors", size))
    sources = (Source(file, f"{repository}/resolve/main/{file}", n) for file, n in files)
    return Entry(name, title, "Apache-2.0", tuple(sources))


CATALOGUE = {
    entry.name: entry
    for entry in (
        _original(
            "sam-vit-b",
            "Segment Anything, ViT-B",
            "sam_vit_b_01ec64.pth",
            375_042_383,
            "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        ),
        _original(
            "sam-vit-l",
            "Segment Anything, ViT-L",
            "sam_vit_l_0b3195.pth",
            1_249_524_607,
            "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        ),
        _original(
            "sam-vit-h",
            "Segment Anything, ViT-H",
            "sam_vit_h_4b8939.pth",
            2_564_550_879,
            "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        ),
        _on_hub("sam-hq-vit-b", "HQ-SAM, ViT-B", "syscv-community/sam-hq-vit-base", 380_000_000),
        _on_hub("sam-hq-vit-l", "HQ-SAM, ViT-L", "syscv-community/sam-hq-vit-large", 1_260_000_000),
        _on_hub("sam-hq-vit-h", "HQ-SAM, ViT-H", "syscv-community/sam-hq-vit-huge", 2_580_000_000),
        _on_hub("sam2.1-tiny", "SAM 2.1, Hiera tiny", "facebook/sam2.1-hiera-tiny", 156_000_000),
        _on_hub("sam2.1-small", "SAM 2.1, Hiera small", "facebook/sam2.1-hiera-small", 184_000_000),
        _on_hub("sam2.1-base", "SAM 2.1, Hiera B+", "facebook/sam2.1-hiera-base-plus", 324_000_000),
        _on_hub("sam2.1-large", "SAM 2.1, Hiera large", "facebook/sam2.1-hiera-large", 898_000_000),
    )
}
