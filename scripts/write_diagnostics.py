"""Write docs/diagnostics.md, the catalogue of what `ttdirect check` and editors find.

The rules in backend/ttdirect/language_server/rules are the source. Run it after changing one:

    .venv/bin/python scripts/write_diagnostics.py
"""

from pathlib import Path

from ttdirect.language_server.rules.catalogue import RULES

FILE = Path(__file__).resolve().parents[1] / "docs" / "diagnostics.md"

_START = """\
# Diagnostics: what editors and `ttdirect check` find

The language server looks at server scripts (any Flask script that drives a Generator or our engine)
and at the requests in Markdown and shell files. `ttdirect check [FILES]` says the same on the
command line. A finding is meant to be right: where a file does not say enough, nothing is said.

**To switch one off**, write a comment at the end of the line, or above it: `# tt: ignore[TT003]`;
without the brackets it counts for all codes. In Markdown it is `<!-- tt: ignore[TT013] -->` above
the block. Most findings have a quick fix, and all can be ignored from the same menu. The setting
`off` of the language server takes codes that shall never be shown.

This page comes from the rules themselves: `scripts/write_diagnostics.py` writes it.

| code | name | severity |
|---|---|---|
"""


def page() -> str:
    """The text of the page."""
    rows = [
        f"| [{it.code}](#{it.code.lower()}) | {it.name} | {it.severity.value} |" for it in RULES
    ]
    parts = [_START + "\n".join(rows) + "\n"]
    for rule in RULES:
        fence = "````" if "```" in rule.bad else "```"
        parts.append(
            f"## {rule.code}\n\n**{rule.name}** ({rule.severity.value}). {rule.why}\n\n"
            f"{fence}{rule.language}\n{rule.bad}{fence}\n\nBetter:\n\n"
            f"{fence}{rule.language}\n{rule.good}{fence}\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
    print(f"{FILE} is written")
