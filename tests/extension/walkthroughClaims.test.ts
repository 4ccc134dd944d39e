/** What the walkthrough says about the server, against the server's own sources. */

import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import {
  blocksIn,
  codeSpans,
  defaultOf,
  inProject,
  pythonNumber,
  read,
  routes,
  targets,
  template,
  text,
  texts,
} from "./walkthroughSteps";

/** Prints every text of the backend as its parts, with null for what is filled in. */
const listTexts = `
import ast, json, pathlib, sys
found = []
for path in pathlib.Path(sys.argv[1]).rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            found.append([getattr(part, "value", None) if isinstance(part, ast.Constant) else None
                          for part in node.values])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append([node.value])
print(json.dumps(found))
`;

/** Sentences that others print: Python itself and pip. */
const others = /^(?:No module named '\w+'|externally-managed-environment)$/;

/** The table's rows as their cells' text. */
function rows(markdown: string, heading: string): readonly (readonly string[])[] {
  const table = markdown.split(`| ${heading} |`)[1]?.split("\n\n")[0] ?? "";
  return table
    .split("\n")
    .slice(2)
    .map((line) => line.split("|").map((cell) => cell.trim()));
}

describe("every error that is quoted", () => {
  let sentences: readonly RegExp[] = [];

  beforeAll(() => {
    const printed = execFileSync("python3", ["-c", listTexts, inProject("backend/ttdirect")], {
      maxBuffer: 1e9,
    });
    const found = JSON.parse(String(printed)) as readonly (readonly (string | null)[])[];
    sentences = found
      .filter((parts) => parts.join("").length > 12)
      .map((parts) => RegExp(`^${parts.map((p) => (p === null ? ".+" : escape(p))).join("")}$`));
  });

  const quoted = Object.entries(texts).flatMap(([step, markdown]) =>
    codeSpans(markdown).flatMap((span) => {
      if (span.startsWith("error: ")) return [[step, span.slice("error: ".length)] as const];
      if (!span.startsWith('{"error"')) return [];
      return [[step, (JSON.parse(span) as { error: string }).error] as const];
    }),
  );

  test.each(quoted.filter(([, sentence]) => !others.test(sentence)))("%s: %s", (_, sentence) => {
    expect(sentences.some((pattern) => pattern.test(sentence))).toBe(true);
  });

  test("is one of many", () => {
    expect(quoted.length).toBeGreaterThanOrEqual(14);
  });

  function escape(literal: string): string {
    return literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  }
});

test("the extension says what the texts say that it says", () => {
  const quotes = [
    ["machine", "No Python was found on this computer.", "environment/interpreter.ts"],
    ["machine", "ttnn is not in this Python, so the CPU answers.", "environment/device.ts"],
    ["create", "Flask and ttdirect are not installed", "lesson/lesson.ts"],
  ] as const;
  for (const [step, sentence, file] of quotes) {
    expect(text(step)).toContain(sentence);
    expect(read(`extension/src/${file}`)).toContain(sentence);
  }
});

test("the fields of a request, with their limits and defaults", () => {
  const source = read("backend/ttdirect/schema/chat.py");
  const fields = [...source.matchAll(/^ {4}Field\(\s*"(\w+)",([^]*?)\),$/gm)];
  const table = rows(text("ask"), "field");
  expect(table.map((cells) => cells[1])).toEqual(fields.map((match) => `\`${match[1]}\``));
  const signature = /def ask\(([^]*?)\) ->/.exec(read("backend/ttdirect/engine/engine.py"))?.[1];
  for (const [index, [, name = "", limits = ""]] of fields.entries()) {
    const [, , meaning = "", byDefault = ""] = table[index] ?? [];
    for (const [, limit = ""] of limits.matchAll(/(?:low|high)=([\d._]+)/g)) {
      expect(meaning, name).toContain(limit.replaceAll("_", ""));
    }
    const value = RegExp(`\\b${name}: [^=,]+ = ([\\d.]+),`).exec(signature ?? "")?.[1];
    expect(byDefault, name).toBe(value ?? "");
  }
});

test("the routes", () => {
  const named = rows(text("ask"), "route").map((cells) => cells[1]?.replaceAll("`", ""));
  expect(named.slice(0, 3)).toEqual(["GET /health", "POST /chat", "POST /chat/stream"]);
  expect(routes).toEqual(expect.arrayContaining(named));
});

test("the figures are those of an answer", () => {
  const named = rows(text("batch"), "figure").map((cells) => cells[1]?.replaceAll("`", ""));
  const source = read("backend/ttdirect/engine/completion.py");
  for (const figure of named) expect(source).toContain(`"${figure}":`);
  expect(named).toContain("ttft_seconds");
});

test("the script's sections have their names and their numbers", () => {
  const sections = [...read(template).matchAll(/^# (\d)\. (.+)$/gm)];
  expect(sections).toHaveLength(5);
  for (const [, number = "", name = ""] of sections) {
    const target = `command:tenstorrent.openApiScriptDirect?%5B${number}%5D`;
    expect(text("create")).toContain(`| [${number}. ${name}](${target}) |`);
  }
  expect(targets(text("create")).filter((target) => target.includes("%5B"))).toHaveLength(5);
});

test("the function that is shown stands in the script", () => {
  const bare = (code: string): string =>
    code
      .replace(/"""[^]*?"""/g, "")
      .replace(/\s/g, "")
      .replace(/,\)/g, ")");
  const [shown] = blocksIn("python").filter(({ step }) => step === "create");
  expect(shown?.code).toContain("def decode(");
  expect(bare(read(template))).toContain(bare(shown?.code ?? "-"));
});

test("every name in capitals is a setting of the script, or a variable that it reads", () => {
  const variables = ["HF_MODEL", "PYTHONPATH", "TTDIRECT_API_KEY", "SIGTERM"];
  const settings = [...read(template).matchAll(/^([A-Z_]+) = /gm)].map((match) => match[1]);
  for (const [step, markdown] of Object.entries(texts)) {
    for (const name of codeSpans(markdown).filter((span) => /^[A-Z][A-Z_]{3,}$/.test(span))) {
      expect([...settings, ...variables], `${name} in ${step}`).toContain(name);
    }
  }
});

test("the numbers of the server", () => {
  const batch = pythonNumber(template, "MAX_BATCH_SIZE");
  const queue = pythonNumber(template, "MAX_QUEUED");
  const spare = pythonNumber("backend/ttdirect/server/gunicorn_app.py", "SPARE_THREADS");
  const drain = pythonNumber("backend/ttdirect/server/stopping.py", "DRAIN_SECONDS");
  const timeout = pythonNumber(template, "REQUEST_TIMEOUT");
  expect(text("batch")).toContain(`${batch} is the most that can share a step`);
  expect(text("batch")).toContain(`${queue} requests are already waiting`);
  expect(text("batch")).toContain(`not complete within ${timeout} s.`);
  expect(text("production")).toContain(`--threads ${batch + queue + spare} `);
  expect(text("production")).toContain(`running answers have ${drain} s to end`);
  expect(text("production")).toContain(`proxy_read_timeout ${timeout}s;`);
  expect(text("ask")).toContain(`timeout=${timeout},`);
});

test("the oldest Python that the package takes", () => {
  const oldest = /requires-python = ">=([\d.]+)"/.exec(read("pyproject.toml"))?.[1] ?? "?";
  expect(text("machine")).toContain(`# ${oldest} or newer`);
  expect(text("machine")).toContain(`Install Python ${oldest} or newer`);
});

test("settings exist", () => {
  for (const markdown of Object.values(texts)) {
    for (const name of codeSpans(markdown).filter((span) => span.startsWith("tenstorrent."))) {
      expect(defaultOf(name.slice("tenstorrent.".length)), name).toBeDefined();
    }
  }
});
