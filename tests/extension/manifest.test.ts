import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  achievements,
  commands,
  contextKeys,
  extensionId,
  settings,
} from "../../extension/src/ids";

interface Manifest {
  readonly publisher: string;
  readonly name: string;
  readonly contributes: {
    readonly commands: readonly { command: string; title: string; category: string }[];
    readonly configuration: { readonly properties: Readonly<Record<string, Setting>> };
    readonly walkthroughs: readonly [{ readonly steps: readonly Step[] }];
  };
  readonly capabilities: {
    readonly untrustedWorkspaces: { readonly restrictedConfigurations: readonly string[] };
  };
}

interface Setting {
  readonly default: unknown;
  readonly scope: string;
}

interface Step {
  readonly completionEvents: readonly string[];
}

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;
const readme = readFileSync("README.md", "utf8");
const sources = readdirSync("extension/src", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && name !== "ids.ts" && !name.startsWith("webview"))
  .map((name) => readFileSync(`extension/src/${name}`, "utf8"))
  .join("\n");

const contributed = manifest.contributes.commands.map(({ command }) => command).sort();
const settingNames = Object.keys(manifest.contributes.configuration.properties).sort();

/** The rows of the table under a heading of the README, as cells without their backticks. */
function table(heading: string): string[][] {
  const section = readme.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("`", "")),
    );
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

describe("the manifest", () => {
  it("is the extension that the code calls itself", () => {
    expect(`${manifest.publisher}.${manifest.name}`).toBe(extensionId);
  });

  it("contributes exactly the commands of the code", () => {
    expect(contributed).toEqual(Object.values(commands).sort());
  });

  it("contributes exactly the settings of the code", () => {
    expect(settingNames).toEqual(
      Object.values(settings)
        .map((name) => `tenstorrent.${name}`)
        .sort(),
    );
  });

  it("lets no workspace that is not trusted choose what runs", () => {
    const harmless = ["tenstorrent.port"];
    expect([...manifest.capabilities.untrustedWorkspaces.restrictedConfigurations].sort()).toEqual(
      settingNames.filter((name) => !harmless.includes(name)),
    );
  });

  it("ticks each step of the walkthrough by one achievement", () => {
    const events = manifest.contributes.walkthroughs[0].steps.flatMap((s) => s.completionEvents);
    expect(events).toEqual(achievements.map((name) => `onContext:${contextKeys[name]}`));
  });

  it("puts every command into one category, each with a title of its own", () => {
    const titles = manifest.contributes.commands.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
    expect(new Set(manifest.contributes.commands.map((c) => c.category))).toEqual(
      new Set(["Tenstorrent"]),
    );
  });
});

describe("the code", () => {
  it.each([
    ...Object.keys(settings).map((name) => [`names.${name}`]),
    ...Object.keys(contextKeys)
      .filter((name) => !(achievements as readonly string[]).includes(name))
      .map((name) => [`contextKeys.${name}`]),
    ...achievements.map((name) => [`"${name}"`]),
  ])("uses %s", (use) => {
    expect(sources).toContain(use);
  });
});

describe("the README", () => {
  it("has every command with its title", () => {
    const rows = table("Commands").map(([id, title]) => [id, title]);
    expect(rows.sort()).toEqual(
      manifest.contributes.commands.map(({ command, title }) => [command, title]).sort(),
    );
  });

  it("has every setting with its default", () => {
    const rows = table("Settings").map(([name, value]) => [name, value]);
    const properties = manifest.contributes.configuration.properties;
    expect(rows.sort()).toEqual(
      settingNames.map((name) => [name, shown(properties[name]?.default)]),
    );
  });

  it("has every context key", () => {
    const rows = table("Context keys").map(([name]) => name);
    expect(rows.sort()).toEqual(Object.values(contextKeys).sort());
  });
});
