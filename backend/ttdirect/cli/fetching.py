"""The large files of a hub model, fetched so that a later try goes on where this one ended."""

from __future__ import annotations

import fcntl
import hashlib
import io
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttdirect.cli.errors import CommandError
from ttdirect.generator.errors import DiskFullError
from ttdirect.generator.hub import FILES, OTHERS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Tell = Callable[[int, int], None]
    """Gets the bytes that are here, and the bytes of the whole model."""

# What is smaller is fetched again in an instant.
_LARGE_BYTES = 1 << 20
# The hub's library writes a file in pieces of so many bytes, 10 MiB unless told otherwise: on a
# slow line, nothing would seem to happen for long.
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub, and where the cache keeps what is in it.

    Args:
        name: in the model's repository.
        url: of the content.
        size: in bytes.
        blob: where the hub's library expects the content.
        sha256: of the content, which the hub knows of large files.
    """

    name: str
    url: str
    size: int
    blob: Path
    sha256: str | None

    @property
    def part(self) -> Path:
        """Where the beginning lies until the whole is there."""
        return self.blob.with_name(f"{self.blob.name}.ttdirect-part")

    @property
    def bytes_here(self) -> int:
        """How much of it was fetched so far."""
        for path in (self.blob, self.part):
            if path.is_file():
                return path.stat().st_size
        return 0


def fetch_large_files(hub_id: str, tell: Tell) -> None:
    """Put a model's large files into the hub's cache, where `snapshot_download` finds them.

    The library's own download throws away what it has of a file when it is ended in the middle.

    Args:
        hub_id: as owner/name.
        tell: called whenever some bytes have come.

    Raises:
        DiskFullError: the disk cannot hold what is still to come.
        CommandError: another process fetches the same file, or what came is damaged.
        Exception: whatever the hub's library raises; see `ttdirect.generator.hub.told`.
    """
    files = list_files(hub_id)
    total = sum(file.size for file in files)
    here = {file.name: file.bytes_here for file in files}
    tell(sum(here.values()), total)
    large = [file for file in files if file.size >= _LARGE_BYTES and not file.blob.is_file()]
    if not large:
        return
    large[0].blob.parent.mkdir(parents=True, exist_ok=True)
    _require_room(hub_id, total - sum(here.values()), large[0].blob.parent)
    for file in large:

        def count(size: int, name: str = file.name) -> None:
            here[name] = size
            tell(sum(here.values()), total)

        _fetch(hub_id, file, count)


def list_files(hub_id: str) -> list[RemoteFile]:
    """Return the files that loading needs, by name."""
    import huggingface_hub  # noqa: PLC0415  slow to import
    from huggingface_hub import constants, file_download  # noqa: PLC0415

    hub: Any = huggingface_hub  # its own types are incomplete
    info = hub.HfApi().model_info(hub_id, files_metadata=True)
    folder = file_download.repo_folder_name(repo_id=hub_id, repo_type="model")
    blobs = Path(constants.HF_HUB_CACHE).expanduser() / folder / "blobs"
    return [
        RemoteFile(
            name=file.rfilename,
            url=hub.hf_hub_url(hub_id, file.rfilename, revision=info.sha),
            size=file.size or 0,
            blob=blobs / (file.lfs.sha256 if file.lfs else file.blob_id),
            sha256=file.lfs.sha256 if file.lfs else None,
        )
        for file in sorted(info.siblings, key=lambda file: file.rfilename)
        if _is_needed(file.rfilename)
    ]


def _is_needed(name: str) -> bool:
    return any(fnmatch(name, it) for it in FILES) and not any(fnmatch(name, it) for it in OTHERS)


def _require_room(hub_id: str, missing: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if missing > free:
        sizes = f"{missing / 1e9:.1f} GB are still to come, and {free / 1e9:.1f} GB are free"
        raise DiskFullError(hub_id, sizes)


def _fetch(hub_id: str, file: RemoteFile, count: Callable[[int], None]) -> None:
    from huggingface_hub import constants, file_download, utils  # noqa: PLC0415  slow to import

    constants.DOWNLOAD_CHUNK_SIZE = _PIECE_BYTES
    library: Any = file_download  # the types of both are incomplete
    helpers: Any = utils
    with _open_part(hub_id, file, count) as part:
        if part.tell() < file.size:
            library.http_get(
                file.url,
                part,
                resume_size=part.tell(),
                headers=helpers.build_hf_headers(),
                expected_size=file.size,
            )
        if file.sha256 and _sha256(file.part) != file.sha256:
            # Something between here and the hub has put its own words in between.
            file.part.unlink()
            raise CommandError(
                f"what came of {file.name} is not what the hub has",
                fix="try again: the file is fetched from its beginning",
            )
        file.part.replace(file.blob)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _open_part(
    hub_id: str, file: RemoteFile, count: Callable[[int], None]
) -> Generator[_CountedFile]:
    with _CountedFile(file.part, count) as part:
        try:
            fcntl.flock(part.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(
                f"another process downloads {hub_id} at this moment",
                fix="wait for it, or end it; what it has is kept",
            ) from error
        yield part


class _CountedFile(io.FileIO):
    """A file that is written on at its end, and tells its size whenever it has grown."""

    def __init__(self, path: Path, count: Callable[[int], None]) -> None:
        super().__init__(path, "a")
        self._count = count

    def write(self, data: Any, /) -> int:
        """Write all of `data`, which a file without a buffer need not do at once."""
        rest = memoryview(data)
        while rest:
            rest = rest[super().write(rest) :]
        self._count(self.tell())
        return len(data)
