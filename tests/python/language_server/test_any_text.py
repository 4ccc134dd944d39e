"""No text, however broken, makes a feature raise, and no answer points outside of it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ttdirect.language_server.analysis.document import Document
from ttdirect.language_server.analysis.source import Span
from ttdirect.language_server.assist.completion import complete
from ttdirect.language_server.assist.figures import Figures, hints
from ttdirect.language_server.assist.hovers import hover_at, signature_at
from ttdirect.language_server.assist.lenses import lenses
from ttdirect.language_server.assist.links import links
from ttdirect.language_server.rules.catalogue import RULES, find
from ttdirect.language_server.rules.finding import Context, Parameters
from ttdirect.script.render import ScriptSettings, render

CONTEXT = Context(
    script_port=1, settings_port=2, generator={"f": Parameters(frozenset())}, tt_metal="/tt"
)
PAGE = """\
# ttdirect

1. Ask:

   ```sh
   curl -sX POST http://127.0.0.1:8080/chat -d '{"prompt": "é😀", "stop": ["a", 1]}' \\
     --json='{}' -H "A: $B"
   ```

> ```python
> requests.post("http://localhost:80/v1/chat/completions", json={"messages": [{"role": "x"}]})
> ```

```http
POST http://127.0.0.1:8080/chat

{"prompt": 5}
```
```json
{"messages": [{"role": "user", "content": 1}], "logit_bias": {"a": 1}, // why
```
"""
TEXTS = {
    "python": [render(ScriptSettings(device="cpu", model="demo"))]
    + [rule.bad for rule in RULES if rule.language == "python"],
    "markdown": [PAGE] + [rule.bad for rule in RULES if rule.language == "markdown"],
    "shell": ["curl 'http://a:1/chat' -d '{\"prompt\": 1}'\nfor x in 1; do gunicorn -w 4; done\n"],
}
PIECES = st.text("ab(){}[]'\"`\\\n\r\t\f #:=,é😀\ud800$-", max_size=8)


def broken(data, kind):
    text = data.draw(st.sampled_from(TEXTS[kind]))
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 40)))
        text = text[:start] + data.draw(PIECES) + text[end:]
    return text


@pytest.mark.parametrize("kind", TEXTS)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_text(kind, data):
    text = broken(data, kind)
    offset = data.draw(st.integers(0, len(text)))
    document = Document("file:///a", kind, text)
    hover = hover_at(document, offset)
    signature_at(document, offset, None)
    spans = [it.span for it in complete(document, offset)]
    spans += [it.span for it in lenses(document, "http://127.0.0.1:1")]
    spans += [it.span for it in links(document, None)]
    spans += [hover.span] if hover else []
    for hint in hints(document, Figures(1, 0.1, 2.0), Span(0, len(text))):
        spans.append(Span(hint.offset, hint.offset))
    for finding in find(document, CONTEXT):
        spans.append(finding.span)
        spans += [edit.span for fix in finding.fixes for edit in fix.edits]
    assert all(0 <= span.start <= span.end <= len(text) for span in spans)
    assert all(document.lines.place(span.start) <= document.lines.place(span.end) for span in spans)
