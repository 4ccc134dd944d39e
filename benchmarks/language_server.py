"""How quickly the language server starts and answers, and how much memory it takes.

    .venv/bin/python benchmarks/language_server.py --lines 2000 --rounds 20

It is driven over its pipes as an editor drives it, on a script of so many lines: the rendered one,
and copies of its functions. Seconds of the start are those from the start of the process to the
answer to `initialize`. Each answer is asked for right after a letter was typed, so it includes
reading the new text; the one after it, for the same text, does not. "Markdown" is a page of so
many lines with a curl command in every 27.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ttdirect.script.render import ScriptSettings, render

SERVERS = {
    "ttdirect language-server": [sys.executable, "-m", "ttdirect", "language-server", "--stdio"],
    "python -m ttdirect.language_server": [sys.executable, "-m", "ttdirect.language_server"],
}
CAPABILITIES = {
    "textDocument": {
        "diagnostic": {},
        "codeAction": {"resolveSupport": {"properties": ["edit"]}, "disabledSupport": True},
    },
    "workspace": {"diagnostics": {"refreshSupport": True}},
}
PAGE = """
## Ask number {0}

```sh
curl http://127.0.0.1:8080/chat -H 'Content-Type: application/json' \\
  -d '{{"prompt": "Question {0}", "max_tokens": 64}}'
```

{1}
"""
PROSE = "Some words about **this** answer, and a [link](https://example.com) to more.\n" * 20


class Editor:
    """A client with nothing between it and the pipes."""

    def __init__(self, command: list[str]) -> None:
        begin = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._id = 0
        self._versions: dict[str, int] = {}
        parameters = {
            "processId": None,
            "rootUri": None,
            "capabilities": CAPABILITIES,
            "initializationOptions": {"editorCommands": True},
        }
        self.ask("initialize", parameters)
        self.start_seconds = time.perf_counter() - begin
        self.tell("initialized", {})

    def tell(self, method: str, parameters: Any) -> None:
        self._send({"jsonrpc": "2.0", "method": method, "params": parameters})

    def ask(self, method: str, parameters: Any) -> Any:
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": parameters})
        while True:
            message = self._receive()
            if message.get("id") == self._id:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message["result"]

    def open(self, uri: str, language: str, text: str) -> None:
        self._versions[uri] = 1
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})

    def type_letter(self, uri: str, line: int) -> None:
        """Type a letter into a comment at the beginning of a line."""
        self._versions[uri] += 1
        place = {"line": line, "character": 2}
        change = {"range": {"start": place, "end": place}, "text": "x"}
        identifier = {"uri": uri, "version": self._versions[uri]}
        parameters = {"textDocument": identifier, "contentChanges": [change]}
        self.tell("textDocument/didChange", parameters)

    def memory_mib(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(it.split()[1] for it in lines if it.startswith("VmHWM:"))) / 1024

    def end(self) -> None:
        self.ask("shutdown", None)
        self.tell("exit", None)
        self.process.wait(timeout=60)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        length = 0
        while (line := self.process.stdout.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return json.loads(self.process.stdout.read(length))


def long_script(lines: int) -> str:
    """The rendered script with its routes and functions again and again, under other names."""
    text = render(ScriptSettings(device="cpu", model="demo"))
    head, _, routes = text.partition("# 3. A request\n")
    routes, _, tail = routes.partition("server.add_streaming(")
    body = [head, "# 3. A request\n", routes]
    while sum(part.count("\n") for part in body) < lines - tail.count("\n"):
        number = len(body)
        copy = routes.replace("def ", f"def more{number}_")
        body.append(copy.replace('"/', f'"/more{number}/').replace("app = Flask(__name__)\n", ""))
    return "".join([*body, "server.add_streaming(", tail])


def long_page(lines: int) -> str:
    page = "# Ask ttdirect\n"
    while page.count("\n") < lines:
        page += PAGE.format(page.count("\n"), PROSE)
    return page


def place_of(text: str, words: str, into: int) -> dict[str, int]:
    before = text[: text.index(words) + into]
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}


def questions(uri: str, text: str, language: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """The requests of an editor, by name."""
    document = {"textDocument": {"uri": uri}}
    everywhere = {"start": {"line": 0, "character": 0}, "end": {"line": 100_000, "character": 0}}
    if language == "markdown":
        place = place_of(text, '"max_tokens"', 3)
        return {
            "diagnostics": ("textDocument/diagnostic", document),
            "hover of a field": ("textDocument/hover", {**document, "position": place}),
            "completion": ("textDocument/completion", {**document, "position": place}),
            "lenses": ("textDocument/codeLens", document),
            "links": ("textDocument/documentLink", document),
        }
    hover, call = place_of(text, "engine.ask(", 8), place_of(text, "max_tokens=max_tokens", 15)
    here = {"start": hover, "end": hover}
    menu = {**document, "range": here, "context": {"diagnostics": [], "triggerKind": 1}}
    bulb = {**document, "range": here, "context": {"diagnostics": [], "triggerKind": 2}}
    return {
        "diagnostics": ("textDocument/diagnostic", document),
        "hover": ("textDocument/hover", {**document, "position": hover}),
        "signature": ("textDocument/signatureHelp", {**document, "position": call}),
        "completion": ("textDocument/completion", {**document, "position": call}),
        "lenses": ("textDocument/codeLens", document),
        "hints": ("textDocument/inlayHint", {**document, "range": everywhere}),
        "links": ("textDocument/documentLink", document),
        "fixes, as the cursor moves": ("textDocument/codeAction", bulb),
        "fixes and recipes, as the menu opens": ("textDocument/codeAction", menu),
    }


def timed(action: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def measure(editor: Editor, language: str, text: str, rounds: int) -> list[str]:
    uri = f"file:///{language}.py" if language == "python" else "file:///page.md"
    editor.open(uri, language, text)
    comment = next(n for n, line in enumerate(text.splitlines()) if line.startswith("# "))
    rows = []
    for name, (method, parameters) in questions(uri, text, language).items():
        editor.ask(method, parameters)  # what is made once is made now
        first, second = [], []
        for _ in range(rounds):
            editor.type_letter(uri, comment)
            first.append(timed(lambda: editor.ask(method, parameters)))  # noqa: B023
            second.append(timed(lambda: editor.ask(method, parameters)))  # noqa: B023
        rows.append(
            f"| {language} | {name} | {statistics.median(first):.1f} | {max(first):.1f} "
            f"| {statistics.median(second):.1f} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    starts: dict[str, list[float]] = {name: [] for name in SERVERS}
    for _ in range(options.starts):
        for name, command in SERVERS.items():
            editor = Editor(command)
            starts[name].append(editor.start_seconds * 1000)
            editor.end()
    editor = Editor(next(iter(SERVERS.values())))
    idle = editor.memory_mib()
    print("| document | answer | after a letter, median ms | longest | again |")
    print("|---|---|---|---|---|")
    texts = {"python": long_script(options.lines), "markdown": long_page(options.lines)}
    for language, text in texts.items():
        print(*measure(editor, language, text, options.rounds), sep="\n")
    peak = editor.memory_mib()
    editor.end()
    lines = {name: text.count("\n") for name, text in texts.items()}
    for name, times in starts.items():
        print(f"\nstart of {name}: median {statistics.median(times):.0f} ms, ", end="")
        print(f"best {min(times):.0f} ms")
    print(f"memory: {idle:.1f} MiB when started, at most {peak:.1f} MiB; lines: {lines}")


if __name__ == "__main__":
    main()
