import { describe, expect, it } from "vitest";
import { exportText } from "../../extension/src/results/exporting";
import { page } from "../../extension/src/panel/page";
import { resultRecord, runningRecord } from "./resultsRecord";

describe("a page of ours", () => {
  const sources = {
    title: "API Results",
    language: "en",
    translations: undefined,
    cspSource: "https://webview.example",
    script: "https://webview.example/results.js",
    style: "https://webview.example/results.css",
    nonce: "n0nce",
  };
  const html = page(sources);

  it("allows its own script and style, and nothing else", () => {
    expect(html).toContain(
      "content=\"default-src 'none'; script-src 'nonce-n0nce'; style-src https://webview.example; " +
        'img-src https://webview.example data:; font-src https://webview.example"',
    );
    expect(html).not.toContain("unsafe");
  });

  it("holds nothing inline", () => {
    expect(html).not.toMatch(/<style|style=|\son\w+=/);
    expect(html.match(/<script[^>]*>/g)).toEqual([
      '<script nonce="n0nce" src="https://webview.example/results.js">',
    ]);
  });
});

describe("a page in another language", () => {
  const translations = { Undo: "Zurück </script><script>alert(1)</script>" };
  const html = page({
    title: "API-Ergebnisse",
    language: "de",
    translations,
    cspSource: "https://webview.example",
    script: "https://webview.example/results.js",
    style: "https://webview.example/results.css",
    nonce: "n0nce",
  });

  it("says which, and holds its words as data that nothing in them can end", () => {
    expect(html).toContain('<html lang="de">');
    const [data = "", ...others] = [...html.matchAll(/<script[^>]*>([^]*?)<\/script>/g)].map(
      ([, text = ""]) => text,
    );
    expect(others).toEqual([""]);
    expect(JSON.parse(data)).toEqual(translations);
  });
});

describe("the export", () => {
  it("holds every record with its figures, and times that people can read", () => {
    const text = exportText([resultRecord(), runningRecord({ id: "b" })], new Date(0));
    const { exported_at, results } = JSON.parse(text) as {
      exported_at: string;
      results: Record<string, unknown>[];
    };
    expect(exported_at).toBe("1970-01-01T00:00:00.000Z");
    expect(results[0]).toMatchObject({
      status: "done",
      sent_at: "1970-01-01T00:16:40.000Z",
      response: "Paris.",
      tokens_generated: 32,
      ttft_seconds: 0.12,
    });
    expect(results[1]).not.toHaveProperty("ended_at");
    expect(text.endsWith("}\n")).toBe(true);
  });
});
