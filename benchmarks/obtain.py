"""Gets the peers: llama.cpp built from its source package, `transformers serve` from PyPI.

What was obtained once stays in `.cache/benchmarks`.
"""

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import gguf_export
from machine import cpu_flags

LLAMA_PACKAGE = "llama-cpp-python==0.3.36"
"""Its source package holds the sources of llama.cpp, with the server."""

LLAMA_TYPES = ("Q8_0", "Q4_0", "BF16")

BUILD_JOBS = 2
CPU_OPTIONS = {
    "sse4_2": "GGML_SSE42",
    "avx": "GGML_AVX",
    "avx2": "GGML_AVX2",
    "fma": "GGML_FMA",
    "f16c": "GGML_F16C",
    "bmi2": "GGML_BMI2",
    "avx_vnni": "GGML_AVX_VNNI",
    "avx512f": "GGML_AVX512",
    "avx512vbmi": "GGML_AVX512_VBMI",
    "avx512_vnni": "GGML_AVX512_VNNI",
    "avx512_bf16": "GGML_AVX512_BF16",
}
"""llama.cpp's build options by the CPU's flags. Its own choice ("native") takes AMX, too, and the
server then stops with an illegal instruction on virtual machines that only announce it."""

CONSTRAINTS = Path(__file__).resolve().parent.parent / "requirements" / "constraints.txt"


class LlamaCpp:
    """llama.cpp's server, and checkpoints in its format.

    Args:
        folder: for sources, build and models.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sources = folder / "source"
        self._programs = folder / "build" / "bin"
        self.server = self._programs / "llama-server"
        self.version = LLAMA_PACKAGE
        if not self._sources.exists():
            _fetch_llama(self._sources)
        if not self.server.exists():
            _build_llama(self._sources, folder / "build")

    def model(self, checkpoint: Path, kind: str) -> Path:
        """The checkpoint as a GGUF file; `kind` is one of `LLAMA_TYPES`."""
        target = self._folder / f"{checkpoint.name}-{kind}.gguf"
        if target.exists():
            return target
        print(f"converting {checkpoint.name} to {kind}", file=sys.stderr)
        if kind == "BF16":
            gguf_export.export(checkpoint, self._sources / "gguf-py", target)
            return target
        half_done = target.with_suffix(".part")
        quantize = [str(self._programs / "llama-quantize"), str(self.model(checkpoint, "BF16"))]
        _run(*quantize, str(half_done), kind)
        half_done.rename(target)
        return target

    def weight_bytes(self, model: Path) -> int:
        """Bytes that one decoded token reads of a file that `model` gave."""
        return gguf_export.weight_bytes(model, self._sources / "gguf-py")


def transformers_program(folder: Path) -> Path:
    """The command `transformers` with what `serve` needs, in an environment of its own."""
    program = folder / "bin" / "transformers"
    if not program.exists():
        print("installing transformers[serving]", file=sys.stderr)
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet")
        _run(*pip, "--constraint", str(CONSTRAINTS), "torch", "transformers[serving]")
    return program


def _fetch_llama(target: Path) -> None:
    print(f"fetching {LLAMA_PACKAGE}", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--dest", scratch)
        _run(*pip, "--no-deps", "--no-binary", ":all:", LLAMA_PACKAGE)
        (package,) = Path(scratch).glob("*.tar.gz")
        with tarfile.open(package) as archive:
            inside = [it for it in archive if "/vendor/llama.cpp/" in f"{it.name}/"]
            archive.extractall(scratch, inside, filter="data")
        (sources,) = Path(scratch).glob("*/vendor/llama.cpp")
        sources.rename(target)


def _build_llama(sources: Path, build: Path) -> None:
    print("building llama.cpp; this takes about ten minutes", file=sys.stderr)
    cmake, ninja = _build_tools(build.parent / "tools")
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_MAKE_PROGRAM": ninja,
        "BUILD_SHARED_LIBS": "OFF",
        "LLAMA_OPENSSL": "OFF",
        "LLAMA_USE_PREBUILT_UI": "OFF",
    }
    flags = cpu_flags()
    if flags:
        options["GGML_NATIVE"] = "OFF"
        options |= {name: "ON" if flag in flags else "OFF" for flag, name in CPU_OPTIONS.items()}
    settings = [f"-D{name}={value}" for name, value in options.items()]
    _run(cmake, "-S", str(sources), "-B", str(build), "-G", "Ninja", *settings)
    targets = ("--target", "llama-server", "llama-quantize")
    _run("nice", "-n", "19", cmake, "--build", str(build), f"-j{BUILD_JOBS}", *targets)


def _build_tools(folder: Path) -> tuple[str, str]:
    """The paths of cmake and ninja, from PyPI where the system has none."""
    programs = [shutil.which(name) for name in ("cmake", "ninja")]
    if not all(programs):
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "cmake", "ninja")
        programs = [str(folder / "bin" / name) for name in ("cmake", "ninja")]
    return programs[0], programs[1]


def _run(*command: str) -> None:
    """Run a step; its words are shown only if it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-4000:]}")
