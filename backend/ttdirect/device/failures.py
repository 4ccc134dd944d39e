"""The failures of ttnn, tt-metal, the driver and the hub, by their texts.

ttnn raises RuntimeError with "TT_FATAL @ file:line: condition, info: message, backtrace"; the
driver's library below it (UMD) with the message and a "Location:". Texts with "seen" were triggered
with the ttnn 0.81.1 wheel, the other texts of ttnn stand in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ttdirect.device.errors import DeviceError
from ttdirect.device.imports import explain_import
from ttdirect.device.shape import FIX_OF_TOO_LARGE


@dataclass(frozen=True)
class _Known:
    """One kind of failure.

    Args:
        code: stable name, for programs.
        pattern: what its text holds, looked for in "TypeOfError: text".
        what: the sentence; `{name}` is a group of the pattern, and one whose name ends in `_bytes`
            is put into megabytes.
        fix: likewise.
        section: heading in the guide.
        is_lost: whether the device is lost after it, whoever raised it and in whatever form.
    """

    code: str
    pattern: str
    what: str
    fix: str
    section: str
    is_lost: bool = False


_RESET = "reset the board with `tt-smi -r`, then start again"

_KNOWN: tuple[_Known, ...] = (
    _Known(
        "no-chips",
        r"No chips detected in the cluster",  # seen
        "No Tenstorrent chip answers.",
        "check that `ls /dev/tenstorrent` and `tt-smi` show the board, install the driver or reset "
        "the board if they do not, and hand the device to a container with "
        "--device /dev/tenstorrent",
        "no-chips",
    ),
    _Known(
        "no-such-device",
        r"(?P<reason>[^\n]*TT_VISIBLE_DEVICES: (?P<value>[^\s.]+)[^\n]*)",  # seen
        "TT_VISIBLE_DEVICES={value} names no chip of this computer.",
        "set TT_VISIBLE_DEVICES to numbers that `tt-smi` shows, or unset it",
        "which-chips-are-opened",
    ),
    _Known(
        "mesh-too-large",
        r"Requested mesh shape MeshShape\(\[(?P<shape>[\d, ]+)\]\) requires (?P<needed>\d+) "
        r"devices, but only (?P<here>\d+)",  # seen
        "A mesh of shape ({shape}) needs {needed} chips, but {here} are here.",
        FIX_OF_TOO_LARGE,
        "which-chips-are-opened",
    ),
    _Known(
        "no-sfpi",
        r"sfpi not found at|Compiler version probe",  # seen
        "The compiler for kernels (sfpi) is not installed, and the ttnn wheel does not bring it.",
        "install the sfpi package of the version that tt_metal/sfpi-version names, from "
        "https://github.com/tenstorrent/sfpi/releases",
        "no-kernel-compiler",
    ),
    _Known(
        "out-of-memory",
        r"Out of Memory: Not enough space to allocate (?P<asked_bytes>\d+) B (?P<kind>\w+) buffer"
        r".*?bank size is (?P<bank_bytes>\d+) B \(allocated: (?P<used_bytes>\d+) B, "
        r"free: (?P<free_bytes>\d+) B",  # seen
        "The {kind} of the chips is full: {asked_bytes} more were asked for, and of each bank's "
        "{bank_bytes} only {free_bytes} are free.",
        "lower CACHE_TOKENS or MAX_BATCH_SIZE in the script, choose a smaller model, or use more "
        "chips",
        "the-model-does-not-fit",
    ),
    _Known(
        "out-of-memory",
        r"Out of Memory: Not enough space to allocate (?P<asked_bytes>\d+) B (?P<kind>\w+) buffer",
        "The {kind} of the chips is full: {asked_bytes} more were asked for.",
        "lower CACHE_TOKENS or MAX_BATCH_SIZE in the script, choose a smaller model, or use more "
        "chips",
        "the-model-does-not-fit",
    ),
    _Known(
        "trace-region-too-small",
        r"Creating trace buffers of size (?P<needed>\d+)\s?B on MeshDevice .*?, but only "
        r"(?P<here>\d+)\s?B is allocated for trace region",
        "The recorded steps of the model need {needed} bytes of each chip, but {here} are set "
        "aside for them.",
        "give open_mesh in the script trace_region_size={needed} or more",
        "the-trace-region-is-too-small",
    ),
    _Known(
        "hugepages",
        r"open_hugepage_file|Mapping a hugepage failed|Hugepages are not allocated|"
        r"IOMMU is required for sysmem without hugepages",
        "The driver got no huge pages of this computer's memory.",
        "install and start tenstorrent-hugepages (tt-installer does), or turn on the IOMMU, and "
        "mount /dev/hugepages-1G into a container",
        "hugepages-and-iommu",
    ),
    _Known(
        "device-in-use",
        r"does not match the expected address\. This usually means another process|"
        r"mapped at NOC address .*? This usually means another process|"
        r"CHIP_IN_USE|Failed to allocate the TLB",  # the last: tt-umd issue 1756
        "Another process uses the Tenstorrent device.",
        "end it (`cat /proc/driver/tenstorrent/*/pids` lists who has it open), then start again",
        "the-device-is-in-use",
    ),
    _Known(
        "fabric-still-on",
        r"tried to set num initialized routers again",  # seen
        "The wiring between the chips was not taken down since they were opened last.",
        "close a mesh with Mesh.close() before another one is opened, and start again",
        "the-device-is-in-use",
    ),
    _Known(
        "device-hangs",
        r"TIMEOUT: device timeout|Timed out while waiting for active ethernet core",
        "The device does not answer any more.",
        _RESET,
        "the-device-was-lost",
        is_lost=True,
    ),
    _Known(
        "driver-too-old",
        r"(?P<needs>requires KMD version [\d.]+ or newer|Minimum tt-firmware version is [\d.]*\d|"
        r"older than the minimum compatible version [\d.]*\d)",
        "The driver or the firmware of the board is too old ({needs}).",
        "update both with tt-installer, or with your system's packages and tt-flash",
        "driver-and-firmware",
    ),
    _Known(
        "no-permission",
        r"Failed to open device [^\n]*Permission denied",
        "This user may not open the Tenstorrent device.",
        "check the permissions of /dev/tenstorrent/*; the driver's package makes them open to all",
        "no-chips",
    ),
    _Known(
        "no-hf-token",
        r"401 Client Error.*(?:gated|Repository Not Found)|"
        r"(?:gated|Repository Not Found).*401 Client Error|"
        r"must have access to it and be authenticated|"
        r"Invalid (?:credentials|user token)|LocalTokenNotFoundError",
        "The Hugging Face hub does not know who asks for the model.",
        "check HF_MODEL, make a token at https://huggingface.co/settings/tokens, and set HF_TOKEN "
        "to it",
        "the-model-cannot-be-had",
    ),
    _Known(
        "gated-model",
        r"GatedRepoError|gated repo|not in the authorized list",
        "The model is gated: the hub gives it only to those who accepted its licence.",
        "accept it on the model's page on https://huggingface.co with the account of your HF_TOKEN",
        "the-model-cannot-be-had",
    ),
    _Known(
        "model-not-found",
        r"RepositoryNotFoundError|is not a valid model identifier",
        "The Hugging Face hub has no such model that you may see, and there is no such folder.",
        "check the spelling of HF_MODEL; for a private model set HF_TOKEN",
        "the-model-cannot-be-had",
    ),
    _Known(
        "model-not-chosen",
        r"Please set HF_MODEL",  # tt/model_config.py
        "No model is chosen: HF_MODEL is not set.",
        "export HF_MODEL=meta-llama/Llama-3.1-8B-Instruct, or another model or folder",
        "the-model-cannot-be-had",
    ),
    _Known(
        "renamed-setting",
        r"FAKE_DEVICE has been renamed",  # tt/model_config.py
        "FAKE_DEVICE is set, and tt-metal calls that MESH_DEVICE now.",
        "unset FAKE_DEVICE, and set MESH_DEVICE to its value if you meant it",
        "which-chips-are-opened",
    ),
    _Known(
        "unsupported-model",
        r"n_(?:kv_)?heads must be divisible by num_devices",  # tt/model_config.py
        "The model's attention heads cannot be shared out evenly to the columns of this mesh.",
        "set MESH_SHAPE in the script to fewer chips, or choose another model",
        "the-model-does-not-fit",
    ),
    _Known(
        "unsupported-model",
        r"Unsupported model (?P<model>\S+) on device (?P<device>\S+)",  # tt/model_config.py
        "tt-metal does not support {model} on {device}.",
        "choose another model, or other chips with MESH_SHAPE in the script",
        "the-model-does-not-fit",
    ),
    _Known(
        "unsupported-model",
        r"Batch size (?P<size>\d+) not supported",  # tt/model_config.py
        "tt-metal supports no batch of {size} requests.",
        "set MAX_BATCH_SIZE in the script to 1, 2, 4, 8, 16 or 32",
        "the-model-does-not-fit",
    ),
)

_FROM_TTNN = re.compile(r"\ATT_(?:FATAL|THROW) @ [^\n]*?: (?P<condition>[^\n]*)")
_MESSAGE = re.compile(r"^info:\n(?P<message>[^\n]+)", re.MULTILINE)
_FROM_DRIVER = re.compile(r"^Location: [^\n]*umd", re.MULTILINE)


def recognise(error: BaseException) -> DeviceError | None:
    """Return an error in words for people, None for one that we know nothing about.

    Also None for errors that come with a `fix` of their own, but for those of this layer.
    """
    if isinstance(error, DeviceError):
        return error
    if getattr(error, "fix", None) is not None:
        return None
    if isinstance(error, ImportError | AttributeError):
        return explain_import(error)
    text = f"{type(error).__name__}: {error}"
    for known in _KNOWN:
        if match := re.search(known.pattern, text, re.DOTALL):
            words = {name: _in_words(name, value) for name, value in match.groupdict().items()}
            return DeviceError(
                known.code, known.what.format(**words), known.fix.format(**words), known.section
            )
    if is_lost(error):
        return DeviceError(
            "device-failed",
            f"The device failed: {_message(str(error))}",
            f"start again; if it fails again, {_RESET}",
            "the-device-was-lost",
        )
    return None


def is_lost(error: BaseException) -> bool:
    """Return whether a step's error came from ttnn or the driver.

    After any TT_FATAL during a forward the device counts as lost: what it holds, and whether it
    will answer, is unknown until another process opens it. A text that says so itself need not
    look like one of theirs: Python code in between may have raised it again.
    """
    if isinstance(error, DeviceError):
        return error.is_lost
    text = str(error)
    if _FROM_TTNN.match(text) or _FROM_DRIVER.search(text):
        return True
    return any(known.is_lost and re.search(known.pattern, text) for known in _KNOWN)


def crashed(how: str) -> DeviceError:
    """Say that a process ended without a word while it had a card open.

    Args:
        how: what ended it ("SIGABRT"); a failed check on a thread of ttnn's own does that.
    """
    return DeviceError(
        "device-crashed",
        f"The process that had the device open crashed ({how}), so the device counts as lost.",
        f"look at the lines above, and {_RESET}",
        "the-device-was-lost",
        is_lost=True,
    )


def hangs(what: str) -> DeviceError:
    """Say that nothing comes back from the device any more.

    Args:
        what: what does not end, as the beginning of a sentence.
    """
    return DeviceError(
        "device-hangs",
        f"{what}, so the device counts as lost.",
        f"look at the lines above, and {_RESET}",
        "the-device-was-lost",
        is_lost=True,
    )


def hangs_in_loading(seconds: float) -> DeviceError:
    """Say that nothing was heard for so long of a process that opens a device and loads a model.

    ttnn lets nothing else run while it opens one, and it waits there for whoever has it open.
    """
    return DeviceError(
        "device-hangs",
        f"The process that opened the device gave no sign of life for {seconds:.0f} s.",
        f"end what else uses the device (`ttdirect hardware` names it); if nothing does, {_RESET}",
        "the-device-is-in-use",
    )


def without_backtrace(error: BaseException) -> str:
    """The words of an error as it was raised, but for the C++ frames that ttnn puts behind."""
    return re.split(r"\n(?:backtrace:| 1\. )", str(error), maxsplit=1)[0]


def _message(text: str) -> str:
    """The sentence in a text of ttnn or its driver, without files and backtrace."""
    if match := _MESSAGE.search(text):
        return match["message"]
    if match := _FROM_TTNN.match(text):
        return match["condition"]
    return text.partition("\n")[0]


def _in_words(name: str, value: str | None) -> str:
    if value is not None and name.endswith("_bytes"):
        return f"{int(value) / 1e6:,.1f} MB"
    return value or ""
