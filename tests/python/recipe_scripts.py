"""Scripts for tests of what edits or reads scripts: rendered ones, and fixtures in many styles."""

from pathlib import Path

from ttdirect.script.render import ScriptSettings, default_model, render

FIXTURES = {
    path.name.removesuffix(".py.txt"): path.read_bytes().decode()
    for path in sorted((Path(__file__).parent / "script" / "fixtures").glob("*.py.txt"))
}
"""By name. Read as bytes, because line ends are among what the tests are about."""

RENDERED = {
    f"rendered_{device}": render(ScriptSettings(device, default_model(device)))
    for device in ("cpu", "cuda", "tenstorrent")
}

SCRIPTS = RENDERED | FIXTURES
