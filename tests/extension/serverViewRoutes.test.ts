import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  canSend,
  fetchRoutes,
  filledIn,
  readRoutes,
  sampleBody,
} from "../../extension/src/serverView/routes";
import { exchange } from "../../extension/src/serverView/sending";

const unused = new AbortController().signal;
const description = {
  paths: {
    "/": { get: { summary: "A page." } },
    "/chat": { post: { summary: "Ask." } },
    "/health": { get: { summary: "Whether it is ready." } },
    "/mine/{id}": { get: { summary: "Of the script's owner." }, post: {} },
    "/v1/models/{name}": { get: { summary: "One name." } },
  },
};

let http: Server;
let address: string;
let answer: (request: IncomingMessage, response: ServerResponse) => unknown;

beforeEach(async () => {
  http = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});

afterEach(() => {
  http.close();
});

describe("routes", () => {
  test("are those that the server describes, the lesson's first", async () => {
    answer = ({ url }, response) =>
      response.end(url === "/openapi.json" ? JSON.stringify(description) : "");
    const routes = await fetchRoutes(address, unused);
    expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /chat",
      "GET /health",
      "GET /",
      "GET /mine/{id}",
      "POST /mine/{id}",
      "GET /v1/models/{name}",
    ]);
    expect(routes[0]?.summary).toBe("Ask.");
    expect(readRoutes({})).toEqual([]);
  });

  test.each([401, 404, 500])(
    "are the script's own two where a description is %d",
    async (status) => {
      answer = (_, response) => response.writeHead(status).end("{}");
      const routes = await fetchRoutes(address, unused);
      expect(routes.map(({ path }) => path)).toEqual(["/chat", "/health"]);
    },
  );

  test("can be sent where we know what to fill in", () => {
    const routes = readRoutes(description);
    const sendable = routes.filter((route) => canSend(route, "a/b")).map(({ path }) => path);
    expect(sendable).toEqual(["/chat", "/health", "/", "/v1/models/{name}"]);
    const one = { method: "GET", path: "/v1/models/{name}", summary: "" };
    expect(filledIn(one, "a/b c")).toBe("/v1/models/a%2Fb%20c");
    const chat = { method: "POST", path: "/v1/chat/completions", summary: "" };
    expect(sampleBody(chat, "m")).toMatchObject({ model: "m", max_tokens: 64 });
  });
});

describe("a request to a route", () => {
  test("shows what was asked and answered, as JSON that can be read", async () => {
    answer = async (request, response) => {
      const body = await text(request);
      response.setHeader("Content-Type", "application/json");
      response.writeHead(200).end(JSON.stringify({ got: body, as: request.method }));
    };
    const url = `${address}/v1/completions`;
    const shown = await exchange({ method: "POST", url, body: { prompt: "Hello" } }, unused);
    expect(shown).toMatchObject({ title: "POST v1 completions", language: "jsonc" });
    expect(shown.text.replace(/in \d+ ms/, "in 5 ms")).toBe(
      `// POST ${url}\n// {"prompt":"Hello"}\n// 200 OK, in 5 ms\n` +
        '{\n  "got": "{\\"prompt\\":\\"Hello\\"}",\n  "as": "POST"\n}\n',
    );
  });

  test("shows other texts as they are, errors and broken JSON too", async () => {
    answer = (_, response) => response.setHeader("Content-Type", "text/plain").end("up 1\n");
    const plain = await exchange(
      { method: "GET", url: `${address}/metrics`, body: undefined },
      unused,
    );
    expect(plain).toMatchObject({ title: "GET metrics", language: "plaintext" });
    expect(plain.text).toMatch(/^# GET http.*\/metrics\n# 200 OK, in \d+ ms\nup 1\n$/);

    answer = (_, response) =>
      response.writeHead(503, { "Content-Type": "application/json" }).end("not JSON");
    const broken = await exchange({ method: "GET", url: `${address}/`, body: undefined }, unused);
    expect(broken.title).toBe("GET page");
    expect(broken.text).toMatch(/# 503 Service Unavailable, in \d+ ms\nnot JSON$/);

    answer = (_, response) => response.setHeader("Content-Type", "text/html").end("<p>Hello");
    const page = await exchange({ method: "GET", url: `${address}/`, body: undefined }, unused);
    expect(page).toMatchObject({ language: "html" });
    expect(page.text).toMatch(/^<!--\nGET /);
  });

  test("brings the key where there is one", async () => {
    answer = ({ headers }, response) => response.end(headers.authorization ?? "none");
    const ask = async () =>
      (await exchange({ method: "GET", url: address, body: undefined }, unused)).text;
    expect(await ask()).toMatch(/\nnone$/);
    process.env["TTDIRECT_API_KEY"] = "secret";
    try {
      expect(await ask()).toMatch(/\nBearer secret$/);
    } finally {
      delete process.env["TTDIRECT_API_KEY"];
    }
  });

  test("that nobody answers is told", async () => {
    const url = address;
    await new Promise((resolve) => http.close(resolve));
    await expect(exchange({ method: "GET", url, body: undefined }, unused)).rejects.toThrow(
      `Nobody answers at ${url}.`,
    );
  });
});
