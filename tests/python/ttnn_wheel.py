"""The real ttnn wheel on mock clusters: chips that are described and not there.

ttnn opens what the YAML file in TT_METAL_MOCK_CLUSTER_DESC_PATH describes, and its driver calls do
nothing. It wants a compiler for kernels all the same: a stand-in says that it is the right version
and gives back firmware that is in the wheel. So devices open, close, and run out of memory as real
ones; no operation can be computed. Every test runs in a process of the wheel's own Python: its logs
go to stdout, and what goes wrong in C++ must not take pytest with it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".cache/ttnn/bin/python"
CLUSTERS = Path(__file__).parent / "device/mock_clusters"
INSTALLED = ROOT / ".cache/ttnn/.installed"

# In CI they run, and fail without the wheel: skipped tests would look as if they had passed.
needs_ttnn = pytest.mark.skipif(
    not INSTALLED.exists() and os.environ.get("REQUIRE_TTNN", "") in ("", "0"),
    reason="ttnn's wheel is not here: `make .cache/ttnn/.installed`, which needs CPython 3.12",
)

needs_server_packages = pytest.mark.skipif(
    not any(PYTHON.parents[1].glob("lib/python3.*/site-packages/flask"))
    and os.environ.get("REQUIRE_TTNN", "") in ("", "0"),
    reason="the wheel's environment has no Flask: `make .cache/ttnn/.installed`",
)

RESULT = "the result: "

PREAMBLE = f"""\
import json, os, threading
import ttnn
from ttdirect.device import DeviceError, open_mesh, recognise
from ttdirect.device.system import look_at

def show(**result):
    print({RESULT!r} + json.dumps(result), flush=True)

def refusal(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except Exception as error:
        known = recognise(error)
        return [known.code, str(known)] if known else ["unknown", str(error)]
    return ["", "it worked"]
"""

COMPILER = f"""\
#!{sys.executable}
import shutil, sys
from pathlib import Path

arguments = sys.argv[1:]

def after(flag):
    return Path(arguments[arguments.index(flag) + 1]) if flag in arguments else None

if "--version" in arguments:
    print("riscv-tt-elf-g++ (tenstorrent/sfpi:7.89.0[1050]) 15.1.0")
if dependencies := after("-MF"):
    source = next(argument for argument in arguments if argument.endswith(".cc"))
    dependencies.write_text(f"{{after('-o')}}: {{source}}\\n")
if output := after("-o"):
    linked = [argument for argument in arguments if argument.startswith("-Wl,--just-symbols=")]
    if output.suffix == ".elf":  # the wheel's firmware for the same core
        shutil.copy(linked[0].partition("--just-symbols=")[2].replace("_weakened", ""), output)
    else:
        output.touch()
"""


def make_root(folder: Path) -> Path:
    """A runtime root for ttnn: all that the wheel brings, and the stand-in for its compiler."""
    (wheel,) = PYTHON.parents[1].glob("lib/python3.*/site-packages/ttnn")
    compiler = folder / "runtime/sfpi/compiler/bin/riscv-tt-elf-g++"
    compiler.parent.mkdir(parents=True)
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    for path in wheel.iterdir():
        if path.name != "runtime":
            (folder / path.name).symlink_to(path)
    for path in (wheel / "runtime").iterdir():
        (folder / "runtime" / path.name).symlink_to(path)
    return folder


def variables_for(folder: Path, cluster: str = "", root: Path | None = None) -> dict[str, str]:
    """The environment variables of a process that imports the wheel.

    Args:
        folder: for caches.
        cluster: a file of `mock_clusters`, without its ending; empty for no chips.
        root: from `make_root`; None for the wheel as it comes, without a compiler.
    """
    variables = {
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "backend"),
        "TT_METAL_CACHE": str(folder / "kernels"),
        "TT_LOGGER_LEVEL": "fatal",
    }
    if cluster:
        variables["TT_METAL_MOCK_CLUSTER_DESC_PATH"] = str(CLUSTERS / f"{cluster}.yaml")
    if root:
        variables["TT_METAL_RUNTIME_ROOT"] = str(root)
    return variables


def run(code: str, folder: Path, cluster: str = "", root: Path | None = None, **env: str) -> dict:
    """Run a script with the wheel.

    Args:
        code: Python, behind PREAMBLE; it calls `show` once.
        folder: for caches.
        cluster: as for `variables_for`.
        root: likewise.
        env: more variables.

    Returns:
        What it has shown.
    """
    variables = {"PATH": os.environ["PATH"]} | variables_for(folder, cluster, root)
    done = subprocess.run(
        [str(PYTHON), "-c", PREAMBLE + code],
        cwd=folder,
        env=variables | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    results = [line for line in done.stdout.splitlines() if line.startswith(RESULT)]
    assert len(results) == 1, f"ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(results[0].removeprefix(RESULT))
