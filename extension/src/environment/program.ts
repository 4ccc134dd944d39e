import { spawn } from "node:child_process";
import * as os from "node:os";
import { createInterface } from "node:readline";

/** A program, and with what it runs. */
export interface ProgramCommand {
  readonly program: string;
  readonly words: readonly string[];
  /** More environment variables; secrets travel here, where no list of processes shows them. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Ends the program, which gets the time to put its files in order. */
  readonly signal?: AbortSignal;
  /** How long it may take. */
  readonly limit?: TimeLimit;
  /** Called with every line of its output. */
  readonly onLine?: (line: string) => void;
}

/** After so much time a program is ended as by its signal. */
export interface TimeLimit {
  readonly seconds: number;
  /** Without time for its files, which a program that only reads does not need. */
  readonly isKilled?: boolean;
}

/** How a program has ended. */
export interface ProgramAnswer {
  /** Undefined after a signal, and when the program did not run at all. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether it had to be ended because of its limit. */
  readonly isLate: boolean;
}

/** Run a program without a terminal. Resolves when it has ended, however that was. */
export function runProgram(command: ProgramCommand): Promise<ProgramAnswer> {
  const { program, words, variables, signal, limit, onLine } = command;
  const process_ = spawn(program, words, {
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
    let isLate = false;
    const answer = (code: number | undefined): void =>
      resolve({ code, stdout: output.join("\n"), stderr: errors.join("\n"), isLate });
    const end = (): void => {
      isLate = true;
      process_.kill(limit?.isKilled ? "SIGKILL" : "SIGTERM");
      // A read that hangs in a driver keeps even a killed process, so nobody waits for its end.
      if (limit?.isKilled) answer(undefined);
    };
    const timer = limit && setTimeout(end, limit.seconds * 1000);
    process_.once("error", (error) => errors.push(error.message));
    process_.once("close", (code) => {
      clearTimeout(timer);
      // No program has such a code; Node gives it to a program that could not be started.
      answer(code === null || code < 0 ? undefined : code);
    });
  });
}
