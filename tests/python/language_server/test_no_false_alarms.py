"""Right or silent: nothing is found in good scripts and good documents."""

from pathlib import Path

import pytest

from ttdirect.language_server.analysis.document import Document
from ttdirect.language_server.rules.catalogue import find
from ttdirect.language_server.rules.finding import Context, Parameters
from ttdirect.script.render import ScriptSettings, render

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests/python/script/fixtures"

SCRIPTS = sorted(path for path in FIXTURES.glob("*") if not path.name.startswith("wrong_"))
DOCUMENTS = sorted([*ROOT.glob("walkthroughs/*.md"), *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
CONTEXT = Context(script_port=8080, script_name="tt-api-server-direct.py", settings_port=8080)
# A tt-metal whose Generator has nothing that scripts call: `adapt` stands between.
STRANGE = Context(generator={"forward": Parameters(frozenset())}, tt_metal="~/tt-metal")


def test_there_are_scripts_and_documents_to_look_at():
    assert len(SCRIPTS) >= 20
    assert len(DOCUMENTS) >= 10


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda it: it.name)
def test_varied_scripts(path):
    document = Document(path.as_uri(), "python", path.read_bytes().decode("utf-8-sig"))
    assert find(document, CONTEXT) == []


@pytest.mark.parametrize("device", ["cpu", "cuda", "tenstorrent"])
def test_the_script_that_we_write(device):
    text = render(ScriptSettings(device=device, model="demo"))
    document = Document("file:///s.py", "python", text)
    assert find(document, STRANGE) == []
    assert [it.path for it in document.python.routes] == ["/health", "/chat"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda it: it.name)
def test_our_own_documents(path):
    if path.name == "diagnostics.md":
        pytest.skip("it shows mistakes")
    document = Document(path.as_uri(), "markdown", path.read_text(encoding="utf-8"))
    assert find(document, CONTEXT) == []
