import * as l10n from "@vscode/l10n";
import type { ChatRequest } from "../server/api";
import { create } from "./dom";
import { complain, type Field, field, onSend, sender, shortInput } from "./fields";
import type { Memory, Post } from "./host";
import { icon } from "./icons";
import { readEntries } from "./request";
import type { Entries, Mistakes } from "./request";
import { testIds } from "./testids";

/** Where a question is written, with its two parameters. */
export class PromptBox {
  readonly #post: Post;
  readonly #memory: Memory;
  readonly #fields: Readonly<Record<keyof Entries, Field>>;
  readonly element: HTMLFormElement;

  constructor(post: Post, memory: Memory) {
    this.#post = post;
    this.#memory = memory;
    const { prompt = "", maxTokens = "128", temperature = "0" } = memory.state;
    this.#fields = {
      prompt: field(
        l10n.t("Question"),
        create("textarea", {
          id: "prompt",
          testId: testIds.prompt,
          value: prompt,
          rows: 2,
          placeholder: l10n.t("Ask the model something"),
          attributes: { "aria-keyshortcuts": "Control+Enter Meta+Enter" },
        }),
      ),
      maxTokens: field(
        l10n.t("Max tokens"),
        shortInput("max-tokens", testIds.maxTokens, maxTokens, "numeric"),
      ),
      temperature: field(
        l10n.t("Temperature"),
        shortInput("temperature", testIds.temperature, temperature, "decimal"),
      ),
    };
    const ask = create(
      "button",
      { type: "submit", className: "primary", testId: testIds.ask },
      icon("send"),
      l10n.t("Ask"),
    );
    this.element = create(
      "form",
      {
        className: "prompt-box",
        noValidate: true,
        attributes: { "aria-label": l10n.t("Ask the model") },
      },
      this.#fields.prompt.element,
      create(
        "div",
        { className: "parameters" },
        this.#fields.maxTokens.element,
        this.#fields.temperature.element,
        sender(ask),
      ),
    );
    onSend(this.element, () => this.#send());
    this.element.addEventListener("input", () => {
      this.#memory.keep(this.#entries());
      // A mistake that is put right should not go on complaining; new ones wait for "Ask".
      if (this.element.querySelector("[aria-invalid]")) this.#check();
    });
  }

  /** Put a request into the box, with the cursor at its end. */
  compose(request: ChatRequest): void {
    const { prompt, maxTokens, temperature } = this.#fields;
    prompt.input.value = request.prompt;
    maxTokens.input.value = String(request.max_tokens ?? "");
    temperature.input.value = String(request.temperature ?? "");
    this.#memory.keep(this.#entries());
    // An empty box is an invitation, not a mistake.
    this.#complain({});
    prompt.input.focus();
    prompt.input.setSelectionRange(request.prompt.length, request.prompt.length);
  }

  #send(): void {
    const request = this.#check();
    if (!request) {
      this.element.querySelector<HTMLElement>("[aria-invalid]")?.focus();
      return;
    }
    this.#post({ type: "ask", request });
    // The question stays, to be varied; the next one can be typed over it at once.
    this.#fields.prompt.input.focus();
    this.#fields.prompt.input.select();
  }

  /** The request; if there is none, what is wrong is shown. */
  #check(): ChatRequest | undefined {
    const reading = readEntries(this.#entries());
    this.#complain("mistakes" in reading ? reading.mistakes : {});
    return "request" in reading ? reading.request : undefined;
  }

  /** Show beside each field what is wrong with it. */
  #complain(mistakes: Mistakes): void {
    for (const name of ["prompt", "maxTokens", "temperature"] as const) {
      complain(this.#fields[name], mistakes[name]);
    }
  }

  #entries(): Entries {
    const { prompt, maxTokens, temperature } = this.#fields;
    return {
      prompt: prompt.input.value,
      maxTokens: maxTokens.input.value,
      temperature: temperature.input.value,
    };
  }
}
