"""The server as an editor meets it: a process, driven as VS Code 1.139 drives it."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
import pytest_lsp
from lsprotocol import converters, types
from pytest_lsp import ClientServerConfig, LanguageClient

from ttdirect.script.render import ScriptSettings, render

CAPABILITIES = Path(__file__).with_name("vscode_1_139.json")
SCRIPT = render(ScriptSettings(device="cpu", model="demo"))
END = types.Position(100_000, 0)
URI = "file:///srv/tt-api-server-direct.py"
SERVER = ClientServerConfig(
    server_command=[sys.executable, "-m", "ttdirect", "language-server", "--stdio"]
)

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("error::pytest_lsp.LspSpecificationWarning"),
]


def vscode(**changes):
    content = json.loads(CAPABILITIES.read_text()) | changes
    return converters.get_converter().structure(content, types.ClientCapabilities)


@pytest_lsp.fixture(config=SERVER, scope="module")
async def editor(lsp_client: LanguageClient):
    """VS Code, connected."""
    lsp_client.feature(types.WORKSPACE_CODE_LENS_REFRESH)(lambda *_: None)
    params = types.InitializeParams(
        capabilities=vscode(), initialization_options={"editorCommands": True}
    )
    await lsp_client.initialize_session(params)
    yield
    await lsp_client.shutdown_session()


@pytest_lsp.fixture(config=SERVER, scope="module")
async def old_editor(lsp_client: LanguageClient):
    """An editor that cannot ask for diagnostics, nor resolve or annotate edits."""
    text = types.TextDocumentClientCapabilities(
        code_action=types.CodeActionClientCapabilities(), hover=types.HoverClientCapabilities()
    )
    capabilities = types.ClientCapabilities(
        text_document=text,
        general=types.GeneralClientCapabilities(position_encodings=["utf-8", "utf-16"]),
    )
    await lsp_client.initialize_session(types.InitializeParams(capabilities=capabilities))
    yield
    await lsp_client.shutdown_session()


def opened(client, text, uri=URI, language="python"):
    item = types.TextDocumentItem(uri, language, 1, text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    return types.TextDocumentIdentifier(uri)


def changed(client, version, text, area=None, uri=URI):
    if area is None:
        change = types.TextDocumentContentChangeWholeDocument(text)
    else:
        change = types.TextDocumentContentChangePartial(range=area, text=text)
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(version=version, uri=uri), [change]
        )
    )


def place(text, words, into=0):
    """The position of words in a text; only for texts of ASCII alone."""
    before = text[: text.index(words) + into]
    return types.Position(before.count("\n"), len(before) - before.rfind("\n") - 1)


def area(line, start, end):
    return types.Range(types.Position(line, start), types.Position(line, end))


async def pulled(client, document, previous=None):
    return await client.text_document_diagnostic_async(
        types.DocumentDiagnosticParams(document, previous_result_id=previous)
    )


async def actions_at(client, document, position, only=None):
    context = types.CodeActionContext([], only, types.CodeActionTriggerKind.Invoked)
    return await client.text_document_code_action_async(
        types.CodeActionParams(document, types.Range(position, position), context)
    )


async def test_diagnostics_are_pulled_and_unchanged_ones_are_not_sent_again(editor):
    document = opened(editor, "api_key = 'é😀abcd1234'\n")
    report = await pulled(editor, document)
    (item,) = report.items
    assert (item.code, item.source) == ("TT007", "ttdirect")
    assert item.range == area(0, 10, 23)  # the emoji counts twice
    again = await pulled(editor, document, report.result_id)
    assert again.kind == "unchanged"
    changed(editor, 2, "# a line more\n", types.Range(types.Position(0, 0), types.Position(0, 0)))
    moved = await pulled(editor, document, report.result_id)
    assert [it.range.start.line for it in moved.items] == [1]


async def test_broken_text_keeps_what_was_found_and_moves_it(editor):
    document = opened(editor, "x = 1\napi_key = 'abcd1234'\n", "file:///broken.py")
    start = types.Position(0, 0)
    changed(editor, 2, "def f(\n", types.Range(start, start), "file:///broken.py")
    report = await pulled(editor, document)
    assert [it.range for it in report.items] == [area(2, 10, 20)]


async def test_form_feeds_and_line_separators_end_no_line(editor):
    uri = "file:///feeds.py"
    document = opened(editor, "a = 1\f\nb = '\u2028\x85'\r\nc = 2\rapi_key = 'abcd1234'\n", uri)
    changed(editor, 2, "password", area(3, 0, 7), uri)
    report = await pulled(editor, document)
    assert [it.range for it in report.items] == [area(3, 11, 21)]


async def test_a_fix_is_an_edit_of_this_version(editor):
    text = SCRIPT.replace("MAX_BATCH_SIZE = 32", "MAX_BATCH_SIZE = 24")
    document = opened(editor, text, "file:///fix.py")
    found = await actions_at(
        editor, document, place(text, "MAX_BATCH_SIZE = 24", 18), [types.CodeActionKind.QuickFix]
    )
    fix, ignore = found
    assert (fix.title, fix.is_preferred) == ("Use 16", True)
    (change,) = fix.edit.document_changes
    assert change.text_document.version == 1
    assert change.edits[0].new_text == "16"
    assert ignore.title == "Ignore TT006 here"


async def test_recipes_come_with_reasons_and_are_resolved_when_chosen(editor):
    document = opened(editor, SCRIPT, "file:///recipe.py")
    found = await actions_at(editor, document, types.Position(0, 0), ["refactor.rewrite.ttdirect"])
    recipe = next(it for it in found if it.disabled is None and not it.title.startswith("Take"))
    assert recipe.edit is None
    resolved = await editor.code_action_resolve_async(recipe)
    (change,) = resolved.edit.document_changes
    assert change.text_document.version == 1
    labels = {it.annotation_id for it in change.edits}
    assert labels == set(resolved.edit.change_annotations)
    assert all(it.needs_confirmation for it in resolved.edit.change_annotations.values())
    changed(editor, 2, SCRIPT + "\n", uri="file:///recipe.py")
    stale = await editor.code_action_resolve_async(recipe)
    assert stale.edit is None  # the text has changed since


async def test_hovers_signatures_completion_lenses_hints_and_links(editor):
    document = opened(editor, SCRIPT, "file:///all.py")
    hover = await editor.text_document_hover_async(
        types.HoverParams(document, place(SCRIPT, "engine.ask", 8))
    )
    assert "ask(" in hover.contents.value
    signature = await editor.text_document_signature_help_async(
        types.SignatureHelpParams(document, place(SCRIPT, "max_tokens=max_tokens", 15))
    )
    assert (
        signature.signatures[0]
        .parameters[signature.active_parameter]
        .label.startswith("max_tokens")
    )
    lenses = await editor.text_document_code_lens_async(types.CodeLensParams(document))
    assert {it.command.command for it in lenses} >= {
        "tenstorrent.startApiServerDirect",
        "tenstorrent.testApiBasicDirect",
    }
    hints = await editor.text_document_inlay_hint_async(
        types.InlayHintParams(document, area(0, 0, 0))
    )
    assert not hints
    uri = "file:///readme.md"
    text = "ttdirect\n\n```sh\ncurl http://127.0.0.1:8080/chat -d '{\"\"}'\n```\n"
    markdown = opened(editor, text, uri, "markdown")
    items = await editor.text_document_completion_async(
        types.CompletionParams(markdown, place(text, '""', 1))
    )
    prompt = next(it for it in items if it.label == "prompt")
    assert prompt.text_edit.new_text == '"prompt": '
    assert prompt.text_edit.range == types.Range(place(text, '""'), place(text, '""', 2))
    links = await editor.text_document_document_link_async(types.DocumentLinkParams(markdown))
    assert not links


async def test_documents_of_others_get_no_answer(editor):
    document = opened(editor, "int x;", "file:///x.c", "c")
    assert (await pulled(editor, document)).items == ()
    where = types.Position(0, 0)
    assert await editor.text_document_hover_async(types.HoverParams(document, where)) is None
    assert not await actions_at(editor, document, where)


async def test_settings_can_change_while_the_server_runs(editor):
    document = opened(editor, "api_key = 'abcd1234'\n", "file:///off.py")
    assert len((await pulled(editor, document)).items) == 1
    settings = {"ttdirect": {"off": ["TT007"], "editorCommands": True, "port": "wrong"}}
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    assert (await pulled(editor, document)).items == ()


async def test_an_editor_that_cannot_ask_is_told(old_editor):
    opened(old_editor, "api_key = 'é😀abcd1234'\n", "file:///push.py")
    await old_editor.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    (item,) = old_editor.diagnostics["file:///push.py"]
    assert item.range == area(0, 10, 23)  # UTF-16, though it would have liked UTF-8 better
    close = types.DidCloseTextDocumentParams(types.TextDocumentIdentifier("file:///push.py"))
    old_editor.text_document_did_close(close)
    await old_editor.wait_for_notification(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    assert list(old_editor.diagnostics["file:///push.py"]) == []


async def test_an_editor_that_resolves_nothing_gets_whole_recipes(old_editor):
    document = opened(old_editor, SCRIPT, "file:///old.py")
    found = await actions_at(old_editor, document, types.Position(0, 0))
    recipes = [it for it in found if it.kind == "refactor.rewrite.ttdirect"]
    assert recipes
    for recipe in recipes:
        assert recipe.disabled is None
        assert recipe.edit.change_annotations is None
        assert all(type(it) is types.TextEdit for it in recipe.edit.document_changes[0].edits)
    lenses = await old_editor.text_document_code_lens_async(types.CodeLensParams(document))
    assert not lenses  # it has none of the commands


async def test_figures_appear_when_they_are_known_and_nobody_waits_for_them(editor):
    page = (
        "ttdirect:time_to_first_token_seconds_sum 0.2\n"
        "ttdirect:time_to_first_token_seconds_count 2.0\n"
        "ttdirect:inter_token_latency_seconds_sum 1.0\n"
        "ttdirect:inter_token_latency_seconds_count 50.0\n"
    )
    is_wanted, may_answer = asyncio.Event(), asyncio.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        is_wanted.set()
        await may_answer.wait()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
        writer.write((head + page).encode())
        await writer.drain()
        writer.close()

    refreshed = asyncio.Event()
    editor.feature(types.WORKSPACE_INLAY_HINT_REFRESH)(lambda *_: refreshed.set())
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = {"ttdirect": {"serverUrl": f"http://127.0.0.1:{port}", "editorCommands": True}}
    editor.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    document = opened(editor, SCRIPT, "file:///figures.py")
    everything = types.InlayHintParams(document, types.Range(types.Position(0, 0), END))
    assert not await editor.text_document_inlay_hint_async(everything)
    await is_wanted.wait()
    where = place(SCRIPT, "engine.ask", 8)
    hover = await editor.text_document_hover_async(types.HoverParams(document, where))
    assert hover is not None  # while the figures are still on their way
    may_answer.set()
    await refreshed.wait()
    hints = await editor.text_document_inlay_hint_async(everything)
    assert [it.label for it in hints][:1] == ["TTFT 100 ms · 50 tokens/s"]
    server.close()
    await server.wait_closed()
