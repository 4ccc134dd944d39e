"""Failures by their recorded texts: a card's owner gets a sentence, and what to do.

The texts are those that the ttnn 0.81.1 wheel raised with mock clusters, or that stand in it or in
the libraries named; the numbers in those that could not be triggered are made up.
"""

import ast
import re
import sys
import types
from pathlib import Path

import pytest

from ttdirect.device import (
    DeviceError,
    crashed,
    failures,
    hangs,
    imports,
    is_lost,
    recognise,
    without_backtrace,
)
from ttdirect.device.guide import read_sections
from ttdirect.generator import GatedModelError

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/tenstorrent.md"


def ttnn_error(message, condition="num_chips > 0", kind="FATAL"):
    return RuntimeError(
        f"TT_{kind} @ /project/tt_metal/llrt/tt_cluster.cpp:129: {condition}\ninfo:\n{message}\n"
        "backtrace:\n --- /somewhere/ttnn/build/lib/_ttnncpp.so(+0xb233e8) [0x7f45481233e8]\n"
        " --- tt::Cluster::Cluster(tt::llrt::RunTimeOptions&)\n"
    )


def driver_error(message):
    return RuntimeError(
        f"{message}\nLocation: /project/tt_metal/third_party/umd/tt-umd/src/cluster.cpp:348\n"
        " 1. tt::umd::Cluster::Cluster(tt::umd::ClusterOptions)\n"
    )


class GatedRepoError(OSError):
    """As huggingface_hub calls it."""


CASES = [
    (
        ttnn_error("No chips detected in the cluster"),
        "no-chips",
        "No Tenstorrent chip answers.",
        "ls /dev/tenstorrent",
    ),
    (
        driver_error(
            "Invalid chip ID in TT_VISIBLE_DEVICES: 7. Valid ID needs to be in range of actual "
            "chip IDs in the cluster."
        ),
        "no-such-device",
        "TT_VISIBLE_DEVICES=7 names no chip of this computer.",
        "unset it",
    ),
    (
        driver_error("BDF pattern in TT_VISIBLE_DEVICES: 0000:99:00 did not match any devices."),
        "no-such-device",
        "TT_VISIBLE_DEVICES=0000:99:00 names no chip of this computer.",
        "unset it",
    ),
    (
        ttnn_error(
            "Requested mesh shape MeshShape([1, 8]) requires 8 devices, but only 1 devices are "
            "available in the system mesh MeshShape([1, 1])."
        ),
        "mesh-too-large",
        "A mesh of shape (1, 8) needs 8 chips, but 1 are here.",
        "MESH_DEVICE",
    ),
    (
        ttnn_error(
            "sfpi not found at /somewhere/ttnn/runtime/sfpi or /opt/tenstorrent/sfpi",
            "tt::exception",
            "THROW",
        ),
        "no-sfpi",
        "The compiler for kernels (sfpi) is not installed, and the ttnn wheel does not bring it.",
        "https://github.com/tenstorrent/sfpi/releases",
    ),
    (
        ttnn_error("Compiler version probe returned no readable version for /a/riscv-tt-elf-g++"),
        "no-sfpi",
        "The compiler for kernels (sfpi) is not installed, and the ttnn wheel does not bring it.",
        "tt_metal/sfpi-version",
    ),
    (
        ttnn_error(
            "Out of Memory: Not enough space to allocate 2147483648 B DRAM buffer across 12 banks, "
            "where each bank needs to store 178958336 B, but bank size is 1068523456 B (allocated: "
            "894791680 B, free: 173731776 B, largest free block: 173731776 B).",
            "false",
        ),
        "out-of-memory",
        (
            "The DRAM of the chips is full: 2,147.5 MB more were asked for, and of each bank's "
            "1,068.5 MB only 173.7 MB are free."
        ),
        "lower CACHE_TOKENS",
    ),
    (
        ttnn_error("Out of Memory: Not enough space to allocate 4000000 B L1 buffer, somehow else"),
        "out-of-memory",
        "The L1 of the chips is full: 4.0 MB more were asked for.",
        "lower CACHE_TOKENS",
    ),
    (
        ttnn_error(
            "Creating trace buffers of size 61440000B on MeshDevice 1, but only 50000000B is "
            "allocated for trace region."
        ),
        "trace-region-too-small",
        (
            "The recorded steps of the model need 61440000 bytes of each chip, but 50000000 are "
            "set aside for them."
        ),
        "trace_region_size=61440000 or more",
    ),
    *(
        (
            driver_error(text),
            "hugepages",
            "The driver got no huge pages of this computer's memory.",
            "tenstorrent-hugepages",
        )
        for text in (
            "ttSiliconDevice::open_hugepage_file could not open filename: /dev/hugepages-1G/x",
            "UMD: Mapping a hugepage failed. (device: 0, 0/1 errno: Cannot allocate memory).",
            "write_buffer: Hugepages are not allocated ch: 0. - Ensure sufficient number",
            "IOMMU is required for sysmem without hugepages.",
        )
    ),
    *(
        (
            driver_error(text),
            "device-in-use",
            "Another process uses the Tenstorrent device.",
            "cat /proc/driver/tenstorrent/*/pids",
        )
        for text in (
            (
                "NOC address of a hugepage does not match the expected address. This usually means "
                "another process is already holding the sysmem NOC address space UMD requires"
            ),
            (
                "Expected sysmem to be mapped at NOC address 0x1000, but it was mapped at 0x2000. "
                "This usually means another process is already holding it"
            ),
            "Failed to allocate the TLB with size 1048576",
            "CHIP_IN_USE_0_PCIe",
        )
    ),
    (
        ttnn_error("Error, tried to set num initialized routers again for device 0"),
        "fabric-still-on",
        "The wiring between the chips was not taken down since they were opened last.",
        "Mesh.close()",
    ),
    (
        ttnn_error(
            "TIMEOUT: device timeout, potential hang detected, the device is unrecoverable",
            "tt::exception",
            "THROW",
        ),
        "device-hangs",
        "The device does not answer any more.",
        "tt-smi -r",
    ),
    (
        driver_error(
            "Device 0: Timed out while waiting for active ethernet core 8 to become active again. "
            "Try resetting the board. Minimum tt-firmware version is 18.10.0"
        ),
        "device-hangs",
        "The device does not answer any more.",
        "tt-smi -r",
    ),
    (
        driver_error("Running UMD requires KMD version 2.0.0 or newer."),
        "driver-too-old",
        "The driver or the firmware of the board is too old (requires KMD version 2.0.0 or newer).",
        "tt-installer",
    ),
    (
        driver_error(
            "Firmware bundle version 18.5.0 on device 0 is older than the minimum compatible "
            "version 18.10.0 for wormhole_b0 architecture."
        ),
        "driver-too-old",
        (
            "The driver or the firmware of the board is too old (older than the minimum compatible "
            "version 18.10.0)."
        ),
        "tt-flash",
    ),
    (
        driver_error("Failed to open device /dev/tenstorrent/0: Permission denied"),
        "no-permission",
        "This user may not open the Tenstorrent device.",
        "permissions of /dev/tenstorrent/*",
    ),
    (  # transformers 5.23, utils/hub.py, around huggingface_hub 2.4
        OSError(
            "You are trying to access a gated repo.\nMake sure to have access to it at "
            "https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct.\n401 Client Error.\n\n"
            "Cannot access gated repo for url https://huggingface.co/meta-llama/x.\nAccess to "
            "model meta-llama/Llama-3.1-8B-Instruct is restricted. You must have access to it and "
            "be authenticated to access it. Please log in."
        ),
        "no-hf-token",
        "The Hugging Face hub does not know who asks for the model.",
        "HF_TOKEN",
    ),
    (
        GatedRepoError(
            "403 Client Error. (Request ID: ViT1Bf7O)\n\nCannot access gated repo for url "
            "https://huggingface.co/api/models/a/b.\nAccess to model a/b is restricted and you are "
            "not in the authorized list. Visit https://huggingface.co/a/b to ask for access."
        ),
        "gated-model",
        "The model is gated: the hub gives it only to those who accepted its licence.",
        "accept it on the model's page",
    ),
    (
        OSError(
            "a/b is not a local folder and is not a valid model identifier listed on "
            "'https://huggingface.co/models'\nIf this is a private repository, make sure to pass "
            "a token having permission to this repo"
        ),
        "model-not-found",
        "The Hugging Face hub has no such model that you may see, and there is no such folder.",
        "spelling of HF_MODEL",
    ),
    (  # from here on: tt-metal's tt/model_config.py
        ValueError("Please set HF_MODEL to a HuggingFace name e.g. meta-llama/Llama-3.1-8B"),
        "model-not-chosen",
        "No model is chosen: HF_MODEL is not set.",
        "export HF_MODEL=",
    ),
    (
        AssertionError("n_kv_heads must be divisible by num_devices"),
        "unsupported-model",
        "The model's attention heads cannot be shared out evenly to the columns of this mesh.",
        "MESH_SHAPE",
    ),
    (
        AssertionError("Unsupported model Llama-3.1-70B on device N150"),
        "unsupported-model",
        "tt-metal does not support Llama-3.1-70B on N150.",
        "MESH_SHAPE",
    ),
    (
        ValueError("Batch size 3 not supported"),
        "unsupported-model",
        "tt-metal supports no batch of 3 requests.",
        "1, 2, 4, 8, 16 or 32",
    ),
    (
        AssertionError("FAKE_DEVICE has been renamed to MESH_DEVICE for consistency with vLLM, x"),
        "renamed-setting",
        "FAKE_DEVICE is set, and tt-metal calls that MESH_DEVICE now.",
        "unset FAKE_DEVICE",
    ),
]


@pytest.mark.parametrize(("error", "code", "what", "fix"), CASES, ids=lambda case: str(case)[:40])
def test_a_known_failure_becomes_a_sentence_and_a_remedy(error, code, what, fix):
    known = recognise(error)
    assert (known.code, str(known)) == (code, what)
    assert fix in known.fix
    section = re.search(r"\(more: ttdirect doctor --explain ([\w-]+)\)$", known.fix)[1]
    assert section in read_sections()
    assert "\n" not in str(known) + known.fix


def test_every_pattern_is_tried_above():
    """A pattern that no text fits would be a promise without proof."""
    used = {
        next(row for row in failures._KNOWN if re.search(row.pattern, text, re.DOTALL))
        for text in (f"{type(error).__name__}: {error}" for error, *_ in CASES)
    }
    assert used == set(failures._KNOWN)


TOLD = re.findall(
    r"(?m)^\| [^|]+ \| `([^`]+)` \| `([\w-]+)` \|$",
    DOCUMENT.read_text().split("## When something fails\n", 1)[1].split("\n## ", 1)[0],
)


@pytest.mark.parametrize(("text", "code"), TOLD)
def test_what_the_guide_lists_becomes_what_it_says(text, code):
    assert recognise(ttnn_error(text)).code == code
    assert recognise(driver_error(text)).code == code


def test_the_guide_lists_every_cause_that_ttnn_the_driver_or_the_hub_can_have():
    """The rows of generator-api.md, section 11; the lock that only blocks is in test_mesh.py."""
    causes = {"no-chips", "mesh-too-large", "no-sfpi", "out-of-memory", "trace-region-too-small"}
    causes |= {"hugepages", "device-in-use", "fabric-still-on", "gated-model", "no-hf-token"}
    causes.add("renamed-setting")
    assert {code for _, code in TOLD} == causes


def test_every_failure_leads_to_a_section_of_the_guide():
    """Those that no error of another program brings about, too."""
    named = {row.section for row in failures._KNOWN} | {imports._INSTALLING}
    for module in (ROOT / "backend/ttdirect/device").glob("*.py"):
        named |= set(re.findall(r'_SECTION = "([\w-]+)"', module.read_text()))
        for call in ast.walk(ast.parse(module.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "DeviceError":
                named |= {it.value for it in call.args[3:] if isinstance(it, ast.Constant)}
    assert named == set(read_sections())


class TestUnknownToUs:
    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (ttnn_error("a tensor is sad"), "a tensor is sad"),
            (RuntimeError("TT_THROW @ a/b.cpp:12: x != y\nbacktrace:\n --- c"), "x != y"),
            (driver_error("something with PCIe"), "something with PCIe"),
        ],
    )
    def test_another_error_of_ttnn_is_quoted_without_its_backtrace(self, error, message):
        known = recognise(error)
        assert (known.code, str(known)) == ("device-failed", f"The device failed: {message}")
        assert "tt-smi -r" in known.fix

    @pytest.mark.parametrize(
        "error", [RuntimeError("shapes do not match"), ValueError(""), ImportError("no", name="x")]
    )
    def test_what_is_not_ttnns_stays_what_it_is(self, error):
        assert recognise(error) is None

    def test_who_brings_a_remedy_keeps_it(self):
        assert recognise(GatedModelError("a gated repo", "accept the licence")) is None
        own = DeviceError("code", "what", "fix", "section")
        assert recognise(own) is own


def test_for_experts_the_words_stay_without_the_frames():
    assert without_backtrace(ttnn_error("no luck")) == (
        "TT_FATAL @ /project/tt_metal/llrt/tt_cluster.cpp:129: num_chips > 0\ninfo:\nno luck"
    )
    assert without_backtrace(driver_error("no luck")).splitlines() == [
        "no luck",
        "Location: /project/tt_metal/third_party/umd/tt-umd/src/cluster.cpp:348",
    ]
    assert without_backtrace(ValueError("a\nb")) == "a\nb"


class TestLost:
    """After any TT_FATAL during a forward the device is lost (generator-api.md, section 16)."""

    @pytest.mark.parametrize(
        "error", [ttnn_error("x"), ttnn_error("x", kind="THROW"), driver_error("x")]
    )
    def test_errors_of_ttnn_and_the_driver_are(self, error):
        assert is_lost(error)

    def test_so_is_one_whose_text_says_it_in_another_form(self):
        """Python code between ttnn and us may raise it again."""
        error = RuntimeError("step failed: TIMEOUT: device timeout, potential hang detected")
        assert recognise(error).code == "device-hangs"
        assert is_lost(error)

    def test_so_is_the_device_of_a_process_that_crashed(self):
        known = crashed("SIGABRT")
        assert known.code == "device-crashed"
        assert "(SIGABRT)" in str(known)
        assert "tt-smi -r" in known.fix
        assert is_lost(known)

    def test_so_is_one_from_which_nothing_comes_back(self):
        known = hangs("A step goes on and on")
        assert known.code == "device-hangs"
        assert str(known) == "A step goes on and on, so the device counts as lost."
        assert "tt-smi -r" in known.fix
        assert is_lost(known)

    def test_an_error_in_our_words_is_not_unless_it_says_so(self):
        assert not is_lost(recognise(RuntimeError("No chips detected in the cluster")))

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError("Out of Memory: Not enough space to allocate 1 B DRAM buffer"),
            AssertionError("Sequence length 256 exceeds max seq len 128"),
            RuntimeError("a script that speaks of TT_FATAL @ here: is not it"),
            MemoryError(),
        ],
    )
    def test_others_are_not(self, error):
        assert not is_lost(error)


@pytest.fixture
def no_models(monkeypatch, tmp_path):
    """A Python on whose path tt-metal is not."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "models", raising=False)
    monkeypatch.delenv("TT_METAL_HOME", raising=False)
    return tmp_path


def missing(name):
    return ModuleNotFoundError(f"No module named {name!r}", name=name)


class TestImports:
    @pytest.mark.parametrize("version", [(3, 11), (3, 13), (3, 9)])
    def test_a_python_for_which_there_is_no_ttnn(self, version, monkeypatch):
        monkeypatch.setattr(sys, "version_info", (*version, 1))
        known = recognise(missing("ttnn"))
        assert known.code == "wrong-python"
        assert f"is Python 3.{version[1]}, for which there is no ttnn." in str(known)
        assert "Python 3.10 or 3.12" in known.fix

    @pytest.mark.parametrize("version", [(3, 10), (3, 12)])
    def test_a_python_without_ttnn(self, version, monkeypatch):
        monkeypatch.setattr(sys, "version_info", (*version, 1))
        known = recognise(missing("ttnn"))
        assert known.code == "no-ttnn"
        assert "pip install ttnn" in known.fix

    @pytest.mark.parametrize("name", ["models", "models.tt_transformers"])
    def test_no_clone_on_the_path(self, name, no_models):
        known = recognise(missing(name))
        assert known.code == "no-tt-metal"
        assert "export PYTHONPATH=<the tt-metal clone>" in known.fix

    def test_the_clone_is_named_where_it_is_known(self, no_models, monkeypatch):
        monkeypatch.setenv("TT_METAL_HOME", "/opt/tt-metal")
        assert "export PYTHONPATH=/opt/tt-metal" in recognise(missing("models")).fix

    def test_another_package_called_models(self, no_models, monkeypatch):
        other = types.ModuleType("models")
        other.__path__ = ["/somewhere/else/models"]
        monkeypatch.setitem(sys.modules, "models", other)
        known = recognise(missing("models.tt_transformers"))
        assert known.code == "wrong-pythonpath"
        assert "/somewhere/else/models" in str(known)

    def test_a_clone_of_another_version(self, no_models):
        (no_models / "models" / "tt_transformers").mkdir(parents=True)
        error = ImportError("cannot import name 'Generator'", name="models.tt_transformers.tt")
        known = recognise(error)
        assert known.code == "wrong-tt-metal"
        assert str(no_models) in str(known)
        assert "cannot import name 'Generator'" in str(known)

    @pytest.mark.parametrize(
        "error",
        [
            ImportError("cannot import name 'of_tomorrow' from 'ttnn'", name="ttnn"),
            ModuleNotFoundError("No module named 'ttnn.of_tomorrow'", name="ttnn.of_tomorrow"),
            AttributeError("module 'ttnn' has no attribute 'of_tomorrow'"),
            AttributeError("module 'ttnn._ttnn.operations' has no attribute 'of_tomorrow'"),
        ],
    )
    def test_a_clone_that_asks_ttnn_for_what_it_does_not_have(self, error, no_models, monkeypatch):
        """ttnn is there, so that it is missing would be the wrong sentence."""
        monkeypatch.setitem(sys.modules, "ttnn", types.ModuleType("ttnn"))
        (no_models / "models" / "tt_transformers").mkdir(parents=True)
        known = recognise(error)
        assert known.code == "wrong-tt-metal"
        assert f"{no_models} does not fit this ttnn" in str(known)
        assert "of_tomorrow" in str(known)
        assert "check out the tag" in known.fix

    def test_other_attributes_that_are_missing_are_nothing_of_this(self):
        assert recognise(AttributeError("'Engine' object has no attribute 'x'")) is None

    def test_what_the_clone_itself_needs(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ttnn", types.ModuleType("ttnn"))
        known = recognise(missing("loguru"))
        assert known.code == "missing-requirements"
        assert "needs loguru" in str(known)
        assert "requirements-dev.txt" in known.fix

    def test_a_system_that_is_too_old(self):
        error = ImportError(
            "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by _ttnn.so)"
        )
        known = recognise(error)
        assert known.code == "system-too-old"
        assert "glibc 2.34" in str(known)
