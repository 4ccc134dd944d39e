"""How long others wait for /health while many clients are slow on purpose.

    .venv/bin/python benchmarks/slow_clients.py --port 8080

Start a server first. Each kind of slow client attacks it in turn:

    silent     connects and says nothing
    heads      sends a header line every second and never ends the head
    bodies     announces a small body and sends a byte of it every second
    uploads    announces a large body, sends 64 KiB at once and then a byte every second
    readers    asks for /openapi.json and a long answer again and again, and reads a byte a second
    lingerers  is answered, told that the connection closes, and does not close its side
"""

import argparse
import contextlib
import http.client
import json
import selectors
import socket
import statistics
import threading
import time

POST = b"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
STREAM = json.dumps({"prompt": "Tell me a long story", "max_tokens": 2048}).encode()
READ = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200

OPENINGS = {
    "silent": b"",
    "heads": b"GET /health HTTP/1.1\r\nHost: localhost\r\n",
    "bodies": POST + b"Content-Length: 1000\r\n\r\n{",
    "uploads": POST + b"Content-Length: 1000000\r\n\r\n" + b" " * 65536,
    "readers": POST.replace(b"/chat", b"/chat/stream")
    + b"Content-Length: %d\r\n\r\n%b" % (len(STREAM), STREAM)
    + READ,
    "lingerers": b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
}
DRIBBLE = {"heads": b"X-More: 1\r\n", "bodies": b" ", "uploads": b" "}


def attack(port: int, kind: str, clients: int, stop: threading.Event) -> None:
    """Keep `clients` slow connections open until told to stop."""
    connections: list[socket.socket] = []
    while not stop.is_set():
        while len(connections) < clients and not stop.is_set():
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(2)
            with contextlib.suppress(OSError):
                client.connect(("127.0.0.1", port))
                client.setblocking(False)
                client.send(OPENINGS[kind])
                connections.append(client)
        connections = [client for client in connections if still_open(client, kind)]
        stop.wait(1.0)
    for client in connections:
        client.close()


def still_open(client: socket.socket, kind: str) -> bool:
    try:
        if kind in DRIBBLE:
            client.send(DRIBBLE[kind])
        elif kind == "readers":
            client.recv(1)
    except BlockingIOError:
        pass
    except OSError:
        client.close()
        return False
    if kind not in ("readers", "lingerers"):
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            if selector.select(0):  # an answer or the end: the server has had enough
                client.close()
                return False
    return True


PATIENCE_SECONDS = 5.0


def health_seconds(port: int, seconds: float) -> list[float]:
    """What single requests for /health take, one after the other.

    One without an answer counts as if it had taken all of `PATIENCE_SECONDS`.
    """
    until = time.monotonic() + seconds
    taken: list[float] = []
    while time.monotonic() < until:
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", "/health", headers={"Connection": "close"})
            connection.getresponse().read()
            taken.append(time.monotonic() - begun)
        except (OSError, http.client.HTTPException):
            taken.append(PATIENCE_SECONDS)
        connection.close()
        time.sleep(0.05)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured for each kind")
    parser.add_argument("--kinds", nargs="+", choices=OPENINGS, default=list(OPENINGS))
    options = parser.parse_args()
    print(f"{'':10}  {'median ms':>10}  {'worst ms':>10}  {'asked':>6}")
    for kind in ["nobody", *options.kinds]:
        stop = threading.Event()
        count = 0 if kind == "nobody" else options.clients
        attacker = threading.Thread(target=attack, args=(options.port, kind, count, stop))
        attacker.start()
        stop.wait(3.0)  # the attack needs a moment to stand
        taken = [1000 * seconds for seconds in health_seconds(options.port, options.seconds)]
        stop.set()
        attacker.join()
        print(f"{kind:10}  {statistics.median(taken):10.1f}  {max(taken):10.1f}  {len(taken):6}")


if __name__ == "__main__":
    main()
