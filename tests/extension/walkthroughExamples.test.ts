/** The walkthrough's programs: they are well-formed, fit the defaults, and do what they promise. */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readAll } from "node:stream/consumers";
import { expect, test } from "vitest";
import { basic, multiple } from "../../extension/src/lesson/questions";
import {
  blocks,
  blocksIn,
  codeSpans,
  defaultOf,
  read,
  routes,
  text,
  texts,
} from "./walkthroughSteps";

test("Python compiles", () => {
  for (const { code } of blocksIn("python")) {
    execFileSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], {
      input: code,
    });
  }
  expect(blocksIn("python").length).toBeGreaterThanOrEqual(2);
});

test("JavaScript asks, and prints the pieces of the answer as they come", async () => {
  const [program] = blocksIn("javascript");
  let asked: unknown;
  const server = createServer((request, response) => {
    void readAll(request).then((body) => {
      asked = { route: request.url, ...(JSON.parse(body) as object) };
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write(': a comment\n\ndata: {"text": "Mach');
      setTimeout(() => {
        response.end(
          'ine "}\n\ndata: {"text": "läuft"}\n\ndata: {"response": "Machine läuft"}\n\n',
        );
      }, 20);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const node = spawn(process.execPath, ["--input-type=module", "-"]);
  node.stdin.end(program?.code.replace(":8080", `:${port}`));
  const printed = await readAll(node.stdout);
  server.close();
  expect(printed).toBe("Machine läuft");
  expect(asked).toEqual({ route: "/chat/stream", ...basic });
});

test("what is sent in a shell is JSON, and the lesson's own question", () => {
  const bodies = blocksIn("sh").flatMap(({ code }) =>
    [...code.matchAll(/-d '([^']+)'/g)].map((match) => JSON.parse(match[1] ?? "") as unknown),
  );
  expect(bodies.length).toBeGreaterThanOrEqual(2);
  for (const body of bodies) expect(body).toEqual(basic);
});

test("the three questions are those that the button asks", () => {
  const asked = blocksIn("sh")
    .filter(({ step }) => step === "batch")
    .flatMap(({ code }) => [...code.matchAll(/ttdirect chat "(.+)" &/g)].map((match) => match[1]));
  expect(asked).toEqual(multiple.map(({ prompt }) => prompt));
});

test("shell commands need no shell in particular", () => {
  for (const { code } of blocksIn("sh")) {
    expect(code, code).not.toMatch(/\bexport |\$\(|`|\bsource |<</);
  }
});

test("addresses have the port of the settings, and routes that the server has", () => {
  const paths = routes.map((route) => route.split(" ")[1]);
  for (const [step, markdown] of Object.entries(texts)) {
    for (const [address, port, route] of markdown.matchAll(/127\.0\.0\.1:(\d+)(\/[\w/]+)?/g)) {
      expect(Number(port), `${address} in ${step}`).toBe(defaultOf("port"));
      if (route !== undefined) expect(paths, address).toContain(route);
    }
    for (const span of codeSpans(markdown).filter((code) => /^(?:GET|POST) \//.test(code))) {
      expect(routes, span).toContain(span);
    }
  }
  for (const { code } of blocksIn("sh")) {
    for (const [option, port] of code.matchAll(/--port (\d+)/g)) {
      expect(Number(port), option).toBe(defaultOf("port"));
    }
  }
});

test("paths are those of the settings", () => {
  const script = String(defaultOf("scriptPath"));
  expect(text("start")).toContain(`python ${script} --port`);
  expect(text("create")).toContain(`# writes ${script}`);
  expect(text("install")).toContain(`--extra-index-url ${String(defaultOf("torchIndex"))}\n`);
  expect(read("extension/src/environment/virtualEnvironment.ts")).toContain(
    'path.join(os.homedir(), ".tt-direct-api", "venv")',
  );
  expect(text("install")).toContain("~/.tt-direct-api/venv/bin/python -m pip install");
});

test("code fits into the column without scrolling", () => {
  for (const { code } of blocks) {
    for (const line of code.split("\n")) expect(line.length, line).toBeLessThanOrEqual(64);
  }
});
