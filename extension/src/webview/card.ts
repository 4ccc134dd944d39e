import * as l10n from "@vscode/l10n";
import type { Copyable, ResultRecord } from "../results/protocol";
import { hostTime } from "./clock";
import { create, createTable, type Heading, setChildren, setText } from "./dom";
import { duration, rate } from "../figures";
import type { PostAboutRecords } from "./host";
import { icon } from "./icons";
import type { IconName } from "./icons";
import { rendered } from "./markdown";
import { testIds } from "./testids";

const statusWords: Record<ResultRecord["status"], readonly [IconName, string]> = {
  running: ["running", l10n.t("Running")],
  done: ["check", l10n.t("Done")],
  failed: ["failed", l10n.t("Failed")],
  cancelled: ["cancelled", l10n.t("Cancelled")],
};

/** Why an answer ended early; the usual reason, "stop", needs no words. */
const endings: Readonly<Record<string, string>> = {
  length: l10n.t("The answer ended at its limit of tokens."),
  deadline: l10n.t("The server ended the answer: it took too long."),
  abort: l10n.t("The server ended the answer: it was about to stop."),
};

/** How long "Copied" stands in a button. Milliseconds. */
const confirmationTime = 1600;

/** One request: its prompt, the answer as it comes, its figures, and what can be done with it. */
export class Card {
  readonly #post: PostAboutRecords;
  #record: ResultRecord;
  readonly #status = create("span", { className: "status", testId: testIds.status });
  readonly #waiting = create("p", { className: "note" }, l10n.t("Waiting for the first token"));
  readonly #answer = create("div", { className: "answer", testId: testIds.answer });
  readonly #note = create("p", { className: "note" });
  readonly #error = create("p", { className: "error", testId: testIds.error });
  readonly #figures = create("div", { className: "figures" });
  readonly #origin = create("p", { className: "origin" });
  readonly #copyButtons: Readonly<Record<Copyable, HTMLButtonElement>>;
  readonly #cancel: HTMLButtonElement;
  readonly #repeat: HTMLButtonElement;
  readonly element: HTMLElement;

  constructor(record: ResultRecord, post: PostAboutRecords, copyables: readonly Copyable[]) {
    this.#post = post;
    this.#record = record;
    this.#copyButtons = {
      answer: this.#copyButton("answer", l10n.t("Answer"), testIds.copyAnswer),
      curl: this.#copyButton("curl", "curl", testIds.copyCurl),
      python: this.#copyButton("python", "Python", testIds.copyPython),
      javascript: this.#copyButton("javascript", "JavaScript", testIds.copyJavascript),
    };
    this.#cancel = this.#button("stop", l10n.t("Cancel"), testIds.cancel, () =>
      post({ type: "cancel", id: record.id }),
    );
    this.#repeat = this.#button("repeat", l10n.t("Repeat"), testIds.repeat, () =>
      post({ type: "repeat", ids: [record.id] }),
    );
    const promptId = `prompt-${record.id}`;
    const prompt = create(
      "h3",
      { id: promptId, className: "card-prompt", testId: testIds.cardPrompt },
      record.variant ?? record.request.prompt,
    );
    // The keyboard has to reach a prompt that is long enough to scroll.
    new ResizeObserver(() => {
      if (prompt.scrollHeight > prompt.clientHeight) prompt.tabIndex = 0;
      else prompt.removeAttribute("tabindex");
    }).observe(prompt);
    this.element = create(
      "article",
      {
        className: "card",
        testId: testIds.card,
        tabIndex: -1,
        attributes: { "aria-labelledby": promptId },
      },
      create(
        "header",
        {},
        prompt,
        create("div", { className: "state" }, this.#status, this.#cancel, this.#repeat),
      ),
      this.#waiting,
      this.#answer,
      this.#note,
      this.#error,
      this.#figures,
      this.#origin,
      create(
        "footer",
        {},
        create(
          "div",
          { className: "copy", attributes: { role: "group", "aria-label": l10n.t("Copy") } },
          icon("copy"),
          ...copyables.map((what) => this.#copyButtons[what]),
        ),
      ),
    );
    this.show(record);
  }

  show(record: ResultRecord): void {
    this.#record = record;
    const { status, text, error, result } = record;
    const isRunning = status === "running";
    const hadFocus = document.activeElement === this.#cancel;
    this.element.dataset["status"] = status;
    this.element.setAttribute("aria-busy", String(isRunning));
    setChildren(this.#answer, rendered(text));
    this.#answer.hidden = text === "";
    this.#waiting.hidden = !isRunning || text !== "";
    const ending = endings[result?.finish_reason ?? ""];
    setText(this.#note, ending ?? "");
    this.#note.hidden = ending === undefined;
    setText(this.#error, error ?? "");
    this.#error.hidden = error === undefined;
    setText(this.#origin, originOf(record));
    this.#figures.replaceChildren(...(result ? [figuresTable(result)] : []));
    this.#figures.hidden = result === undefined;
    this.#copyButtons.answer.hidden = text === "";
    this.#cancel.hidden = !isRunning;
    this.#repeat.hidden = isRunning;
    // Who waited on "Cancel" with the keyboard is not thrown back to the top of the page.
    if (hadFocus && !isRunning) this.#repeat.focus();
    this.tick();
  }

  /** Let the clock of a running request go on. */
  tick(): void {
    const { status, sentAt, endedAt } = this.#record;
    const [name, word] = statusWords[status];
    const elapsed = duration(Math.max(0, (endedAt ?? hostTime()) - sentAt) / 1000);
    if (this.#status.dataset["status"] !== status) {
      this.#status.dataset["status"] = status;
      this.#status.replaceChildren(icon(name), create("span"));
    }
    // The figures of a finished answer say more exactly how long it took.
    const words = status === "done" ? word : `${word} · ${elapsed}`;
    setText(this.#status.lastElementChild ?? this.#status, words);
  }

  /** Say in the button that its text is on the clipboard now. */
  confirmCopy(what: Copyable): void {
    const button = this.#copyButtons[what];
    const label = button.textContent;
    if (button.classList.contains("confirmed")) return;
    button.classList.add("confirmed");
    // Its name is what stands in it now.
    const name = button.getAttribute("aria-label") ?? "";
    button.removeAttribute("aria-label");
    setText(button, l10n.t("Copied"));
    setTimeout(() => {
      button.classList.remove("confirmed");
      button.setAttribute("aria-label", name);
      setText(button, label);
    }, confirmationTime);
  }

  #copyButton(what: Copyable, label: string, testId: string): HTMLButtonElement {
    const title =
      what === "answer" ? l10n.t("Copy the answer") : l10n.t("Copy the request as {0}", label);
    return create(
      "button",
      {
        type: "button",
        className: "quiet",
        title,
        testId,
        attributes: { "aria-label": title },
        onClick: () => this.#post({ type: "copy", id: this.#record.id, what }),
      },
      label,
    );
  }

  #button(name: IconName, label: string, testId: string, onClick: () => void): HTMLButtonElement {
    return create(
      "button",
      { type: "button", className: "quiet", testId, onClick },
      icon(name),
      label,
    );
  }
}

const columns: readonly Heading[] = [
  { label: l10n.t("Tokens"), title: l10n.t("Tokens in the answer") },
  { label: l10n.t("Time"), title: l10n.t("From the request's arrival to the last token") },
  {
    label: l10n.t("TTFT"),
    title: l10n.t("Time to first token: until the first token of the answer was there"),
  },
  { label: l10n.t("Tokens/s"), title: l10n.t("Tokens of the answer divided by the time") },
  { label: l10n.t("Queue"), title: l10n.t("Time spent waiting for a free place in the batch") },
];

function figuresTable(result: NonNullable<ResultRecord["result"]>): HTMLTableElement {
  const queue = result.queue_seconds;
  const values = [
    String(result.tokens_generated),
    duration(result.time_seconds),
    duration(result.ttft_seconds),
    rate(result.tokens_per_second),
    ...(queue === undefined ? [] : [duration(queue)]),
  ];
  const row = create("tr", {}, ...values.map((value) => create("td", {}, value)));
  const headings = columns.slice(0, values.length);
  return createTable(
    testIds.figures,
    l10n.t("Figures of this answer"),
    headings,
    create("tbody", {}, row),
  );
}

/** What answered, and with which parameters. */
function originOf({ model, device, request }: ResultRecord): string {
  const parts = [
    ...[model, device].filter((part) => part !== ""),
    ...(request.max_tokens === undefined ? [] : [l10n.t("max tokens {0}", request.max_tokens)]),
    ...(request.temperature === undefined ? [] : [l10n.t("temperature {0}", request.temperature)]),
  ];
  // Lines break after the dots only.
  return parts.map((part) => part.replaceAll(" ", "\u00a0")).join("\u00a0· ");
}
