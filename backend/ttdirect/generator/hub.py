"""The Hugging Face hub: which files of a model are needed, and what its failures mean."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttdirect.generator.errors import DiskFullError, GatedModelError, ModelNotFoundError

if TYPE_CHECKING:
    from collections.abc import Generator

FILES = ("*.json", "*.safetensors", "*.model", "*.jinja", "*.txt")
"""What loading a checkpoint needs."""

OTHERS = ("*/*", "consolidated*")
"""What is not needed though its name looks so: folders and files hold the weights a second time in
the formats of other programs."""

# The hub's library has changed its HTTP library twice, so such errors are known by their origin.
_HTTP_LIBRARIES = ("requests", "httpx", "httpx2", "httpcore")


def get_snapshot(hub_id: str) -> Path:
    """Return the local folder of a hub model, downloaded if it is not in the cache yet.

    Raises:
        ModelNotFoundError, GatedModelError, DiskFullError: it cannot be had.
    """
    import huggingface_hub  # noqa: PLC0415  slow to import

    hub: Any = huggingface_hub  # its own types are incomplete
    patterns = {"allow_patterns": list(FILES), "ignore_patterns": list(OTHERS)}
    with told(hub_id):
        return Path(hub.snapshot_download(hub_id, **patterns))


@contextmanager
def told(hub_id: str) -> Generator[None]:
    """Turn what goes wrong with the hub into errors that tell a person what to do.

    Raises:
        ModelNotFoundError: there is no such model, or the hub is out of reach.
        GatedModelError: the model's licence must be accepted first.
        DiskFullError: the disk has no room for it.
    """
    from huggingface_hub import errors, utils  # noqa: PLC0415  slow to import

    try:
        yield
    except errors.GatedRepoError as error:
        raise GatedModelError(
            f"{hub_id} is gated: the hub gives it only to those who accepted its licence.",
            f"Accept it at https://huggingface.co/{hub_id}, then set HF_TOKEN to your token.",
        ) from error
    except (errors.RepositoryNotFoundError, utils.HFValidationError) as error:
        raise ModelNotFoundError(
            f"The hub has no model {hub_id!r} that you may see, and there is no such folder.",
            "Check the spelling of HF_MODEL; for a private model set HF_TOKEN.",
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(hub_id) from error
        library = type(error).__module__.partition(".")[0]
        if not isinstance(error, OSError) and library not in _HTTP_LIBRARIES:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelNotFoundError(
            f"{hub_id} is not on this computer, and the hub cannot be reached ({reason}).",
            "Check the network, or set HF_MODEL to a folder with a checkpoint, or to demo.",
        ) from error
