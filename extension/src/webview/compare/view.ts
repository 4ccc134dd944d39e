import * as l10n from "@vscode/l10n";
import type { ToHost, ToPage } from "../../compare/protocol";
import { create } from "../dom";
import { type EditorApi, Memory } from "../host";
import { RecordsPart } from "../recordsPart";
import { endedBatchSentence } from "../timing";
import { CompareBox } from "./compareBox";
import type { Entries } from "./entries";
import { testIds } from "./testids";

/** The whole page: it shows what the host sends, and tells it what the user wants. */
export class CompareView {
  readonly #records: RecordsPart;
  readonly #box: CompareBox;

  constructor(parent: HTMLElement, api: EditorApi<ToHost, Partial<Entries>>) {
    const post = (message: ToHost): void => api.postMessage(message);
    this.#records = new RecordsPart(post, {
      empty: emptyState(),
      copyables: ["answer"],
      spoken: (_record, batch, records) => endedBatchSentence(batch, records),
    });
    this.#box = new CompareBox(post, new Memory<Entries>(api));
    const { server, list, announcer } = this.#records;
    parent.append(
      create(
        "main",
        {},
        create("h1", { className: "for-screen-readers" }, l10n.t("Compare")),
        create("div", { className: "top" }, server.element, this.#box.element),
        list.element,
      ),
      announcer.element,
    );
    post({ type: "loaded" });
  }

  receive(message: ToPage): void {
    if (message.type === "key") this.#box.showKey(message.address, message.isKept);
    else this.#records.receive(message);
  }
}

function emptyState(): HTMLElement {
  return create(
    "div",
    { className: "empty", testId: testIds.empty },
    create("h2", {}, l10n.t("Nothing compared yet")),
    create(
      "p",
      {},
      l10n.t(
        "One question goes out at every temperature above, at the same moment, and the answers are written side by side. At 0 the model always takes the likeliest token; the higher the temperature, the more it dares.",
      ),
    ),
    create(
      "p",
      {},
      l10n.t(
        "With the address of a second server, each temperature is asked there as well: another port of this computer with another model, or any server that speaks OpenAI's API.",
      ),
    ),
  );
}
