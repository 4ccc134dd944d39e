"""The script that is written for a card, on the real ttnn wheel: mock chips, an echo for a model.

The clone of tt-metal is `echo_clone`: its model computes nothing, but its cache and a trace lie on
the device that ttnn opened. The server, its packages and ttnn are in one process, as on a card.
"""

import shutil
from pathlib import Path

import pytest

from processes import TESTS, free_port, running
from ttdirect.script.render import ScriptSettings, render
from ttnn_wheel import PYTHON, ROOT, make_root, needs_server_packages, needs_ttnn, variables_for

pytestmark = [pytest.mark.slow, needs_ttnn, needs_server_packages]

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_root(tmp_path_factory.mktemp("ttnn"))


@pytest.fixture
def clone(tmp_path):
    """A clone of tt-metal; a copy, because ttnn writes into the working directory."""
    return Path(shutil.copytree(HERE / "echo_clone", tmp_path / "clone"))


@pytest.fixture
def start(tmp_path):
    """A function that starts the script, with Python or with gunicorn, and does not wait for it."""

    def start(variables, path, *arguments, limits=None, **env):
        (tmp_path / "tt-api-server-direct.py").write_text(
            render(ScriptSettings("tenstorrent", "echo/echo", limits=limits or {}))
        )
        python_path = [ROOT / "backend", HERE / "torch_on_numpy", TESTS, *path]
        env |= {"PYTHONPATH": ":".join(map(str, python_path)), "TT_METAL_HOME": ""}
        command = arguments or ["tt-api-server-direct.py", "--port", "0"]
        return running([str(PYTHON), *command], tmp_path, **(variables | env))

    return start


def lines_of_the_end(server):
    return [line for line in server.lines if line.startswith(("released", "closed"))]


@pytest.mark.parametrize(
    ("cluster", "era", "shape"),
    [("n150", "D", (1, 1)), ("n300", "C", (1, 2)), ("p150", "D", (1, 1))],
)
def test_a_server_opens_the_device_answers_and_closes_it(
    tmp_path, start, clone, root, cluster, era, shape
):
    variables = variables_for(tmp_path, cluster, root)
    with start(variables, [clone], ECHO_ERA=era) as server:
        server.wait_ready()
        health = server.health()
        assert (health["status"], health["device"]) == ("healthy", cluster.upper())
        assert server.chat("hello, card").json()["response"] == "hello, card"
        server.terminate()
        assert server.wait_exit() == 0
    assert lines_of_the_end(server) == ["released the trace", f"closed {shape} on engine"]
    assert "Traceback" not in server.output


def test_two_models_side_by_side_have_a_chip_each(tmp_path, start, clone, root):
    variables = variables_for(tmp_path, "n300", root)
    with start(variables, [clone], limits={"DATA_PARALLEL": 2}) as server:
        assert server.wait_ready().chat("hello, cards").json()["response"] == "hello, cards"
        server.terminate()
        assert server.wait_exit() == 0
    part = ["released the trace", "closed (1, 1) on engine"]
    ends = lines_of_the_end(server)
    # The Generator closes the parts; ttnn still lists them, and closing them again does no harm.
    assert ends[:4] == [*part, *part]
    assert ends[-1] == "closed (1, 2) on engine"
    assert "Traceback" not in server.output


def test_so_does_gunicorn(tmp_path, start, clone, root):
    port = free_port()
    words = ["-m", "gunicorn", "-w", "1", "--threads", "104", "-b", f"127.0.0.1:{port}"]
    variables = variables_for(tmp_path, "n150", root)
    with start(variables, [clone], *words, "tt-api-server-direct:app") as server:
        assert server.wait_ready().port == port
        assert server.chat("hello, gunicorn").json()["response"] == "hello, gunicorn"
        server.terminate()
        assert server.wait_exit() == 0
    assert lines_of_the_end(server) == ["released the trace", "closed (1, 1) on engine"]


def assert_ends(server, code, what):
    assert server.wait_exit() == code
    assert server.lines[-2] == f"error: {what}"
    assert server.lines[-1].startswith("fix:   ")
    assert "Traceback" not in server.output


def test_memory_that_does_not_suffice_is_told_and_the_device_closed(tmp_path, start, clone, root):
    variables = variables_for(tmp_path, "n150", root)
    with start(variables, [clone], limits={"CACHE_TOKENS": 2_000_000}) as server:
        assert server.wait_exit() == 1
    assert server.lines[-2].startswith("error: The DRAM of the chips is full: ")
    assert lines_of_the_end(server) == ["closed (1, 1) on engine"]
    assert "Traceback" not in server.output


@pytest.mark.skipif(Path("/dev/tenstorrent").exists(), reason="there is a card here")
def test_without_a_chip_it_says_so(tmp_path, start, clone):
    with start(variables_for(tmp_path), [clone]) as server:
        assert_ends(server, 1, "No Tenstorrent chip answers.")


@pytest.mark.skipif(Path("/opt/tenstorrent/sfpi").exists(), reason="the compiler is here")
def test_without_the_compiler_it_says_so(tmp_path, start, clone):
    with start(variables_for(tmp_path, "n150"), [clone]) as server:
        what = (
            "The compiler for kernels (sfpi) is not installed, and the ttnn wheel does not bring "
        )
        assert_ends(server, 1, f"{what}it.")


def test_without_the_clone_it_says_so(tmp_path, start):
    with start(variables_for(tmp_path, "n150"), []) as server:
        what = "tt-metal's models are not on Python's path; they are in its clone and not in ttnn."
        assert_ends(server, 3, what)


def test_another_package_called_models_is_named(tmp_path, start, clone):
    other = tmp_path / "django" / "models"
    other.mkdir(parents=True)
    (other / "__init__.py").touch()
    with start(variables_for(tmp_path, "n150"), [other.parent, clone]) as server:
        assert_ends(server, 3, f"Another package called models hides tt-metal's: {other}.")


@pytest.mark.parametrize(
    "line",
    ["from ttnn import of_tomorrow", "import ttnn.of_tomorrow", "import ttnn; ttnn.of_tomorrow"],
)
def test_a_clone_of_another_version_is_told(tmp_path, start, clone, line):
    """It is imported with the wheel that it does not fit, and asks it for what it does not have."""
    file = clone / "models/tt_transformers/tt/model_config.py"
    file.write_text(f"{line}\n{file.read_text()}")
    with start(variables_for(tmp_path, "n150"), [clone]) as server:
        assert server.wait_exit() == 3
    assert f"The tt-metal clone at {clone} does not fit this ttnn: " in server.lines[-2]
    assert "of_tomorrow" in server.lines[-2]
    assert "check out the tag" in server.lines[-1]
    assert "Traceback" not in server.output
