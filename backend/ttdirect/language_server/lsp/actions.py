"""Code actions: the fixes of findings, and the recipes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.capabilities import get_capability

from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.lsp.convert import range_of, span_of, text_edits
from ttdirect.language_server.lsp.documents import Offer
from ttdirect.language_server.rules.finding import Edit, Fix
from ttdirect.language_server.rules.suppression import comment_for

if TYPE_CHECKING:
    from ttdirect.language_server.lsp.documents import Opened
    from ttdirect.language_server.lsp.server import Server
    from ttdirect.language_server.rules.finding import Finding
    from ttdirect.script.recipes import Edits

RECIPE_KIND = "refactor.rewrite.ttdirect"
KINDS: list[types.CodeActionKind | str] = [types.CodeActionKind.QuickFix, RECIPE_KIND]


async def actions(server: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
    """What can be done at a place. Recipes look through the whole script, beside other answers."""
    opened = server.documents.get(params.text_document.uri)
    if opened is None:
        return []
    found: list[types.CodeAction] = []
    if _wants(params, "quickfix"):
        found += _fixes(server, opened, params)
    if _wants(params, RECIPE_KIND) and _is_asked_for(params) and _takes_recipes(opened):
        document = opened.document
        if opened.menu is None or opened.menu[0] is not document:
            loop = asyncio.get_running_loop()
            offers = await loop.run_in_executor(server.pool, _offers, document.text)
            opened.menu = (document, offers)
        if opened.document is document:  # else it has changed meanwhile, and they do not fit
            found += [_recipe(server, opened, offer) for offer in opened.menu[1]]
    return [it for it in found if it.disabled is None or _takes_disabled(server)]


def _offers(source: str) -> list[Offer]:
    """What the recipes can do for a script: be added, be taken out, or say why not."""
    # Imported when they are needed: it would be a third of the start.
    from ttdirect.script.recipes import RECIPES, Edits, removal, survey  # noqa: PLC0415

    offers: list[Offer] = []
    why_not = survey(source)
    for recipe in RECIPES:
        refusal = why_not[recipe.id]
        if refusal is None or not refusal.is_there:
            offers.append(Offer(recipe, refusal.reason if refusal else None))
        elif isinstance(removal(recipe.id, source), Edits):
            offers.append(Offer(recipe, None, takes_out=True))
    return offers


def _wants(params: types.CodeActionParams, kind: str) -> bool:
    """Whether a kind, or one that it belongs to, is asked for; all are where nothing is said."""
    only = params.context.only
    return not only or any(f"{kind}.".startswith(f"{_word(it)}.") for it in only)


def _word(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind


def _is_asked_for(params: types.CodeActionParams) -> bool:
    """Recipes come when somebody opens the menu, not with each move of the cursor."""
    return params.context.trigger_kind is not types.CodeActionTriggerKind.Automatic


def _fixes(
    server: Server, opened: Opened, params: types.CodeActionParams
) -> list[types.CodeAction]:
    document = opened.document
    area = span_of(document, params.range)
    actions: list[types.CodeAction] = []
    for finding in opened.findings(server.context, server.settings.off):
        if finding.span.start > area.end or area.start > finding.span.end:
            continue
        meant = [it for it in params.context.diagnostics if _is_of(it, opened, finding)]
        for rank, fix in enumerate(finding.fixes):
            actions.append(_fix(opened, fix, meant, is_preferred=rank == 0))
        if document is opened.good:
            actions.append(_fix(opened, _ignore(opened, finding), meant, is_preferred=False))
    return actions


def _is_of(diagnostic: types.Diagnostic, opened: Opened, finding: Finding) -> bool:
    where = range_of(opened.document, finding.span)
    return diagnostic.code == finding.code and diagnostic.range == where


def _ignore(opened: Opened, finding: Finding) -> Fix:
    line = opened.document.lines.line_of(finding.span.start)
    offset, comment = comment_for(opened.document, finding.code, line)
    return Fix(f"Ignore {finding.code} here", (Edit(Span(offset, offset), comment),))


def _fix(
    opened: Opened, fix: Fix, meant: list[types.Diagnostic], *, is_preferred: bool
) -> types.CodeAction:
    changes = text_edits(opened.document, fix.edits)
    return types.CodeAction(
        fix.title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=meant or None,
        is_preferred=is_preferred or None,
        edit=_workspace_edit(opened, list(changes)),
    )


def _workspace_edit(opened: Opened, changes: list[Any], **more: Any) -> types.WorkspaceEdit:
    # With the version, so that an edit for another text is refused.
    identifier = types.OptionalVersionedTextDocumentIdentifier(opened.document.uri, opened.version)
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(identifier, changes)], **more
    )


def _takes_recipes(opened: Opened) -> bool:
    facts = opened.document.python
    return facts is not None and bool(facts.routes)


def _recipe(server: Server, opened: Opened, offer: Offer) -> types.CodeAction:
    recipe = offer.recipe
    title = f"Take out: {recipe.title}" if offer.takes_out else recipe.title
    if offer.why_not is not None:
        reason = types.CodeActionDisabled(offer.why_not)
        return types.CodeAction(title, kind=RECIPE_KIND, disabled=reason)
    data = {
        "uri": opened.document.uri,
        "version": opened.version,
        "recipe": recipe.id,
        "takesOut": offer.takes_out,
    }
    action = types.CodeAction(title, kind=RECIPE_KIND, data=data)
    support = _capability(server, "resolve_support")
    has_edit_later = support is not None and "edit" in support.properties
    return action if has_edit_later else resolve(server, action)


def _takes_disabled(server: Server) -> bool:
    return bool(_capability(server, "disabled_support"))


def _capability(server: Server, name: str) -> Any:
    return get_capability(server.client_capabilities, f"text_document.code_action.{name}", None)


def resolve(server: Server, action: types.CodeAction) -> types.CodeAction:
    """Add the edit of a recipe that was chosen; nothing if the text has changed since."""
    from ttdirect.script.recipes import Edits, edits, removal  # noqa: PLC0415

    given: Any = action.data
    data = cast("dict[str, Any]", given if isinstance(given, dict) else {})
    opened = server.documents.get(str(data.get("uri", "")))
    if opened is None or opened.version != data.get("version"):
        return action
    change = removal if data.get("takesOut") is True else edits
    result = change(str(data.get("recipe")), opened.document.text)
    if isinstance(result, Edits):
        action.edit = _recipe_edit(server, opened, result)
    else:
        message = types.ShowMessageParams(types.MessageType.Warning, result.reason)
        server.window_show_message(message)
    return action


def _recipe_edit(server: Server, opened: Opened, result: Edits) -> types.WorkspaceEdit:
    document = opened.document
    annotated = get_capability(
        server.client_capabilities, "workspace.workspace_edit.change_annotation_support", None
    )
    if annotated is None:
        plain = [Edit(Span(it.start, it.end), it.text) for it in result.edits]
        return _workspace_edit(opened, list(text_edits(document, plain)))
    # Each reason once; the editor shows them in its preview, beside what they change.
    labels = list(dict.fromkeys(it.label for it in result.edits))
    note = " ".join(
        part for part in (result.note, f"pip install {result.pip}" if result.pip else "") if part
    )
    annotations = {
        str(number): types.ChangeAnnotation(
            label, needs_confirmation=True, description=note or None
        )
        for number, label in enumerate(labels)
    }
    changes = [
        types.AnnotatedTextEdit(
            annotation_id=str(labels.index(it.label)),
            range=range_of(document, Span(it.start, it.end)),
            new_text=it.text,
        )
        for it in result.edits
    ]
    return _workspace_edit(opened, changes, change_annotations=annotations)
