import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { achievements, commands, contextKeys } from "../../extension/src/ids";
import {
  blocks,
  blocksIn,
  contributes,
  inProject,
  markdownOf,
  steps,
  targets,
  texts,
} from "./walkthroughSteps";

const button = /^\[[^\]]+\]\(command:[^)]+\)$/;
const known = new Set(contributes.commands.map(({ command }) => command));

test("there is one walkthrough, whose steps are the achievements in their order", () => {
  expect(contributes.walkthroughs.map(({ id }) => id)).toEqual(["lesson"]);
  expect(steps.flatMap((step) => step.completionEvents)).toEqual(
    achievements.map((name) => `onContext:${contextKeys[name]}`),
  );
});

describe.each(steps)("step $id", (step) => {
  const markdown = markdownOf(step);

  test("ticks by a context key, and by nothing else", () => {
    expect(step.completionEvents).toHaveLength(1);
  });

  test("has one button, and says what to do without the media column", () => {
    const lines = step.description.split("\n");
    expect(lines.filter((line) => button.test(line))).toHaveLength(1);
    expect(lines.indexOf(lines.find((line) => button.test(line)) ?? "")).toBeGreaterThan(0);
    expect(step.title).toMatch(/^(Check|Install|Create|Start|Ask|Take) /);
  });

  test("leads to commands that exist, with arguments that are JSON", () => {
    const links = [...targets(step.description), ...targets(markdown)];
    for (const link of links.filter((target) => !target.startsWith("pictures/"))) {
      const [, command, query] = /^command:([\w.]+)(?:\?(.+))?$/.exec(link) ?? [];
      expect(known, link).toContain(command);
      if (query === undefined) continue;
      const given: unknown = JSON.parse(decodeURIComponent(query));
      expect(command).toBe(commands.openScript);
      expect([[1], [2], [3], [4], [5]], link).toContainEqual(given);
    }
  });

  test("shows the same as a shell command, and what to do when it fails", () => {
    expect(markdown).toContain("\n### The same in a shell\n");
    expect(blocksIn("sh").some((block) => block.step === step.id)).toBe(true);
    const failures = markdown.split("\n### When it fails\n")[1] ?? "";
    expect(failures.match(/^- .+/gm)?.length).toBeGreaterThanOrEqual(2);
  });

  test("is wrapped at 100 columns", () => {
    const long = markdown
      .split("\n")
      .filter((line) => line.length > 100 && !line.startsWith("|") && !line.startsWith("!["));
    expect(long).toEqual([]);
  });

  test("closes every block of HTML that it opens", () => {
    for (const tag of ["div", "details", "summary", "kbd"]) {
      const count = (pattern: string): number => markdown.split(pattern).length;
      expect(count(`</${tag}>`), tag).toBe(count(`<${tag}`));
    }
  });
});

test("every output that is shown is marked as an example", () => {
  for (const { language, before, code } of blocks) {
    if (language === "text" || language === "json") expect(before, code).toContain("(an example)");
  }
});

test("every file of the walkthrough is used, and every picture is there", () => {
  const used = Object.values(texts).flatMap((markdown) =>
    targets(markdown).filter((target) => target.startsWith("pictures/")),
  );
  for (const picture of used) expect(existsSync(inProject(`walkthroughs/${picture}`))).toBe(true);
  const files = readdirSync(inProject("walkthroughs"), { recursive: true }) as string[];
  expect(files.filter((file) => file.includes(".")).sort()).toEqual(
    [...used, ...steps.map((step) => step.media.markdown.replace("walkthroughs/", ""))].sort(),
  );
});
