import { languages } from "../results/protocol";
import type { ResultRecord, ToWebview } from "../results/protocol";
import { Announcer } from "./announcer";
import { Chart } from "./chart";
import { setHostTime } from "./clock";
import { create } from "./dom";
import { duration, plural } from "../figures";
import { Memory } from "./host";
import type { EditorApi, Post } from "./host";
import { emptyState } from "./emptyState";
import { PromptBox } from "./promptBox";
import { ResultsList } from "./resultsList";
import { ServerLine } from "./serverLine";
import { batchSentence } from "./timing";

/** How much of a prompt is read out with its answer. Characters. */
const spokenPromptLength = 60;

/** The whole page: it shows what the host sends, and tells the host what the user wants. */
export class View {
  readonly #server: ServerLine;
  readonly #promptBox: PromptBox;
  readonly #chart: Chart;
  readonly #list: ResultsList;
  readonly #announcer = new Announcer();
  readonly #memory: Memory;
  #records: readonly ResultRecord[] = [];
  /** The first records bring the reader back to where the page was scrolled to. */
  #isFirst = true;

  constructor(parent: HTMLElement, api: EditorApi) {
    const post: Post = (message) => api.postMessage(message);
    this.#memory = new Memory(api);
    this.#server = new ServerLine(() => post({ type: "startServer" }));
    this.#promptBox = new PromptBox(post, this.#memory);
    this.#chart = new Chart(this.#memory);
    this.#list = new ResultsList(post, {
      empty: emptyState(post),
      copyables: ["answer", ...languages],
    });
    parent.append(
      create(
        "main",
        {},
        create("h1", { className: "for-screen-readers" }, "API Results"),
        create("div", { className: "top" }, this.#server.element, this.#promptBox.element),
        this.#chart.element,
        this.#list.element,
      ),
      this.#announcer.element,
    );
    window.addEventListener("scrollend", () => this.#memory.keep({ scroll: window.scrollY }));
    post({ type: "loaded" });
  }

  receive(message: ToWebview): void {
    switch (message.type) {
      case "all":
        setHostTime(message.now);
        this.#show(message.records);
        return;
      case "changed":
        setHostTime(message.now);
        this.#change(message.record);
        return;
      case "server":
        this.#server.show(message.server);
        return;
      case "compose":
        this.#promptBox.compose(message.request);
        return;
      case "reveal":
        this.#list.reveal(message.id);
        return;
      case "copied":
        this.#list.confirmCopy(message.id, message.what);
        this.#announcer.say("Copied");
        return;
    }
  }

  #change(record: ResultRecord): void {
    const before = this.#records.find(({ id }) => id === record.id);
    this.#show(
      before
        ? this.#records.map((old) => (old === before ? record : old))
        : [...this.#records, record],
    );
    if (before?.status === "running" && record.status !== "running") this.#announce(record);
  }

  #show(records: readonly ResultRecord[]): void {
    this.#records = records;
    this.#list.show(records);
    this.#chart.show(records);
    if (this.#isFirst) window.scrollTo({ top: this.#memory.state.scroll ?? 0 });
    this.#isFirst = false;
  }

  #announce({ batch, request, status, result, error }: ResultRecord): void {
    const members = this.#records.filter((record) => record.batch === batch);
    if (members.length > 1) {
      const stillRuns = members.some((member) => member.status === "running");
      if (!stillRuns) this.#announcer.say(batchSentence(members, this.#records));
      return;
    }
    const prompt = request.prompt.slice(0, spokenPromptLength);
    const outcome = result
      ? `${plural(result.tokens_generated, "token")} in ${duration(result.time_seconds)}`
      : (error ?? "");
    this.#announcer.say(`${status === "done" ? "Answered" : status}: ${prompt}. ${outcome}`);
  }
}
