"""Failures that a person can meet while a model loads: what happened, and what to do about it."""

from __future__ import annotations


class GeneratorError(RuntimeError):
    """A failure told in two sentences.

    `what` says what happened, `fix` what to do; `str()` gives both, one per line.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}\n{fix}")
        self.what = what
        self.fix = fix


class ModelNotChosenError(GeneratorError, ValueError):
    """HF_MODEL is not set; a ValueError too, as in tt-metal's tt/model_config.py."""

    def __init__(self) -> None:
        super().__init__(
            "Please set HF_MODEL to a HuggingFace name e.g. meta-llama/Llama-3.2-1B-Instruct",
            "A folder with a checkpoint works too, and HF_MODEL=demo is the small model that ships "
            "with ttdirect.",
        )


class ModelNotFoundError(GeneratorError):
    """The folder or hub id in HF_MODEL does not exist, or cannot be reached."""


class NotACheckpointError(GeneratorError):
    """A folder was found, but it is not a complete Hugging Face checkpoint."""


class GatedModelError(GeneratorError):
    """The hub refuses the download until the user has accepted the model's licence."""


class DiskFullError(GeneratorError):
    """The disk has no room for the files of a model."""

    def __init__(self, hub_id: str, sizes: str = "") -> None:
        super().__init__(
            f"The disk has no room for {hub_id}{sizes and f': {sizes}'}.",
            "Remove models that you do not need (hf cache ls), or set HF_HOME to another disk.",
        )


class NoSuchDeviceError(GeneratorError):
    """The device that was asked for is not here, or PyTorch cannot use it."""


class UnknownPrecisionError(GeneratorError):
    """There is no such precision."""


class UnsupportedModelError(GeneratorError):
    """The checkpoint is well-formed, but this engine would compute something else than it means."""


class NotEnoughMemoryError(GeneratorError):
    """Weights and KV cache do not fit; found out before anything is loaded."""


class ContextTooLongError(GeneratorError):
    """The server was started for longer texts than the model can read."""
