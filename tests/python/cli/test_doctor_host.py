"""What `ttdirect doctor` tells of a card's host beside its boards."""

import subprocess

import pytest

from hardware.driver_files import fake_driver, write
from ttdirect.cli.checks import compiler, computer
from ttdirect.cli.host import describe_host
from ttdirect.cli.main import main
from ttdirect.hardware import sysfs
from ttdirect.script import device
from ttdirect.script.render import ScriptSettings, render

# The compiler of kernels


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A ttnn that wants sfpi 7.89.0, and nothing installed for it."""
    write(tmp_path / "ttnn/tt_metal/sfpi-version", "sfpi_version='7.89.0'\nsfpi_build='1050'")
    monkeypatch.setenv("TT_METAL_RUNTIME_ROOT", str(tmp_path / "ttnn"))
    monkeypatch.setattr(compiler, "SYSTEM", tmp_path / "opt/sfpi")
    return tmp_path


def install(folder, version="7.89.0"):
    """Put in a compiler of that version, as it names itself."""
    program = folder / "compiler/bin/riscv-tt-elf-g++"
    write(program, f"#!/bin/sh\necho 'riscv-tt-elf-g++ (tenstorrent/sfpi:{version}[1050]) 15.1.0'")
    program.chmod(0o755)


def test_a_compiler_that_is_missing_is_told_with_its_version_and_where_it_belongs(root):
    check = compiler.check_compiler(root / "clone")
    assert check.status == "fail"
    places = f"{root}/ttnn/runtime/sfpi or {root}/clone/runtime/sfpi or {root}/opt/sfpi"
    assert check.message == f"sfpi 7.89.0 is not at {places}"
    assert check.fix.startswith("install the package of sfpi 7.89.0 from https://github.com/")


@pytest.mark.parametrize("place", ["ttnn/runtime/sfpi", "clone/runtime/sfpi", "opt/sfpi"])
def test_it_is_found_wherever_ttnn_looks(root, place):
    install(root / place)
    check = compiler.check_compiler(root / "clone")
    assert (check.status, check.message) == ("ok", f"sfpi 7.89.0 at {root}/{place}")


def test_another_version_is_a_warning(root):
    install(root / "opt/sfpi", "7.12.0")
    check = compiler.check_compiler(None)
    assert check.status == "warn"
    assert check.message.endswith("opt/sfpi, but ttnn was made for 7.89.0")


def test_a_compiler_that_does_not_run_is_there_all_the_same(root):
    write(root / "opt/sfpi/compiler/bin/riscv-tt-elf-g++", "no program")
    assert compiler.check_compiler(None).message.startswith("sfpi of unknown version at ")


@pytest.mark.parametrize("ttnn", [True, False])
def test_only_a_card_that_shall_answer_needs_it(root, monkeypatch, ttnn):
    roots = fake_driver(root / "computer", ["n150"])
    monkeypatch.setattr(device, "DEVICE_FOLDER", roots.dev / "tenstorrent")
    monkeypatch.setattr(computer, "has_ttnn", lambda: ttnn)
    names = [check.name for check in computer.check_tt_metal()]
    assert names == ["tt-metal", *(["compiler"] if ttnn else [])]


def test_without_a_card_nobody_asks(root, monkeypatch):
    monkeypatch.setattr(computer, "has_ttnn", lambda: True)
    assert computer.check_tt_metal() == []


# The computer


def test_huge_pages_and_the_iommu_are_told(tmp_path):
    roots = fake_driver(tmp_path, ["n150"])
    system, pages, iommu = describe_host(roots)
    assert "processors" in system
    assert pages == "huge pages of 1 GB: 4 (3 free)"
    assert iommu == "IOMMU: off"
    (roots.sys / "kernel/iommu_groups/0").mkdir(parents=True)
    assert list(describe_host(roots))[-1] == "IOMMU: on"


def test_a_kernel_without_huge_pages_has_none(tmp_path):
    nothing = sysfs.Roots(tmp_path, tmp_path, tmp_path)
    assert list(describe_host(nothing))[1:] == ["huge pages of 1 GB: 0 (0 free)", "IOMMU: off"]


# The report


@pytest.fixture
def report(capsys, free_port):
    def make():
        main(["doctor", "--report", "--port", str(free_port)])
        return capsys.readouterr().out

    return make


def test_the_report_tells_of_the_computer_and_the_script(report, plain_environment):
    text = report()
    assert "== Computer\n" in text
    assert "huge pages of 1 GB: " in text
    assert "== The script\nnone at ~/tt-api-server-direct.py\n" in text
    settings = ScriptSettings("tenstorrent", "a/b", limits={"MAX_SEQ_LEN": 4096})
    (plain_environment / "tt-api-server-direct.py").write_text(render(settings))
    assert "\nMAX_SEQ_LEN = 4096\n" in report()


def test_the_report_tells_that_tt_metals_models_were_changed(report, tmp_path, monkeypatch):
    clone = tmp_path / "tt-metal"
    generator = clone / "models/tt_transformers/tt/generator.py"
    write(generator, "import no_such_module")
    identity = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "models"], ["commit", "--quiet", "-m", "x"]):
        subprocess.run(["git", *identity, "-C", str(clone), *words], check=True)
    monkeypatch.setenv("TT_METAL_HOME", str(clone))
    assert "have been changed" not in report()
    write(generator, "import another_module")
    assert "\nits models have been changed since that commit\n" in report()
