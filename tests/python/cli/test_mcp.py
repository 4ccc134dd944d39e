"""`ttdirect mcp`, talked to by the protocol's own client over standard input and output."""

import contextlib
import functools
import json
import re
import signal
import subprocess
import sys
import threading

import pytest
from anyio.from_thread import start_blocking_portal
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client

from cli.fake_server import FakeServer
from processes import TESTS, environment, fake_server, free_port
from ttdirect.cli.main import main
from ttdirect.cli.mcp_server.figures import figures_of
from ttdirect.server.note import Note
from ttdirect.server.terminal import Failure

ROOT = TESTS.parents[1]
TOOLS = ["ask_model", "server_health", "server_metrics", "list_models", "recent_failures"]
CRASH = Failure("port_taken", "Port 8080 is taken.", "Choose another.")


class Agent:
    """A client that waits for each answer.

    Args:
        portal: to the loop in which the client lives.
        client: connected.
    """

    def __init__(self, portal, client):
        self._portal = portal
        self._client = client

    def tools(self):
        return self._portal.call(self._client.list_tools).tools

    def resources(self):
        return self._portal.call(self._client.list_resources).resources

    def call(self, tool, **arguments):
        return self._portal.call(self._client.call_tool, tool, arguments)

    def told(self, tool, **arguments):
        """What a tool gives that works."""
        result = self.call(tool, **arguments)
        assert not result.is_error, result.content
        assert json.loads(result.content[0].text) == result.structured_content
        return result.structured_content

    def refused(self, tool, **arguments):
        """The sentence of a tool that does not work."""
        result = self.call(tool, **arguments)
        assert result.is_error
        return result.content[0].text

    def begin(self, tool, on_progress=None, **arguments):
        """Call a tool without waiting; gives a future."""
        call = functools.partial(self._client.call_tool, progress_callback=on_progress)
        return self._portal.start_task_soon(call, tool, arguments)

    def read(self, uri):
        [content] = self._portal.call(self._client.read_resource, uri).contents
        return content


@contextlib.contextmanager
def agent_for(url, home, *options, mode="legacy", **env):
    """An agent whose MCP server asks `url`; `legacy` is what editors speak today."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "ttdirect", "mcp", "--url", url, *options],
        env=environment(HOME=str(home), **env),
    )
    with start_blocking_portal() as portal:
        # pytest's own standard error is no file that a process could write to.
        transport = stdio_client(command, sys.__stderr__)
        with portal.wrap_async_context_manager(Client(transport, mode=mode)) as client:
            yield Agent(portal, client)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The user's script on a slow fake card."""
    folder = tmp_path_factory.mktemp("server")
    with fake_server(folder, {"step_seconds": 0.005}) as process:
        process.home = folder
        yield process.wait_ready()


@pytest.fixture(scope="module")
def agent(server):
    with agent_for(server.url, server.home) as ready:
        yield ready


@pytest.fixture(scope="module")
def lonely(tmp_path_factory):
    """An agent where no server runs, and one gave up before."""
    home = tmp_path_factory.mktemp("lonely")
    note = Note(home / ".cache" / "ttdirect" / "servers")
    note.open(4711, str(home / "mine.py"), "script")
    note.failed(CRASH)
    with agent_for(f"http://127.0.0.1:{free_port()}", home) as ready:
        ready.home = home
        yield ready


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_agents_find_the_tools_and_what_they_are_for(tmp_path, mode):
    with agent_for("http://127.0.0.1:1", tmp_path, mode=mode) as agent:
        tools = {tool.name: tool for tool in agent.tools()}
        assert list(tools) == TOOLS
        for tool in tools.values():
            assert tool.title
            assert len(tool.description) > 60
            assert "\n" not in tool.description
            assert tool.annotations.read_only_hint
            assert tool.output_schema["type"] == "object"
        asked = tools["ask_model"].input_schema
        assert asked["required"] == ["prompt"]
        assert list(asked["properties"]) == ["prompt", "max_tokens", "temperature", "system"]
        assert asked["properties"]["max_tokens"]["maximum"] == 2048
        assert [resource.uri for resource in agent.resources()] == [
            "ttdirect://script",
            "ttdirect://health",
        ]


def test_the_model_is_asked_and_its_figures_are_told(agent):
    answer = agent.told("ask_model", prompt="hi")
    assert answer["response"] == "You said: hi"
    assert answer["finish_reason"] == "stop"
    assert answer["tokens_generated"] == len("You said: hi")
    assert answer["time_seconds"] > 0
    short = agent.told("ask_model", prompt="hi", max_tokens=3, temperature=0.0, system="Be brief")
    assert (short["response"], short["finish_reason"]) == ("You", "length")


def test_progress_is_told_to_clients_that_want_it(agent):
    told = []

    async def on_progress(progress, total, message):
        told.append((progress, total, message))

    prompt = "repeat 300 ab"
    answer = agent.begin("ask_model", on_progress, prompt=prompt, max_tokens=400).result(60)
    response = answer.structured_content["response"]
    assert [progress for progress, _, _ in told] == list(range(1, len(told) + 1))
    assert {total for _, total, _ in told} == {400}
    assert told[-1][2] == response[-200:]
    assert max(len(message) for _, _, message in told) == 200


def test_a_call_that_is_cancelled_frees_its_slot(server, agent):
    begun = threading.Event()

    async def on_progress(*_):
        begun.set()

    before = agent.told("server_metrics")["finished"].get("cancelled", 0)
    call = agent.begin("ask_model", on_progress, prompt="repeat 2000 a", max_tokens=2000)
    assert begun.wait(60)
    call.cancel()
    server.wait_health(running=0, queued=0)
    assert agent.told("server_metrics")["finished"]["cancelled"] == before + 1


def test_the_servers_health_is_a_tool_and_a_resource(server, agent):
    told = agent.told("server_health")
    assert (told["status"], told["model"], told["url"]) == ("healthy", "fake-1b", server.url)
    read = agent.read("ttdirect://health")
    assert read.mime_type == "application/json"
    assert json.loads(read.text).keys() == told.keys()


def test_the_metrics_are_summed_up(agent):
    before = agent.told("server_metrics")
    agent.told("ask_model", prompt="count me")
    after = agent.told("server_metrics")
    assert after["finished"]["stop"] == before["finished"].get("stop", 0) + 1
    assert after["generated_tokens"] > before["generated_tokens"]
    assert (after["requests_running"], after["requests_waiting"]) == (0, 0)
    for name in ("mean_ttft_seconds", "mean_inter_token_seconds", "mean_request_seconds"):
        assert after[name] > 0


def test_the_models_are_listed(agent):
    assert agent.told("list_models") == {"models": [{"id": "fake-1b", "max_model_len": 2048}]}


def test_the_script_is_the_running_servers_own(server, agent):
    content = agent.read("ttdirect://script")
    assert content.mime_type == "text/x-python"
    assert content.text == (server.home / "tt-api-server-direct.py").read_text()


def test_failures_of_a_running_server_are_its_counts(server, agent):
    agent.refused("ask_model", prompt="x" * 5000)
    failures = agent.told("recent_failures")
    assert (failures["status"], failures["crashes"]) == ("healthy", [])
    assert failures["counted"]["refused"]["prompt_too_long"] >= 1
    assert failures["counted"]["http_errors"]["400 /chat/stream"] >= 1
    assert failures["counted"]["broken_answers"] == {}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"prompt": "hi", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "hi", "temperature": 3}, "temperature"),
        ({"prompt": ""}, "prompt"),
        ({}, "prompt"),
        ({"prompt": "x" * 5000}, "tokens"),
    ],
)
def test_a_wrong_request_is_an_error_that_names_what_is_wrong(agent, arguments, word):
    assert word in agent.refused("ask_model", **arguments)


def test_without_a_server_the_state_is_an_answer(lonely):
    health = lonely.told("server_health")
    assert health["status"] == "stopped"
    assert health["note"].startswith(f"No server answers on {health['url']}. Start one with: ")
    assert json.loads(lonely.read("ttdirect://health").text) == health


def test_without_a_server_questions_say_what_to_do(lonely):
    for tool, arguments in (("ask_model", {"prompt": "hi"}), ("list_models", {})):
        sentence = lonely.refused(tool, **arguments)
        assert "No server answers on http://127.0.0.1:" in sentence
        assert "Start one with: ttdirect serve --port " in sentence


def test_servers_that_gave_up_are_told_with_their_reasons(lonely):
    failures = lonely.told("recent_failures")
    [crash] = failures["crashes"]
    assert crash.pop("at").endswith("Z")
    assert crash == {
        "script": str(lonely.home / "mine.py"),
        "code": CRASH.code,
        "what": CRASH.what,
        "fix": CRASH.fix,
    }
    assert (failures["status"], failures["counted"]) == ("stopped", None)


def test_without_a_server_the_script_is_the_one_in_the_home_folder(lonely):
    with pytest.raises(MCPError, match="Write one with: ttdirect create"):
        lonely.read("ttdirect://script")
    (lonely.home / "tt-api-server-direct.py").write_text("mine = 1\n")
    assert lonely.read("ttdirect://script").text == "mine = 1\n"


def test_a_script_elsewhere_is_read_where_it_is_named(tmp_path):
    script = tmp_path / "other.py"
    script.write_text("other = 2\n")
    with agent_for("http://127.0.0.1:1", tmp_path, "--script", str(script)) as agent:
        assert agent.read("ttdirect://script").text == "other = 2\n"


def test_another_computers_script_is_not_confused_with_this_ones(tmp_path):
    (tmp_path / "tt-api-server-direct.py").write_text("mine = 1\n")
    with (
        agent_for("http://192.0.2.1:8080", tmp_path) as agent,
        pytest.raises(MCPError, match="runs on another computer"),
    ):
        agent.read("ttdirect://script")


def test_while_the_model_loads_the_tools_say_so(tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    port = free_port()
    with fake_server(tmp_path, {"load_hold_while": str(hold)}, port=port) as server:
        server.wait_for_line("loading fake-1b")
        with agent_for(f"http://127.0.0.1:{port}", tmp_path) as agent:
            assert agent.told("server_health")["status"] == "loading"
            sentence = agent.refused("ask_model", prompt="hi")
            assert "Try again in 2 s." in sentence
            assert agent.told("server_metrics")["generated_tokens"] == 0
            hold.unlink()
            server.wait_ready()
            assert agent.told("ask_model", prompt="hi")["response"] == "You said: hi"


def test_the_key_comes_from_the_environment(tmp_path):
    with fake_server(tmp_path, env={"TTDIRECT_API_KEY": "s3cret"}) as server:
        server.wait_ready()
        with agent_for(server.url, tmp_path, TTDIRECT_API_KEY="s3cret") as agent:
            assert agent.told("ask_model", prompt="hi")["response"] == "You said: hi"
        with agent_for(server.url, tmp_path, "--api-key-env", "MINE", MINE="wrong") as agent:
            assert agent.told("server_health")["status"] == "healthy"
            assert "TTDIRECT_API_KEY" in agent.refused("ask_model", prompt="hi")


def test_something_else_at_the_address_is_told(tmp_path):
    with FakeServer() as other:
        other.healths = []
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with agent_for(other.url, tmp_path) as agent:
            assert "is not a TT Direct API server" in agent.refused("server_health")
        other.shutdown()
        thread.join()


def test_the_command_ends_when_its_client_goes(tmp_path):
    command = [sys.executable, "-m", "ttdirect", "mcp"]
    done = subprocess.run(
        command,
        input="",
        capture_output=True,
        text=True,
        env=environment(HOME=str(tmp_path)),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_ctrl_c_ends_the_command_without_a_traceback(tmp_path):
    command = [sys.executable, "-m", "ttdirect", "mcp"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(HOME=str(tmp_path)),
    )
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    process.stdin.write(json.dumps(hello) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "tt-direct-api"
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in complaint


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("ttdirect.cli.mcp_server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    assert main(["mcp"]) == 1
    assert capsys.readouterr().err == (
        "error: this command needs the package mcp, version 2.3 or newer, which this Python lacks\n"
        'fix:   pip install "mcp>=2.3"\n'
    )


def test_an_address_that_is_none_is_wrong_usage(capsys):
    assert main(["mcp", "--url", "http://"]) == 2
    assert "is no address of a server" in capsys.readouterr().err


def test_the_documentation_names_every_tool_and_resource(agent):
    text = (ROOT / "docs/operations.md").read_text().split("## Agents\n")[1]
    rows = re.findall(r"(?m)^\| `([^`]+)` \|", text)
    assert rows == [*TOOLS, *(str(resource.uri) for resource in agent.resources())]
    [example] = re.findall(r"(?s)```json\n(.*?)```", text)
    [server] = json.loads(example)["mcpServers"].values()
    assert (server["command"], server["args"][0]) == ("ttdirect", "mcp")


def test_figures_of_nothing_are_no_figures():
    figures = figures_of("")
    assert (figures.requests_running, figures.finished) == (0, {})
    assert figures.mean_ttft_seconds is None
    assert figures.prefix_cache_hit_rate is None


def test_figures_are_sums_means_and_shares():
    figures = figures_of(
        "# TYPE ttdirect:request_success counter\n"
        'ttdirect:request_success_total{finished_reason="stop",model_name="m"} 3\n'
        'ttdirect:request_success_total{finished_reason="error",model_name="m"} 0\n'
        "# TYPE ttdirect:time_to_first_token_seconds histogram\n"
        'ttdirect:time_to_first_token_seconds_bucket{le="+Inf"} 4\n'
        "ttdirect:time_to_first_token_seconds_sum 2.0\n"
        "ttdirect:time_to_first_token_seconds_count 4\n"
        "ttdirect:prefix_cache_queries_total 10\n"
        "ttdirect:prefix_cache_hits_total 4\n"
        'ttdirect:http_requests_total{route="/chat",status="200"} 9\n'
        'ttdirect:http_requests_total{route="/chat",status="503"} 2\n'
    )
    assert figures.finished == {"stop": 3}
    assert figures.mean_ttft_seconds == 0.5
    assert figures.prefix_cache_hit_rate == 0.4
    assert figures.http_errors == {"503 /chat": 2}
