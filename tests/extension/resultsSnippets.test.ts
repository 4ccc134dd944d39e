import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { languages } from "../../extension/src/results/protocol";
import type { Language } from "../../extension/src/results/protocol";
import { snippet } from "../../extension/src/results/snippets";

const run = promisify(execFile);

/** What shells, Python, JavaScript and JSON take for something else, in one prompt. */
const prompt = [
  `-d @/etc/hostname "hello", it's 'fine' and \`so is this\``,
  "C:\\new\\table \\\\ \\u0041 \\' \\\" \\",
  "one\r\ntwo\ttabbed",
  "$HOME ${HOME} $(id) `id` !! %PATH% #{x} {x}",
  "Grüße, 世界 \u{1F600} \u2028 \u00a0 \u0000 \u001b[31m",
  "EOF\n'''\n\"\"\"\n</script>",
].join("\n");

let server: Server;
let address: string;
let seen: { url?: string; body: unknown; authorization: string | undefined } | undefined;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

beforeAll(async () => {
  server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const { url = "", headers } = request;
      seen = { url, body: JSON.parse(body), authorization: headers.authorization };
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ response: "All right." }));
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => void server.close());
beforeEach(() => void (seen = undefined));

/** A stand-in for the package `requests`, so that the test needs no more than Python itself. */
const requests = `
import json, sys, types, urllib.request

class Answer:
    def __init__(self, body): self.body = body
    def raise_for_status(self): pass
    def json(self): return json.loads(self.body)

def post(url, json=None, headers=None):
    import json as codec
    sent = urllib.request.Request(url, codec.dumps(json).encode(), headers or {})
    return Answer(urllib.request.urlopen(sent).read())

sys.modules["requests"] = types.ModuleType("requests")
sys.modules["requests"].post = post
exec(compile(sys.argv[1], "snippet", "exec"))
`;

const programs: Record<Language, (code: string) => readonly [string, string[]]> = {
  curl: (code) => ["bash", ["-c", code.replace("curl ", "curl --silent --show-error ")]],
  python: (code) => ["python3", ["-c", requests, code]],
  javascript: (code) => ["node", ["--input-type=module", "--eval", code]],
};

async function has(program: string): Promise<boolean> {
  return run(program, ["--version"]).then(
    () => true,
    () => false,
  );
}

describe.each(languages)("a request as %s", (language) => {
  it("sends the prompt to the letter", async () => {
    if (language === "curl" && !(await has("curl"))) return;
    const request = { prompt, max_tokens: 128, temperature: 0.5 };
    const [program, argv] = programs[language](snippet(language, address, request, false));
    const { stdout } = await run(program, argv);
    expect(seen).toEqual({ url: "/chat", body: request, authorization: undefined });
    expect(stdout).toContain("All right.");
  });

  it("takes the key from the environment, and only where there is one", async () => {
    if (language === "curl" && !(await has("curl"))) return;
    const code = snippet(language, address, { prompt: "Why?" }, true);
    const [program, argv] = programs[language](code);
    await run(program, argv, { env: { ...process.env, TTDIRECT_API_KEY: "s3cret" } });
    expect(seen).toEqual({
      url: "/chat",
      body: { prompt: "Why?" },
      authorization: "Bearer s3cret",
    });
    expect(code).not.toContain("s3cret");
    expect(snippet(language, address, { prompt: "Why?" }, false)).not.toContain("KEY");
  });
});

describe("the text of a snippet", () => {
  it("reads as one would write it", () => {
    const request = { prompt: "It's \\o/", max_tokens: 16 };
    expect(snippet("curl", "http://127.0.0.1:8080", request, false)).toBe(
      "curl 'http://127.0.0.1:8080/chat' \\\n" +
        "  -H 'Content-Type: application/json' \\\n" +
        `  -d '{"prompt": "It'\\''s \\u005co/", "max_tokens": 16}'\n`,
    );
  });
});
