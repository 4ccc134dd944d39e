import * as l10n from "@vscode/l10n";
import type { ServerSummary } from "../results/protocol";
import type { Announcer } from "./announcer";
import { create, setText } from "./dom";
import { icon } from "./icons";
import { testIds } from "./testids";

/** One line on the server: a dot in the colour of its state, words, and Start where that helps. */
export class ServerLine {
  readonly #announcer: Announcer;
  readonly #text = create("span", { className: "server-text" }, l10n.t("Looking for the server"));
  readonly #start: HTMLButtonElement;
  readonly element: HTMLElement;

  /** @param start what its button does. */
  constructor(start: () => void, announcer: Announcer) {
    this.#announcer = announcer;
    this.#start = create(
      "button",
      {
        type: "button",
        className: "quiet",
        testId: testIds.startServer,
        hidden: true,
        onClick: start,
      },
      icon("play"),
      l10n.t("Start the server"),
    );
    this.element = create(
      "div",
      { className: "server-line", testId: testIds.serverState },
      create("span", { className: "dot", attributes: { "aria-hidden": "true" } }),
      this.#text,
      this.#start,
    );
  }

  show({ state, text }: ServerSummary): void {
    const before = this.element.dataset["state"];
    this.element.dataset["state"] = state;
    setText(this.#text, text);
    // Seconds and counts go on changing; only a new state is read out.
    if (before !== undefined && before !== state) this.#announcer.say(text);
    this.#start.hidden = state !== "stopped" && state !== "failed";
  }
}
