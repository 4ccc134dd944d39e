import * as l10n from "@vscode/l10n";
import { readAddress } from "../../compare/address";
import type { ToHost } from "../../compare/protocol";
import { create, setText } from "../dom";
import { complain, type Field, field, onSend, sender, shortInput } from "../fields";
import type { Memory } from "../host";
import { icon } from "../icons";
import { type Entries, readEntries } from "./entries";
import { testIds } from "./testids";

const names = ["prompt", "maxTokens", "temperatures", "other", "model"] as const;

const beginning: Entries = {
  prompt: "",
  maxTokens: "128",
  temperatures: "0, 0.7, 1.2",
  other: "",
  model: "",
};

/** Where the question is written, and what is to be compared. */
export class CompareBox {
  readonly #post: (message: ToHost) => void;
  readonly #memory: Memory<Entries>;
  readonly #fields: Readonly<Record<keyof Entries, Field>>;
  readonly #key: HTMLButtonElement;
  readonly element: HTMLFormElement;
  #isKept = false;

  constructor(post: (message: ToHost) => void, memory: Memory<Entries>) {
    this.#post = post;
    this.#memory = memory;
    const written = { ...beginning, ...memory.state };
    this.#fields = {
      prompt: field(
        l10n.t("Question"),
        create("textarea", {
          id: "prompt",
          testId: testIds.prompt,
          value: written.prompt,
          rows: 2,
          placeholder: l10n.t("One question for all columns"),
          attributes: { "aria-keyshortcuts": "Control+Enter Meta+Enter" },
        }),
      ),
      maxTokens: field(
        l10n.t("Max tokens"),
        shortInput("max-tokens", testIds.maxTokens, written.maxTokens, "numeric"),
      ),
      temperatures: field(
        l10n.t("Temperatures"),
        shortInput("temperatures", testIds.temperatures, written.temperatures, "text"),
      ),
      other: field(
        l10n.t("Second server"),
        shortInput(
          "other",
          testIds.other,
          written.other,
          "url",
          l10n.t("none, or {0}", "http://127.0.0.1:8000"),
        ),
      ),
      model: field(
        l10n.t("Its model"),
        shortInput("model", testIds.model, written.model, "text", l10n.t("its only one")),
      ),
    };
    this.#key = create(
      "button",
      {
        type: "button",
        className: "secondary",
        testId: testIds.key,
        onClick: () => this.#aboutKey("enterKey"),
      },
      l10n.t("Key"),
    );
    const { prompt, maxTokens, temperatures, other, model } = this.#fields;
    this.element = create(
      "form",
      {
        className: "prompt-box",
        noValidate: true,
        attributes: { "aria-label": l10n.t("Compare") },
      },
      prompt.element,
      create(
        "div",
        { className: "parameters" },
        temperatures.element,
        maxTokens.element,
        other.element,
        model.element,
        this.#key,
        sender(
          create(
            "button",
            { type: "submit", className: "primary", testId: testIds.compare },
            icon("send"),
            l10n.t("Compare"),
          ),
        ),
      ),
    );
    onSend(this.element, () => this.#send());
    this.element.addEventListener("input", () => {
      this.#memory.keep(this.#entries());
      this.#showOther();
      // A mistake that is put right should not go on complaining; new ones wait for "Compare".
      if (this.element.querySelector("[aria-invalid]")) this.#check();
    });
    other.input.addEventListener("change", () => this.#aboutKey("lookForKey"));
    this.#showOther();
    this.#aboutKey("lookForKey");
  }

  /** Whether a key is kept for an address, which may have been changed since it was asked. */
  showKey(address: string, isKept: boolean): void {
    if (address !== readAddress(this.#entries().other)) return;
    this.#isKept = isKept;
    this.#showOther();
  }

  #send(): void {
    const comparison = this.#check();
    if (comparison) this.#post({ type: "compare", comparison });
    else this.element.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  }

  /** The comparison; if there is none, what is wrong is shown. */
  #check() {
    const reading = readEntries(this.#entries());
    const mistakes = "mistakes" in reading ? reading.mistakes : {};
    for (const name of names) complain(this.#fields[name], mistakes[name]);
    return "comparison" in reading ? reading.comparison : undefined;
  }

  /** A model and a key belong to a second server only. */
  #showOther(): void {
    const hasOther = this.#entries().other.trim() !== "";
    this.#fields.model.element.hidden = !hasOther;
    this.#key.hidden = !hasOther;
    setText(this.#key, this.#isKept ? l10n.t("Key is kept") : l10n.t("Key"));
    this.#key.title = this.#isKept
      ? l10n.t("A key is kept for this server. Change or remove it")
      : l10n.t("Enter the API key of this server, if it wants one");
  }

  #aboutKey(type: "lookForKey" | "enterKey"): void {
    const written = this.#entries().other;
    const address = readAddress(written);
    this.#isKept = false;
    this.#showOther();
    if (written.trim() !== "" && address !== undefined) this.#post({ type, address });
    else if (type === "enterKey") this.#check();
  }

  #entries(): Entries {
    const value = (name: keyof Entries): string => this.#fields[name].input.value;
    return {
      prompt: value("prompt"),
      maxTokens: value("maxTokens"),
      temperatures: value("temperatures"),
      other: value("other"),
      model: value("model"),
    };
  }
}
