import * as l10n from "@vscode/l10n";
import { languages } from "../results/protocol";
import type { ResultRecord, ToWebview } from "../results/protocol";
import { Chart } from "./chart";
import { create } from "./dom";
import { duration } from "../figures";
import { Memory } from "./host";
import type { EditorApi, Post } from "./host";
import { emptyState } from "./emptyState";
import { PromptBox } from "./promptBox";
import { RecordsPart } from "./recordsPart";
import { endedBatchSentence } from "./timing";

/** How much of a prompt is read out with its answer. Characters. */
const spokenPromptLength = 60;

/** The whole page: it shows what the host sends, and tells the host what the user wants. */
export class View {
  readonly #records: RecordsPart;
  readonly #promptBox: PromptBox;
  readonly #chart: Chart;
  readonly #memory: Memory;
  /** The first records bring the reader back to where the page was scrolled to. */
  #isFirst = true;

  constructor(parent: HTMLElement, api: EditorApi) {
    const post: Post = (message) => api.postMessage(message);
    this.#memory = new Memory(api);
    this.#records = new RecordsPart(post, {
      empty: emptyState(post),
      copyables: ["answer", ...languages],
      spoken: (record, batch, records) =>
        batch.length > 1 ? endedBatchSentence(batch, records) : outcome(record),
      onShow: (records) => this.#follow(records),
    });
    this.#promptBox = new PromptBox(post, this.#memory);
    this.#chart = new Chart(this.#memory);
    const { server, list, announcer } = this.#records;
    parent.append(
      create(
        "main",
        {},
        create("h1", { className: "for-screen-readers" }, l10n.t("API Results")),
        create("div", { className: "top" }, server.element, this.#promptBox.element),
        this.#chart.element,
        list.element,
      ),
      announcer.element,
    );
    window.addEventListener("scrollend", () => this.#memory.keep({ scroll: window.scrollY }));
    post({ type: "loaded" });
  }

  receive(message: ToWebview): void {
    switch (message.type) {
      case "compose":
        this.#promptBox.compose(message.request);
        return;
      case "reveal":
        this.#records.list.reveal(message.id);
        return;
      case "all":
      case "changed":
      case "server":
      case "copied":
        this.#records.receive(message);
        return;
    }
  }

  #follow(records: readonly ResultRecord[]): void {
    this.#chart.show(records);
    if (this.#isFirst) window.scrollTo({ top: this.#memory.state.scroll ?? 0 });
    this.#isFirst = false;
  }
}

/** How one request has ended, to be read out. */
function outcome({ request, status, result, error }: ResultRecord): string {
  const prompt = request.prompt.slice(0, spokenPromptLength);
  if (status === "failed") return `${l10n.t("Failed: {0}.", prompt)} ${error ?? ""}`;
  if (!result) return l10n.t("Cancelled: {0}.", prompt);
  const { tokens_generated: tokens, time_seconds } = result;
  const time = duration(time_seconds);
  return tokens === 1
    ? l10n.t("Answered: {0}. 1 token in {1}", prompt, time)
    : l10n.t("Answered: {0}. {1} tokens in {2}", prompt, tokens, time);
}
