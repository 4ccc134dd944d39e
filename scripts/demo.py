"""`make demo`: the whole road in one command, as a newcomer would walk it by hand.

Creates the server script, starts it, asks the lesson's questions over HTTP, first one by one and
then all at once, and stops the server. Every step is a command that also works without make.
"""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

QUESTIONS = (
    "What is machine learning?",
    "Explain neural networks in simple terms",
    "Write a haiku about programming",
    "What are transformers in AI?",
    "Explain quantum computing",
    "Write a creative story",
)
ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / ".cache" / "demo" / "tt-api-server-direct.py"
PATIENCE_SECONDS = 120


def main() -> int:
    step("1. Create the server script")
    ttdirect = Path(sys.executable).with_name("ttdirect")
    create = [str(ttdirect), "create", "--output", str(SCRIPT), "--device", "cpu", "--force"]
    if subprocess.run(create, stdout=subprocess.DEVNULL, check=False).returncode:
        return 1

    step("2. Start it")
    # The demo shows the model that ships, whatever HF_MODEL says.
    env = os.environ | {"HF_MODEL": "demo", "PYTHONUNBUFFERED": "1"}
    begun = time.monotonic()
    server = subprocess.Popen(
        [sys.executable, str(SCRIPT), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        start_new_session=True,  # Ctrl+C reaches only this program, which then stops the server
    )
    try:
        url = wait_until_ready(server)
        if url is None:
            return 1
        print(f"   ready {time.monotonic() - begun:.1f} s after the start")

        step("3. Ask, one question after another")
        begun = time.monotonic()
        alone = [ask(url, question) for question in QUESTIONS]
        one_by_one = time.monotonic() - begun
        for answer in alone:
            show(answer)

        step("4. Ask all at once: the model answers them in the same steps")
        begun = time.monotonic()
        with ThreadPoolExecutor(len(QUESTIONS)) as pool:
            together = list(pool.map(lambda question: ask(url, question), QUESTIONS))
        at_once = time.monotonic() - begun
        tokens = sum(answer["tokens_generated"] for answer in together)
        same = [a["response"] for a in alone] == [a["response"] for a in together]
        print(f"   one by one {one_by_one:5.2f} s  {tokens / one_by_one:6.0f} tokens/s")
        print(f"   at once    {at_once:5.2f} s  {tokens / at_once:6.0f} tokens/s")
        print(f"   the same answers: {'yes' if same else 'NO'}")
    finally:
        step("5. Stop it")
        server.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(60)
        server.kill()
        print(f"   exit code {server.wait()}")
    print(
        "\nYour turn:\n"
        f"   {ttdirect.relative_to(ROOT)} create    write the script to your home folder\n"
        f"   {ttdirect.relative_to(ROOT)} serve     start a server on port 8080\n"
        f"   {ttdirect.relative_to(ROOT)} chat      talk to it"
    )
    return 0 if same and server.returncode == 0 else 1


def wait_until_ready(server: subprocess.Popen) -> str | None:
    """Show what the server prints until it is ready; its address, or None if it gave up."""
    for line in server.stderr:
        print(f"   {line.rstrip()}")
        if "Server ready on " in line:
            # Nobody reads the pipe from here on, so it must not fill up.
            ThreadPoolExecutor(1).submit(server.stderr.read)
            return line.split("Server ready on ")[1].strip()
    return None


def ask(url: str, prompt: str) -> dict:
    answer = requests.post(f"{url}/chat", json={"prompt": prompt}, timeout=PATIENCE_SECONDS)
    answer.raise_for_status()
    return answer.json()


def show(answer: dict) -> None:
    print(f"   {answer['prompt']}")
    for line in answer["response"].splitlines():
        print(textwrap.fill(line, 88, initial_indent="     ", subsequent_indent="     "))
    print(
        f"     [{answer['tokens_generated']} tokens in {answer['time_seconds']:.2f} s, "
        f"{answer['tokens_per_second']:.0f} tokens/s, "
        f"first after {answer['ttft_seconds'] * 1000:.0f} ms]\n"
    )


def step(title: str) -> None:
    print(f"\n{title}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
