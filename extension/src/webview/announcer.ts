import { create } from "./dom";

/** Tells screen readers what sighted people see happen; only what has ended, not every token. */
export class Announcer {
  readonly element = create("div", {
    className: "for-screen-readers",
    attributes: { role: "status", "aria-live": "polite" },
  });

  say(text: string): void {
    // The same words twice in a row are read twice only if the element is new.
    this.element.replaceChildren(create("p", {}, text));
  }
}
