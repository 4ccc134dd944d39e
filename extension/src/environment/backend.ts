import { spawn } from "node:child_process";
import * as os from "node:os";
import { createInterface } from "node:readline";

/** A command of the backend, and with what it runs. */
export interface BackendCommand {
  /** The interpreter that has ttdirect. */
  readonly python: string;
  /** What follows `ttdirect` on the command line. */
  readonly words: readonly string[];
  /** More environment variables; secrets travel here, where no list of processes shows them. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Ends the command, which gets the time to put its files in order. */
  readonly signal?: AbortSignal;
  /** Called with every line of its output. */
  readonly onLine?: (line: string) => void;
}

/** How a command has ended. */
export interface BackendAnswer {
  /** Undefined after a signal, and when the interpreter did not run at all. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run `python -m ttdirect ...`. Resolves when it has ended, however that was. */
export function runBackend(command: BackendCommand): Promise<BackendAnswer> {
  const { python, words, variables, signal, onLine } = command;
  const process_ = spawn(python, ["-m", "ttdirect", ...words], {
    cwd: os.homedir(),
    env: { ...process.env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
    ...(signal && { signal }),
  });
  const output: string[] = [];
  const errors: string[] = [];
  createInterface({ input: process_.stdout }).on("line", (line) => {
    output.push(line);
    onLine?.(line);
  });
  createInterface({ input: process_.stderr }).on("line", (line) => errors.push(line));
  return new Promise((resolve) => {
    process_.once("error", (error) => errors.push(error.message));
    process_.once("close", (code) => {
      const [stdout, stderr] = [output.join("\n"), errors.join("\n")];
      // Python has no such code; Node gives it to a program that could not be started.
      resolve({ code: code === null || code < 0 ? undefined : code, stdout, stderr });
    });
  });
}
