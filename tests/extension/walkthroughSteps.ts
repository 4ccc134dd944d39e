/** The walkthrough as it ships, for the tests that compare its texts with what they speak of. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readManifest } from "../../scripts/manifest.mjs";

export interface Step {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly media: { readonly markdown: string };
  readonly completionEvents: readonly string[];
}

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly title: string }[];
    readonly configuration: {
      readonly properties: Readonly<Record<string, { readonly default: unknown }>>;
    };
    readonly menus: {
      readonly commandPalette: readonly { readonly command: string; readonly when: string }[];
    };
    readonly walkthroughs: readonly { readonly id: string; readonly steps: readonly Step[] }[];
  };
}

export interface Block {
  readonly step: string;
  readonly language: string;
  readonly code: string;
  /** The text from the block before, or the beginning, to this one. */
  readonly before: string;
}

/** A file of the project. */
export function inProject(file: string): string {
  return fileURLToPath(new URL(`../../${file}`, import.meta.url));
}

export function read(file: string): string {
  return readFileSync(inProject(file), "utf8");
}

export const { contributes } = readManifest() as Manifest;
export const steps: readonly Step[] = contributes.walkthroughs[0]?.steps ?? [];

/** A setting's default, by its name after `tenstorrent.`. */
export function defaultOf(setting: string): unknown {
  return contributes.configuration.properties[`tenstorrent.${setting}`]?.default;
}

export function markdownOf(step: Step): string {
  return read(step.media.markdown);
}

/** Every step's Markdown by the step's id. */
export const texts: Readonly<Record<string, string>> = Object.fromEntries(
  steps.map((step) => [step.id, markdownOf(step)]),
);

/** One step's Markdown. */
export function text(id: string): string {
  const found = texts[id];
  if (found === undefined) throw new Error(`There is no step ${id}.`);
  return found;
}

/** The fenced code of all steps. */
export const blocks: readonly Block[] = Object.entries(texts).flatMap(([step, markdown]) => {
  let end = 0;
  return [...markdown.matchAll(/^```(\w*)\n([^]*?)\n```$/gm)].map((match) => {
    const before = markdown.slice(end, match.index);
    end = match.index + match[0].length;
    return { step, language: match[1] ?? "", code: match[2] ?? "", before };
  });
});

export function blocksIn(...languages: readonly string[]): readonly Block[] {
  return blocks.filter(({ language }) => languages.includes(language));
}

/** Where the links and pictures of a text lead. */
export function targets(markdown: string): readonly string[] {
  return [...markdown.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1] ?? "");
}

/** Inline code, on one line. */
export function codeSpans(markdown: string): readonly string[] {
  const prose = markdown.replace(/^```[^]*?^```$/gm, "");
  return [...prose.matchAll(/`([^`]+)`/g)].map((match) => (match[1] ?? "").replace(/\s+/g, " "));
}

/** The value of `NAME = 25.0  # ...` in Python source, where digits may be grouped. */
export function pythonNumber(file: string, name: string): number {
  const value = new RegExp(`^${name} = ([\\d_.]+)`, "m").exec(read(file))?.[1];
  if (value === undefined) throw new Error(`${file} has no ${name}.`);
  return Number(value.replaceAll("_", ""));
}

export const template = "backend/ttdirect/script/tt-api-server-direct.py.template";

/** The server's routes, as "GET /health"; a Python test compares the README with the server. */
export const routes: readonly string[] = codeSpans(
  read("README.md").split("## The API\n")[1]?.split("\n## ")[0] ?? "",
).filter((code) => /^(?:GET|POST) \//.test(code));
