/** What translators work with is complete, and what they have written fits. */

import { existsSync, readdirSync } from "node:fs";
import * as l10n from "@vscode/l10n";
import * as ts from "typescript";
import { afterEach, describe, expect, it } from "vitest";
import { entriesFor } from "../../extension/src/status/menu";
import { describe as wordsOf } from "../../extension/src/status/description";
import { bundleText } from "../../scripts/export_strings.mjs";
import { readManifest } from "../../scripts/manifest.mjs";
import { inProject, read } from "./walkthroughSteps";

type Words = Readonly<Record<string, string>>;

const wordsIn = (file: string): Words => JSON.parse(read(file)) as Words;
const english = wordsIn("l10n/bundle.l10n.json");
const manifestWords = wordsIn("package.nls.json");
const languages = readdirSync(inProject("l10n")).flatMap(
  (name) => /^bundle\.l10n\.(.+)\.json$/.exec(name)?.[1] ?? [],
);

/** What has to be in a sentence in every language: `{0}`, and where its links lead. */
function fixedParts(sentence: string): readonly string[] {
  return (sentence.match(/\{\d+\}|\(command:[^)]+\)/g) ?? []).sort();
}

describe("the sentences for translators", () => {
  it("are those of the sources (npm run strings)", async () => {
    expect(read("l10n/bundle.l10n.json")).toBe(await bundleText());
  }, 30_000);

  it("are those of the manifest, each used", () => {
    const used = [...read("package.json").matchAll(/"%(.+)%"/g)].map(([, key]) => key);
    expect(used.sort()).toEqual(Object.keys(manifestWords).sort());
  });

  it("are packed, with all their translations", () => {
    const packed = read(".vscodeignore").split("\n");
    expect(packed).toEqual(expect.arrayContaining(["!package.nls*.json", "!l10n/*.json"]));
    expect(readManifest()).toMatchObject({ l10n: "./l10n" });
  });
});

describe.each(languages)("the translation into %s", (language) => {
  const both: readonly [readonly [Words, Words], readonly [Words, Words]] = [
    [english, wordsIn(`l10n/bundle.l10n.${language}.json`)],
    [manifestWords, wordsIn(`package.nls.${language}.json`)],
  ];

  it("lacks nothing, and has nothing that is no longer said", () => {
    for (const [original, translated] of both) {
      expect(Object.keys(translated).sort()).toEqual(Object.keys(original).sort());
    }
  });

  it("keeps every value and every link in its sentence", () => {
    for (const [original, translated] of both) {
      for (const [key, sentence] of Object.entries(translated)) {
        expect(sentence.trim(), key).not.toBe("");
        expect(fixedParts(sentence), key).toEqual(fixedParts(original[key] ?? ""));
      }
    }
  });

  it("calls commands as the palette does", () => {
    const titles = Object.keys(manifestWords).filter((key) => key.startsWith("command."));
    const [[, sentences], [, own]] = both;
    const named = Object.entries(sentences).flatMap(([original, translated]) =>
      titles
        .filter((key) => original.includes(`Tenstorrent: ${manifestWords[key] ?? ""}`))
        .map((key) => ({ translated, title: own[key] ?? "" })),
    );
    expect(named.length).toBeGreaterThan(0);
    for (const { translated, title } of named)
      expect(translated).toContain(`Tenstorrent: ${title}`);
  });
});

describe("German", () => {
  afterEach(() => l10n.config({ contents: {} }));

  it("is what the code says when the editor brings its sentences", () => {
    l10n.config({ contents: read("l10n/bundle.l10n.de.json") });
    expect(wordsOf({ kind: "stopped" }).text).toBe("API-Server: beendet");
    expect(entriesFor({ kind: "stopped" })[0]?.label).toBe("$(play) Starten");
  });

  it("is what the manifest says", () => {
    const { contributes } = readManifest("de") as {
      contributes: { commands: readonly { command: string; title: string }[] };
    };
    const start = contributes.commands.find(({ command }) =>
      command.endsWith("startApiServerDirect"),
    );
    expect(start?.title).toBe("API-Server starten");
    expect(existsSync(inProject("l10n/bundle.l10n.de.json"))).toBe(true);
  });
});

describe("the sources", () => {
  const files = readdirSync(inProject("extension/src"), { recursive: true, encoding: "utf8" });
  const sources = files.filter((name) => name.endsWith(".ts"));
  const inHost = sources.filter((name) => !name.startsWith("webview/"));

  /** Words for models and for those who help; code that is copied. */
  const inEnglish = [
    ...["chat/attachments.ts", "chat/explain.ts", "chat/followups.ts", "lesson/questions.ts"],
    ...["report/", "results/snippets.ts", "serverView/routes.ts", "tools/"],
  ];
  const forPeople = sources.filter((name) => !inEnglish.some((other) => name.startsWith(other)));

  const found = (names: readonly string[], look: (name: string) => readonly string[]) =>
    names.flatMap((name) => look(name).map((text) => `${name}: ${text}`));

  it("have no sentence for people that cannot be translated", () => {
    expect(found(forPeople, untranslated)).toEqual([]);
  });

  it("say nothing before the editor's language is known", () => {
    expect(found(inHost, saidWhileLoading)).toEqual([]);
  });
});

/** What the chat asks the model in the user's name. */
const forModels = ["How do I fix this error?\n…"];

/** The texts in a file that look like a sentence for people and are kept from translators. */
function untranslated(name: string): readonly string[] {
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (isCallOf(node, /\b(?:l10n\.t|[lL]og\.\w+)$/)) return;
    const text = textOf(node) ?? "";
    if (/^[A-Z"…][^<\n]* [a-z]+ [a-z]/.test(text) && !forModels.includes(text)) found.push(text);
    ts.forEachChild(node, look);
  };
  look(parsed(name));
  return found;
}

/** The sentences that are looked up while the module is read, not when a function runs. */
function saidWhileLoading(name: string): readonly string[] {
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (isCallOf(node, /\bl10n\.t$/)) found.push(node.getText());
    ts.forEachChild(node, look);
  };
  look(parsed(name));
  return found;
}

function parsed(name: string): ts.SourceFile {
  const text = read(`extension/src/${name}`);
  return ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
}

function isCallOf(node: ts.Node, called: RegExp): boolean {
  return ts.isCallExpression(node) && called.test(node.expression.getText());
}

/** A literal's text, with dots for what is filled in. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join("…");
}
