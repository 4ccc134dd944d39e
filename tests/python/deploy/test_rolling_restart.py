"""Two instances behind real nginx are started again, one after the other, while clients ask."""

import contextlib
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from deploy.served import Deployment, Nginx, two_free_ports

pytestmark = pytest.mark.slow

CARD = json.dumps({"step_seconds": 0.01})
CLIENTS = 6


def test_a_rolling_restart_loses_no_request(tmp_path, certificate):
    options = ("--port", str(two_free_ports()), "--instances", "2")
    options += ("--certificate", str(certificate))
    deployment = Deployment(tmp_path, "systemd", "nginx", options=options)
    endings, stop = Counter(), threading.Event()
    with contextlib.ExitStack() as stack:

        def start(port):
            return stack.enter_context(deployment.instance(port, CARD))

        instances = {port: start(port) for port in deployment.ports}
        for server in instances.values():
            server.wait_ready()
        nginx = stack.enter_context(Nginx(deployment, tmp_path / "nginx", certificate).running())

        def ask_on(number):
            """Ask until told to stop, from an address of its own."""
            client, asked = nginx.client(f"127.0.1.{number + 1}"), 0
            while not stop.is_set():
                asked += 1
                endings[ask(client, nginx.url, 10 + asked % 20, str(number))] += 1

        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(ask_on, number) for number in range(CLIENTS)]
            try:
                for port in deployment.ports:
                    instances[port].wait_for_line("gets ")
                    instances[port].terminate()
                    assert instances[port].wait_exit() == 0
                    instances[port] = start(port).wait_ready()
                    instances[port].wait_for_line("gets ")
            finally:
                stop.set()
            for client in clients:
                client.result()
    print(f"rolling restart: {dict(endings)}")
    assert set(endings) == {"answered"}
    assert endings["answered"] > 50


def ask(client, url, count, letter):
    """Ask once, every second time for a stream, and say how it ended."""
    body = {"prompt": f"repeat {count} {letter}", "max_tokens": 64}
    try:
        if count % 2:
            answer = client.post(f"{url}/chat", json=body, timeout=60)
            whole = answer.json().get("response")
        else:
            answer = client.post(f"{url}/chat/stream", json=body, timeout=60)
            data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
            whole = json.loads(data[-1]).get("response") if data else None
    except (requests.RequestException, ValueError) as error:
        return f"lost: {type(error).__name__}: {error}"
    return "answered" if whole == letter * count else f"status {answer.status_code}"
