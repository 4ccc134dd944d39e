import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { describe, expect, it, test } from "vitest";
import { logTail } from "../../extension/src/report/logTail";
import { isSecretName, mask } from "../../extension/src/report/mask";
import { type ReportFacts, reportText } from "../../extension/src/report/text";

const facts: ReportFacts = {
  versions: [["editor", "code-server 1.139.1"]],
  state: { kind: "stopped" },
  failures: [],
  settings: {},
  doctor: "== Checks\nok    python",
  log: "2026-11-23 [info] Server ready",
};

describe("what is masked", () => {
  const secrets = {
    home: "/home/ada",
    environment: {
      HF_TOKEN: "aTokenOfNoShape",
      TTDIRECT_API_KEY: "opensesame",
      SHORT_KEY: "ab",
      LIST_KEY: "firstkey, secondkey",
      LANGUAGE: "english",
      EMPTY_TOKEN: undefined,
    },
    others: ["kept-in-the-secret-storage"],
  };
  const masked = (text: string): string => mask(text, secrets);

  it.each([
    ["a token of the environment", "HF_TOKEN=aTokenOfNoShape", "HF_TOKEN=***"],
    ["a key of the environment", "asked with opensesame.", "asked with ***."],
    ["each key of a list", "asked with secondkey.", "asked with ***."],
    ["what the extension keeps", '"kept-in-the-secret-storage"', '"***"'],
    ["a token of the hub", "gave hf_AbCdEfGhIjKl to it", "gave *** to it"],
    ["a key of OpenAI's kind", "key sk-proj-0123456789abc", "key ***"],
    ["a password in an address", "https://ada:pw@pypi.acme/simple", "https://***@pypi.acme/simple"],
    [
      "what a header carries",
      "Authorization: Bearer x.y-z, next",
      "Authorization: Bearer ***, next",
    ],
    ["the home folder", "/home/ada/models and /home/ada", "~/models and ~"],
  ])("%s", (_what, text, expected) => {
    expect(masked(text)).toBe(expected);
  });

  it.each([
    ["a word that holds a secret", "opensesames"],
    ["a short value", "ab and cab"],
    ["what has no secret's name", "english"],
    ["another home", "/home/adam and /home/ada.old"],
  ])("but not %s", (_what, text) => {
    expect(masked(text)).toBe(text);
  });

  it("is all of it, in a whole report", () => {
    const everywhere = "aTokenOfNoShape opensesame kept-in-the-secret-storage hf_AbCdEfGhIjKl";
    const text = reportText({
      versions: [["Python", everywhere]],
      state: { kind: "failed", failure: { code: "x", what: everywhere, fix: everywhere } },
      failures: [everywhere],
      settings: { "tenstorrent.pipArguments": ["--index-url", `https://${everywhere}@pypi`] },
      doctor: everywhere,
      log: everywhere,
    });
    for (const secret of everywhere.split(" ")) {
      expect(text).toContain(secret);
      expect(masked(text)).not.toContain(secret);
    }
  });
});

it.each(["apiKey", "HF_TOKEN", "remoteApiKeys", "compare.password"])(
  "%s names a secret",
  (name) => {
    expect(isSecretName(name)).toBe(true);
  },
);

it.each(["model", "torchIndex", "pipArguments", "TOKENIZERS_PARALLELISM"])(
  "%s does not",
  (name) => {
    expect(isSecretName(name)).toBe(false);
  },
);

describe("the report", () => {
  it("has its parts in order, for a person to begin", () => {
    const text = reportText(facts);
    const titles = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title);
    expect(titles).toEqual([
      "TT Direct API: a problem",
      "What happened",
      "Versions",
      "Server",
      "Settings",
      "What ttdirect doctor says",
      "The end of the extension's log",
    ]);
    expect(text).toContain("- editor: code-server 1.139.1");
    expect(text).toContain("- stopped");
    expect(text).toContain("```text\n== Checks\nok    python\n```");
  });

  it("tells why the server has failed, and earlier ones", () => {
    const failure = { code: "port-taken", what: "Port 8080 is taken.", fix: "choose another" };
    const text = reportText({
      ...facts,
      state: { kind: "failed", failure },
      failures: ["a server gave up: memory"],
    });
    expect(text).toContain("- failed: port-taken, Port 8080 is taken.\n- a server gave up: memory");
  });

  it("keeps a log in its place that holds a fence itself", () => {
    expect(reportText({ ...facts, log: "````\nmore" })).toContain("`````text\n````\nmore\n`````");
  });
});

describe("the log's tail", () => {
  const inFolder = async (use: (file: string) => Promise<void>): Promise<void> => {
    const folder = mkdtempSync(path.join(tmpdir(), "log-"));
    await use(path.join(folder, "a.log")).finally(() => rmSync(folder, { recursive: true }));
  };

  test("is the last 200 lines, each whole", () =>
    inFolder(async (file) => {
      const lines = Array.from({ length: 5000 }, (_, n) => `line ${n} ${"x".repeat(400)}`);
      writeFileSync(file, `${lines.join("\n")}\n`);
      const tail = (await logTail(file)).split("\n");
      expect(tail.at(-1)).toBe(lines.at(-1));
      expect(tail.length).toBeGreaterThan(100);
      expect(tail[0]).toBe(lines[5000 - tail.length]);
      writeFileSync(file, lines.map((_, n) => `${n}`).join("\n"));
      expect((await logTail(file)).split("\n")).toHaveLength(200);
    }));

  test("is a sentence without a log", () =>
    inFolder(async (file) => {
      expect(await logTail(file)).toBe("There is no log yet.");
      writeFileSync(file, "");
      expect(await logTail(file)).toBe("The log is empty.");
    }));
});
