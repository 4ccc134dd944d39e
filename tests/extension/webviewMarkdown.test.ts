import { describe, expect, it } from "vitest";
import { markup } from "../../extension/src/webview/markdown";

describe("a model's answer", () => {
  it("is shown as Markdown", () => {
    expect(markup("**Paris**, `x`\n\n- one\n- two")).toBe(
      "<p><strong>Paris</strong>, <code>x</code></p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n",
    );
  });

  it("has headings below the card's own", () => {
    expect(markup("# One\n\n### Three")).toBe("<h4>One</h4>\n<h6>Three</h6>\n");
  });

  it("shows markup as the text that it is", () => {
    const page = markup("<script>alert(1)</script><img src=x onerror=alert(1)>");
    expect(page).not.toMatch(/<script|<img/);
    expect(page).toContain("&lt;script&gt;");
  });

  it("loads no pictures", () => {
    expect(markup("![a <cat>](https://example.com/cat.png)")).toBe(
      "<p>[picture: a &lt;cat&gt;]</p>\n",
    );
  });

  it("shows where links lead, and drops those that do something", () => {
    expect(markup("[docs](https://example.com/a)")).toContain(
      '<a href="https://example.com/a" title="https://example.com/a">docs</a>',
    );
    for (const address of ["javascript:alert(1)", "command:workbench.action.quit", "file:///a"]) {
      expect(markup(`[x](${address})`)).not.toContain("href=");
    }
  });
});
