import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import {
  achievements,
  commands,
  contextKeys,
  extensionId,
  languageModelTools,
  languageModelVendor,
  mcpProvider,
  panels,
  participant,
  settings,
  slashCommands,
  views,
} from "../../extension/src/ids";
import { readManifest } from "../../scripts/manifest.mjs";

interface Manifest {
  readonly activationEvents: readonly string[];
  readonly publisher: string;
  readonly name: string;
  readonly contributes: {
    readonly commands: readonly { command: string; title: string; category: string }[];
    readonly configuration: { readonly properties: Readonly<Record<string, Setting>> };
    readonly views: Readonly<Record<string, readonly View[]>>;
    readonly viewsContainers: { readonly activitybar: readonly { id: string; icon: string }[] };
    readonly viewsWelcome: readonly { view: string; contents: string }[];
    readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
    readonly chatParticipants: readonly Participant[];
    readonly languageModelChatProviders: readonly { vendor: string; displayName: string }[];
    readonly languageModelTools: readonly Tool[];
    readonly mcpServerDefinitionProviders: readonly { id: string; label: string }[];
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

interface View {
  readonly id: string;
  readonly name: string;
  readonly icon: string;
}

interface Tool {
  readonly name: string;
  readonly displayName: string;
  readonly toolReferenceName: string;
  readonly canBeReferencedInPrompt: boolean;
  readonly userDescription: string;
  readonly modelDescription: string;
  readonly inputSchema: {
    readonly type: string;
    readonly properties: Readonly<Record<string, { readonly description: string }>>;
  };
}

interface Participant {
  readonly id: string;
  readonly name: string;
  readonly isSticky: boolean;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
}

interface MenuItem {
  readonly command: string;
  readonly when: string;
}

interface Step {
  readonly completionEvents: readonly string[];
}

const manifest = readManifest() as Manifest;
const readme = readFileSync("README.md", "utf8");
const sources = readdirSync("extension/src", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && name !== "ids.ts" && !name.startsWith("webview"))
  .map((name) => readFileSync(`extension/src/${name}`, "utf8"))
  .join("\n");

const contributed = manifest.contributes.commands.map(({ command }) => command).sort();
const contributedViews = Object.values(manifest.contributes.views).flat();
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

  it("wakes up for each of its pages, which come back after a reload", () => {
    const events = manifest.activationEvents.filter((e) => e.startsWith("onWebviewPanel:"));
    expect(events).toEqual(Object.values(panels).map((id) => `onWebviewPanel:${id}`));
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

  it("contributes exactly the views of the code, each with a welcome and icons that are packed", () => {
    const ids = contributedViews.map(({ id }) => id);
    expect(ids).toEqual(Object.values(views));
    expect(manifest.contributes.viewsWelcome.map(({ view }) => view)).toEqual(ids);
    expect(Object.keys(manifest.contributes.views)).toEqual(
      manifest.contributes.viewsContainers.activitybar.map(({ id }) => id),
    );
    for (const { icon } of [
      ...contributedViews,
      ...manifest.contributes.viewsContainers.activitybar,
    ]) {
      expect(readFileSync(icon, "utf8")).toContain("currentColor");
      expect(readFileSync(".vscodeignore", "utf8")).toContain(`!${dirname(icon)}/**`);
    }
  });

  it("puts only commands of ours into menus, buttons and links", () => {
    const { menus, viewsWelcome } = manifest.contributes;
    const linked = viewsWelcome.flatMap(({ contents }) =>
      [...contents.matchAll(/\(command:([\w.]+)\)/g)].map(([, id = ""]) => id),
    );
    expect(linked.length).toBeGreaterThan(0);
    for (const id of [...linked, ...Object.values(menus).flatMap((m) => m.map((i) => i.command))]) {
      expect(contributed).toContain(id);
    }
  });

  it("keeps out of the palette what needs a line of a view", () => {
    const { menus } = manifest.contributes;
    const inline = (menus["view/item/context"] ?? []).map(({ command }) => command);
    const hidden = (menus["commandPalette"] ?? [])
      .filter(({ when }) => when === "false")
      .map(({ command }) => command);
    expect(inline.length).toBeGreaterThan(0);
    expect(hidden).toEqual(expect.arrayContaining(inline));
  });

  it("contributes exactly the tools of the code, each told to people and to models", () => {
    const tools = manifest.contributes.languageModelTools;
    expect(tools.map(({ name }) => name)).toEqual(Object.values(languageModelTools));
    for (const tool of tools) {
      expect(tool.name).toMatch(/^[\w-]+$/);
      expect(tool.toolReferenceName).toMatch(/^[\w-]+$/);
      expect(tool.canBeReferencedInPrompt).toBe(true);
      expect(tool.userDescription.length).toBeGreaterThan(20);
      expect(tool.modelDescription.length).toBeGreaterThan(100);
      expect(tool.inputSchema.type).toBe("object");
      for (const { description } of Object.values(tool.inputSchema.properties)) {
        expect(description.length).toBeGreaterThan(10);
      }
    }
  });

  it("contributes the MCP server of the code", () => {
    expect(manifest.contributes.mcpServerDefinitionProviders.map(({ id }) => id)).toEqual([
      mcpProvider,
    ]);
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

describe("the chat", () => {
  it("has the participant of the code, with its slash commands", () => {
    const [contributed, ...others] = manifest.contributes.chatParticipants;
    expect(others).toEqual([]);
    expect(contributed).toMatchObject({ ...participant, isSticky: true });
    expect(contributed?.commands.map(({ name }) => name)).toEqual([...slashCommands]);
  });

  it("has a model of ours, without which no participant is let in", () => {
    const vendors = manifest.contributes.languageModelChatProviders.map(({ vendor }) => vendor);
    expect(vendors).toEqual([languageModelVendor]);
  });

  it("wakes the extension when it is opened, and with the first question at the latest", () => {
    const events = manifest.activationEvents.filter((event) => /\b(chat|edits)\./.test(event));
    // In the modes for asking and for agents, a question is sent by two commands.
    expect(events).toEqual([
      "onCommand:workbench.action.chat.open",
      "onCommand:workbench.action.chat.toggle",
      "onCommand:workbench.action.chat.submit",
      "onCommand:workbench.action.edits.submit",
    ]);
  });
});

describe("the README", () => {
  it("has every slash command, and the names of participant and vendor", () => {
    expect(table("In the chat").map(([command]) => command)).toEqual(
      slashCommands.map((name) => `/${name}`),
    );
    for (const name of [`@${participant.name}`, participant.id, languageModelVendor]) {
      expect(readme).toContain(`\`${name}\``);
    }
  });

  it("has every command with its title", () => {
    const rows = table("Commands").map(([id, title]) => [id, title]);
    expect(rows.sort()).toEqual(
      manifest.contributes.commands.map(({ command, title }) => [command, title]).sort(),
    );
  });

  it("has every view with its name", () => {
    const rows = table("Views").map(([id, name]) => [id, name]);
    expect(rows).toEqual(contributedViews.map(({ id, name }) => [id, name]));
  });

  it("has everything that agents find, with its name", () => {
    const rows = table("For agents").map(([id, name]) => [id, name]);
    const { languageModelTools: tools, mcpServerDefinitionProviders } = manifest.contributes;
    expect(rows).toEqual([
      ...tools.map(({ name, displayName }) => [name, displayName]),
      ...mcpServerDefinitionProviders.map(({ id, label }) => [id, label]),
    ]);
    const named = table("For agents").flatMap(([, , what = ""]) => what.match(/#\w+/g) ?? []);
    expect(named).toEqual(tools.map(({ toolReferenceName }) => `#${toolReferenceName}`));
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
