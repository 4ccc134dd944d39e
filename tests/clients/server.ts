import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dirname, "../..");
const python = join(root, ".venv/bin/python");

/** Why no server can be started here; undefined where one can. */
export const missing = existsSync(python)
  ? undefined
  : " (skipped: Python is not set up; run `make test-python` once)";

/** A server process with OpenAI's API, whose model is the Python tests' fake. */
export class Server {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #home: string;

  private constructor(url: string, process: ChildProcess, home: string) {
    this.url = url;
    this.#process = process;
    this.#home = home;
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Server> {
    const home = await mkdtemp(join(tmpdir(), "tt-clients-"));
    const tests = join(root, "tests/python");
    const child = spawn(python, [join(tests, "openai_on_fakes.py")], {
      env: {
        PATH: process.env["PATH"],
        HOME: home,
        PYTHONPATH: tests,
        PYTHONUNBUFFERED: "1",
        ...env,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const lines = createInterface({ input: child.stderr });
    const url = await new Promise<string>((ready, failed) => {
      // The listener stays, so that the server never waits for a reader.
      lines.on("line", (line) => {
        const told = /Server ready on (http:\S+)/.exec(line)?.[1];
        if (told !== undefined) ready(told);
      });
      lines.once("close", () => failed(new Error("The server ended before it was ready.")));
    });
    return new Server(url, child, home);
  }

  /** How many answers are being written now. */
  async running(): Promise<number> {
    const response = await fetch(`${this.url}/health`);
    return ((await response.json()) as { running: number }).running;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.kill("SIGTERM");
    await ended;
    await rm(this.#home, { recursive: true });
  }
}
