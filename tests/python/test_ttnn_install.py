"""The script that gets ttnn's wheel for its tests, where it cannot be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def install(tmp_path):
    """Run the script on packages that nobody can install, with or without REQUIRE_TTNN."""
    requirements = tmp_path / "ttnn.txt"
    requirements.write_text("ttnn ; this is no requirement\n")

    def run(required):
        return subprocess.run(
            [sys.executable, ROOT / "scripts/install_ttnn.py", tmp_path / "ttnn", requirements],
            env=os.environ | {"REQUIRE_TTNN": required, "PIP_NO_INDEX": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_at_home_the_tests_are_skipped_and_it_says_so(install, tmp_path):
    done = install("")
    assert done.returncode == 0
    assert done.stderr.startswith("The tests with ttnn's wheel will be skipped: ")
    assert not (tmp_path / "ttnn/.installed").exists()


def test_in_ci_it_is_an_error(install, tmp_path):
    done = install("1")
    assert done.returncode == 1
    what, fix = done.stderr.splitlines()
    assert what.startswith("error: ttnn's wheel must be here for its tests, but ")
    assert fix.startswith("fix:   put CPython 3.12 on PATH")
    assert not (tmp_path / "ttnn/.installed").exists()


def test_ci_asks_for_it_before_it_tests():
    script = (ROOT / ".ci/run").read_text()
    assert 0 < script.index("\nexport REQUIRE_TTNN=1 ") < script.index("\nmake test\n")


@pytest.mark.parametrize(("required", "skipped"), [("", True), ("1", False)])
def test_its_tests_are_skipped_only_where_it_is_not_required(tmp_path, required, skipped):
    """The tests of a copy of this project that has no wheel."""
    (tmp_path / "tests/python").mkdir(parents=True)
    copy = tmp_path / "tests/python/ttnn_wheel.py"
    copy.write_text((ROOT / "tests/python/ttnn_wheel.py").read_text())
    code = "import ttnn_wheel; print(ttnn_wheel.needs_ttnn.args[0])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=copy.parent,
        env=os.environ | {"REQUIRE_TTNN": required},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(skipped)
