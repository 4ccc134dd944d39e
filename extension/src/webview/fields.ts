/** Inputs with their labels, and what is wrong with what was written into them. */

import * as l10n from "@vscode/l10n";
import { create, setText } from "./dom";

type Input = HTMLInputElement | HTMLTextAreaElement;

export interface Field {
  readonly input: Input;
  readonly mistake: HTMLElement;
  readonly element: HTMLElement;
}

/** An input under its label, with room for what is wrong with it. */
export function field(label: string, input: Input): Field {
  const mistake = create("span", { className: "mistake", id: `${input.id}-mistake`, hidden: true });
  input.setAttribute("aria-describedby", mistake.id);
  const element = create(
    "div",
    { className: `field field-${input.id}` },
    create("label", { htmlFor: input.id }, label),
    input,
    mistake,
  );
  return { input, mistake, element };
}

/** An input of one line. @param inputMode the keyboard that a touch screen offers. */
export function shortInput(
  id: string,
  testId: string,
  value: string,
  inputMode: string,
  placeholder = "",
): HTMLInputElement {
  return create("input", { id, testId, value, inputMode, placeholder, autocomplete: "off" });
}

/** The button that sends a form, behind the keys that do the same. */
export function sender(button: HTMLButtonElement): HTMLElement {
  const keys = navigator.userAgent.includes("Mac") ? l10n.t("⌘ Enter") : l10n.t("Ctrl+Enter");
  const hint = create("span", { className: "hint" }, l10n.t("{0} sends", keys));
  return create("div", { className: "send" }, hint, button);
}

/** Say what is wrong with a field, or that nothing is. */
export function complain({ input, mistake }: Field, text: string | undefined): void {
  setText(mistake, text ?? "");
  mistake.hidden = text === undefined;
  if (text === undefined) input.removeAttribute("aria-invalid");
  else input.setAttribute("aria-invalid", "true");
}

/** Send a form by its button, or by Ctrl+Enter from anywhere in it. */
export function onSend(form: HTMLFormElement, send: () => void): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    send();
  });
}
