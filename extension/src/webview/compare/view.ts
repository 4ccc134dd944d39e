import type { ToHost, ToPage } from "../../compare/protocol";
import type { ResultRecord } from "../../results/protocol";
import { Announcer } from "../announcer";
import { setHostTime } from "../clock";
import { create } from "../dom";
import { type EditorApi, Memory } from "../host";
import { ResultsList } from "../resultsList";
import { ServerLine } from "../serverLine";
import { batchSentence } from "../timing";
import { CompareBox } from "./compareBox";
import type { Entries } from "./entries";
import { testIds } from "./testids";

/** The whole page: it shows what the host sends, and tells it what the user wants. */
export class CompareView {
  readonly #server: ServerLine;
  readonly #box: CompareBox;
  readonly #list: ResultsList;
  readonly #announcer = new Announcer();
  #records: readonly ResultRecord[] = [];

  constructor(parent: HTMLElement, api: EditorApi<ToHost, Partial<Entries>>) {
    const post = (message: ToHost): void => api.postMessage(message);
    this.#server = new ServerLine(() => post({ type: "startServer" }));
    this.#box = new CompareBox(post, new Memory<Entries>(api));
    this.#list = new ResultsList(post, { empty: emptyState(), copyables: ["answer"] });
    parent.append(
      create(
        "main",
        {},
        create("h1", { className: "for-screen-readers" }, "Compare"),
        create("div", { className: "top" }, this.#server.element, this.#box.element),
        this.#list.element,
      ),
      this.#announcer.element,
    );
    post({ type: "loaded" });
  }

  receive(message: ToPage): void {
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
      case "copied":
        this.#list.confirmCopy(message.id, message.what);
        this.#announcer.say("Copied");
        return;
      case "key":
        this.#box.showKey(message.address, message.isKept);
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
    if (before?.status !== "running" || record.status === "running") return;
    const members = this.#records.filter(({ batch }) => batch === record.batch);
    if (members.some(({ status }) => status === "running")) return;
    this.#announcer.say(batchSentence(members, this.#records));
  }

  #show(records: readonly ResultRecord[]): void {
    this.#records = records;
    this.#list.show(records);
  }
}

function emptyState(): HTMLElement {
  return create(
    "div",
    { className: "empty", testId: testIds.empty },
    create("h2", {}, "Nothing compared yet"),
    create(
      "p",
      {},
      "One question goes out at every temperature above, at the same moment, and the answers are " +
        "written side by side. At 0 the model always takes the likeliest token; the higher the " +
        "temperature, the more it dares.",
    ),
    create(
      "p",
      {},
      "With the address of a second server, each temperature is asked there as well: another port " +
        "of this computer with another model, or any server that speaks OpenAI's API.",
    ),
  );
}
