"""Packed weights on disk, so that the next start of the same model reads instead of quantising.

`~/.cache/ttdirect/weights/` (or below XDG_CACHE_HOME) has a folder for each model and precision,
with a file for each matrix and `contents.json`, which says what they were made from and their
checksums. Nothing depends on it: what is missing, damaged or of something else is made anew.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import mmap
import os
import shutil
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors import torch as safetensors_torch

from ttdirect.generator import huge_pages
from ttdirect.generator.native.build import find_library
from ttdirect.generator.quantise import FORMAT, QuantisedMatrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from ttdirect.generator.config import ModelSpec

_safetensors: Any = safetensors_torch  # its own types are incomplete

SETTING = "TTDIRECT_WEIGHT_CACHE"
"""Set to `off`, nothing is read from the cache or written to it."""
LEAST_BYTES = 256 << 20
"""Smaller models are quantised in a fraction of a second."""
MOST_BYTES = 64 << 30
"""All folders together; those that were used last stay."""

_CONTENTS = "contents.json"
_UNFINISHED = "unfinished-"
_ABANDONED_SECONDS = 3600
"""A process that is still writing changes its folder more often than that."""

UNUSABLE = (OSError, ValueError, KeyError, TypeError, SafetensorError)
"""What reading kept weights raises when they cannot be used."""


def cache_folder() -> Path | None:
    """Return where packed weights are kept, or None where they shall not be, or cannot."""
    if os.environ.get(SETTING, "").strip().lower() in {"off", "0", "no", "false"}:
        return None
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    except RuntimeError:  # no home folder
        return None
    return cache / "ttdirect" / "weights"


@dataclass(frozen=True)
class KeptWeights:
    """The packed matrices of one model, in the order in which they are made.

    Args:
        folder: where they are, or will be.
        made_from: what they follow from: other values belong to other weights.
    """

    folder: Path
    made_from: str

    @classmethod
    def of(
        cls, root: Path, spec: ModelSpec, files: Sequence[Path], bits: tuple[int, int]
    ) -> KeptWeights:
        """Return those of a model's files at a precision.

        A file is known by its path, size and time of change: to read it takes too long.
        """
        library = find_library()
        found = [(path.resolve(), path.stat()) for path in files]
        made_from = json.dumps(
            {
                "format": FORMAT,
                "library": library and library.name,  # each rounds ties in its own way
                "bits": bits,
                "model": repr(spec),
                "files": [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in found],
            }
        )
        return cls(root / hashlib.sha256(made_from.encode()).hexdigest()[:32], made_from)

    def read(self) -> Iterator[QuantisedMatrix]:
        """Yield the matrices that are kept, all or none, each copied into memory of its own.

        A mapping of the file would save the copy, but its pages could be taken away again, and an
        answer would wait for the disk.

        Raises:
            UNUSABLE: a file is not what was written.
        """
        try:
            contents = json.loads((self.folder / _CONTENTS).read_bytes())
        except FileNotFoundError:
            return
        if contents["made_from"] != self.made_from:
            raise ValueError(f"{_CONTENTS} is of something else")
        os.utime(self.folder)
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            yield from pool.map(self._read_matrix, itertools.count(), contents["checksums"])

    def write(self, matrices: Sequence[QuantisedMatrix]) -> None:
        """Keep the matrices; the folder appears when it is whole.

        Raises:
            OSError, SafetensorError: they cannot be written.
        """
        root = self.folder.parent
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_room(root, sum(matrix.nbytes for matrix in matrices))
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=root) as temporary:
            written = Path(temporary) / self.folder.name
            written.mkdir()
            checksums: list[int] = []
            for index, matrix in enumerate(matrices):
                path = written / _file_name(index)
                _safetensors.save_file({"integers": matrix.integers, "scales": matrix.scales}, path)
                checksums.append(_checksum(path))
            contents = {"made_from": self.made_from, "checksums": checksums}
            (written / _CONTENTS).write_text(json.dumps(contents), encoding="utf-8")
            shutil.rmtree(self.folder, ignore_errors=True)
            written.rename(self.folder)

    def _read_matrix(self, index: int, checksum: int) -> QuantisedMatrix:
        path = self.folder / _file_name(index)
        if _checksum(path) != checksum:
            raise ValueError(f"{path.name} is damaged")
        opened: Any = safe_open(path, framework="pt")  # its own types are incomplete
        with opened as file:
            integers: Tensor = _own(file.get_tensor("integers"))
            scales: Tensor = _own(file.get_tensor("scales"))
        return QuantisedMatrix(integers, scales, 8 if integers.dtype is torch.int8 else 4)


def make_room(root: Path, needed: int) -> None:
    """Remove what was not used for longest, so that `needed` bytes more stay within the limit.

    Raises:
        OSError: there is no room for them.
    """
    for path in root.glob(f"{_UNFINISHED}*"):
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
    kept = [path for path in root.iterdir() if not path.name.startswith(_UNFINISHED)]
    kept.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    sizes = {path: sum(file.stat().st_size for file in path.glob("*")) for path in kept}
    while kept and sum(sizes[path] for path in kept) + needed > MOST_BYTES:
        shutil.rmtree(kept.pop(), ignore_errors=True)
    free = shutil.disk_usage(root).free
    if needed > MOST_BYTES or 2 * needed > free:
        raise OSError(
            f"they take {needed >> 20} MiB; {free >> 20} MiB are free, of which half may be used, "
            f"and no more than {MOST_BYTES >> 20} MiB"
        )


def _own(mapped: Tensor) -> Tensor:
    """Return a copy in memory of the same kind as that of fresh weights."""
    return huge_pages.empty(*mapped.shape, dtype=mapped.dtype).copy_(mapped)


def _file_name(index: int) -> str:
    return f"{index:04}.safetensors"


def _checksum(path: Path) -> int:
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return zlib.crc32(content)
