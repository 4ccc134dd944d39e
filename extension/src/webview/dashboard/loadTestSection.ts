import * as l10n from "@vscode/l10n";
import { type LoadCase, type LoadTest, type ToHost, userCounts } from "../../dashboard/protocol";
import type { Announcer } from "../announcer";
import { create, createTable, setText } from "../dom";
import { rate, timeOfDay } from "../../figures";
import { icon } from "../icons";
import { LoadChart } from "./loadChart";
import { latency } from "./quantities";
import { failureNote, loadSentence, statusSentence } from "./sentence";
import { testIds } from "./testids";

const headings = [
  { label: l10n.t("Users") },
  { label: l10n.t("Tokens/s"), title: l10n.t("Of all users together") },
  {
    label: l10n.t("Each"),
    title: l10n.t("Tokens/s of one answer while it is written: the median"),
  },
  { label: l10n.t("TTFT"), title: l10n.t("Time to first token: the median") },
  { label: l10n.t("ITL"), title: l10n.t("Time from one token to the next: the median") },
];

/** A button that measures what batching gives, and what came of it. */
export class LoadTestSection {
  readonly #announcer: Announcer;
  readonly #run: HTMLButtonElement;
  readonly #cancel: HTMLButtonElement;
  readonly #status = create("span", { className: "load-status" });
  readonly #progress = create("progress", {
    max: userCounts.length,
    testId: testIds.loadProgress,
    attributes: { "aria-label": l10n.t("Load test") },
  });
  readonly #sentence = create("p", { className: "sentence", testId: testIds.loadSentence });
  readonly #error = create("p", { className: "error", testId: testIds.loadError });
  readonly #note = create("p", { className: "note" });
  readonly #origin = create("p", { className: "note" });
  readonly #chart = new LoadChart();
  readonly #rows = create("tbody");
  readonly #result: HTMLElement;
  readonly element: HTMLElement;
  #test: LoadTest | undefined;

  constructor(post: (message: ToHost) => void, announcer: Announcer) {
    this.#announcer = announcer;
    this.#run = create(
      "button",
      {
        type: "button",
        className: "secondary",
        testId: testIds.runLoadTest,
        onClick: () => post({ type: "runLoadTest" }),
      },
      icon("play"),
      l10n.t("Run the load test"),
    );
    this.#cancel = create(
      "button",
      {
        type: "button",
        className: "secondary",
        testId: testIds.cancelLoadTest,
        onClick: () => post({ type: "cancelLoadTest" }),
      },
      icon("stop"),
      l10n.t("Cancel"),
    );
    this.#result = create(
      "div",
      { className: "load-result" },
      this.#chart.element,
      createTable(testIds.loadTable, l10n.t("Figures by number of users"), headings, this.#rows),
    );
    this.element = create(
      "section",
      {
        className: "load-test",
        testId: testIds.loadTest,
        attributes: { "aria-labelledby": "load-test" },
      },
      create("h2", { id: "load-test" }, l10n.t("Load test")),
      create(
        "p",
        { className: "note" },
        l10n.t(
          "What does batching give? This asks the server with 1, 2, 4, 8 and 16 users at once, for about half a minute, or longer with a slow model.",
        ),
      ),
      create(
        "div",
        { className: "load-actions" },
        this.#run,
        this.#cancel,
        this.#progress,
        this.#status,
      ),
      this.#error,
      this.#sentence,
      this.#result,
      this.#note,
      this.#origin,
    );
    this.show(undefined);
  }

  show(test: LoadTest | undefined): void {
    const before = this.#test;
    this.#test = test;
    const cases = test?.cases ?? [];
    const isRunning = test?.status === "running";
    const focused = document.activeElement;
    this.#run.hidden = isRunning;
    this.#cancel.hidden = !isRunning;
    // Who pressed one of the two with the keyboard goes on at the other, not at the page's top.
    if (focused === this.#run && isRunning) this.#cancel.focus();
    if (focused === this.#cancel && !isRunning) this.#run.focus();
    this.#progress.hidden = !isRunning;
    this.#progress.value = cases.length;
    setText(this.#status, test ? statusSentence(test) : "");
    tell(this.#error, test?.error);
    tell(this.#sentence, test && loadSentence(test));
    tell(this.#note, test && failureNote(test));
    tell(this.#origin, test && cases.length > 0 ? originOf(test) : undefined);
    this.#result.hidden = cases.length === 0;
    this.#rows.replaceChildren(...cases.map(rowOf));
    this.#chart.show(cases);
    if (test && before?.status === "running" && !isRunning) {
      this.#announcer.say(test.error ?? loadSentence(test) ?? statusSentence(test));
    }
  }
}

function tell(element: HTMLElement, text: string | undefined): void {
  setText(element, text ?? "");
  element.hidden = text === undefined;
}

function rowOf({ users, tokensPerSecond, perUser, ttft, itl }: LoadCase): HTMLTableRowElement {
  const time = (seconds: number | undefined): string =>
    seconds === undefined ? "–" : latency(seconds);
  return create(
    "tr",
    {},
    create("th", { scope: "row" }, String(users)),
    create("td", {}, rate(tokensPerSecond)),
    create("td", {}, perUser === undefined ? "–" : rate(perUser)),
    create("td", {}, time(ttft)),
    create("td", {}, time(itl)),
  );
}

function originOf({ model, device, startedAt }: LoadTest): string {
  return [model, device, timeOfDay(startedAt)].filter((part) => part !== "").join(" · ");
}
