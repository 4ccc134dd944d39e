import type { ServerSummary } from "../results/protocol";
import { create, setText } from "./dom";
import { icon } from "./icons";
import { testIds } from "./testids";

/** One line on the server: a dot in the colour of its state, words, and Start where that helps. */
export class ServerLine {
  readonly #text = create(
    "span",
    { className: "server-text", attributes: { role: "status" } },
    "Looking for the server",
  );
  readonly #start: HTMLButtonElement;
  readonly element: HTMLElement;

  /** @param start what its button does. */
  constructor(start: () => void) {
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
      "Start the server",
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
    this.element.dataset["state"] = state;
    setText(this.#text, text);
    this.#start.hidden = state !== "stopped" && state !== "failed";
  }
}
