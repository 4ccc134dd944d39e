// @vitest-environment happy-dom
/** A page reads its words before anything of it is made. */

import { afterAll, expect, it, vi } from "vitest";
import { page } from "../../extension/src/panel/page";
import german from "../../l10n/bundle.l10n.de.json";
import { resultRecord } from "./resultsRecord";

// The chart draws on a canvas, which only a browser has.
vi.mock("uplot", () => ({ default: vi.fn() }));

afterAll(() => vi.unstubAllGlobals());

it("speaks German when the editor does, down to what its modules keep", async () => {
  const html = page({
    title: "API-Ergebnisse",
    language: "de",
    translations: german,
    cspSource: "",
    script: "",
    style: "",
    nonce: "",
  });
  document.body.innerHTML = /<body>([^]*)<\/body>/.exec(html)?.[1] ?? "";
  vi.stubGlobal("acquireVsCodeApi", () => ({
    postMessage: () => undefined,
    getState: () => undefined,
    setState: () => undefined,
  }));
  await import("../../extension/src/webview/results");
  const shown = (): string => document.body.querySelector("main")?.textContent ?? "";
  expect(shown()).toContain("Noch keine Anforderungen");
  const data = { type: "all", records: [resultRecord()], now: 0 };
  window.dispatchEvent(new MessageEvent("message", { data }));
  expect(shown()).toContain("Fertig"); // a status, kept in a constant
  expect(shown()).toContain("Wartezeit"); // a heading of a table
});
