/** A model's answer as markup: what it says is data, and must not act. */

import * as l10n from "@vscode/l10n";
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";

const webAddress = /^(?:https?|mailto):/i;

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true });

// An answer may point at the web, but not at commands of the editor or files on the disk.
markdown.validateLink = (address) => webAddress.test(address);

// Pictures would come from the network; their description is all that is shown.
markdown.renderer.rules.image = (tokens, index) =>
  markdown.utils.escapeHtml(l10n.t("[picture: {0}]", tokens[index]?.content ?? ""));

// The card's own heading is the third level, so an answer's headings begin below it.
for (const rule of ["heading_open", "heading_close"]) {
  markdown.renderer.rules[rule] = (tokens, index, options, _environment, renderer) => {
    const token = tokens[index];
    if (token) token.tag = `h${Math.min(6, Number(token.tag.slice(1)) + 3)}`;
    return renderer.renderToken(tokens, index, options);
  };
}

// Where a link leads is seen before it is followed.
markdown.renderer.rules["link_open"] = (tokens, index, options, _environment, renderer) => {
  const token = tokens[index];
  token?.attrSet("title", token.attrGet("href") ?? "");
  return renderer.renderToken(tokens, index, options);
};

/** The answer as HTML, in which nothing of its own markup is left. */
export function markup(text: string): string {
  return markdown.render(text);
}

/** The elements of an answer, checked a second time by what a browser makes of them. */
export function rendered(text: string): readonly Node[] {
  const fragment = DOMPurify.sanitize(markup(text), {
    ALLOWED_TAGS: [
      ...["p", "br", "hr", "h4", "h5", "h6", "blockquote", "ul", "ol", "li", "pre", "code"],
      ...["em", "strong", "s", "a", "table", "thead", "tbody", "tr", "th", "td"],
    ],
    ALLOWED_ATTR: ["href", "title", "start"],
    ALLOWED_URI_REGEXP: webAddress,
    RETURN_DOM_FRAGMENT: true,
  });
  // Wide code and tables scroll; the keyboard has to reach what it shall scroll.
  for (const wide of fragment.querySelectorAll<HTMLElement>("pre, table")) wide.tabIndex = 0;
  return [...fragment.childNodes];
}
