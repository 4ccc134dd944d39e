import * as l10n from "@vscode/l10n";
import type { ServerSummary } from "../../results/protocol";
import { create, setText } from "../dom";
import { icon } from "../icons";
import { testIds } from "./testids";

const words = {
  ready: [l10n.t("Reading the first figures"), ""],
  waiting: [
    l10n.t("The server is about to be ready"),
    l10n.t("Its figures appear here as soon as its model is loaded."),
  ],
  stopping: [
    l10n.t("The server is about to stop"),
    l10n.t("Its figures appear here when it runs again."),
  ],
  stopped: [
    l10n.t("No figures yet"),
    l10n.t(
      "While the server runs, this page draws what it does: tokens per second, how long answers take to begin, requests that run and wait, and how full the KV cache is.",
    ),
  ],
} as const;

const kinds: Record<ServerSummary["state"], keyof typeof words> = {
  ready: "ready",
  starting: "waiting",
  loading: "waiting",
  stopping: "stopping",
  stopped: "stopped",
  failed: "stopped",
};

/** What stands there before there is anything to draw. */
export class EmptyState {
  readonly #heading = create("h2");
  readonly #text = create("p");
  readonly #start: HTMLButtonElement;
  readonly element: HTMLElement;

  /** @param start what its button does. */
  constructor(start: () => void) {
    this.#start = create(
      "button",
      { type: "button", className: "primary", testId: testIds.start, onClick: start },
      icon("play"),
      l10n.t("Start the server"),
    );
    this.element = create(
      "div",
      { className: "empty", testId: testIds.empty, hidden: true },
      this.#heading,
      this.#text,
      this.#start,
    );
  }

  /** @param state of the server; undefined when there is something to draw, or nothing is known. */
  show(state: ServerSummary["state"] | undefined): void {
    this.element.hidden = state === undefined;
    if (state === undefined) return;
    const [heading, text] = words[kinds[state]];
    setText(this.#heading, heading);
    setText(this.#text, text);
    this.#start.hidden = kinds[state] !== "stopped";
  }
}
