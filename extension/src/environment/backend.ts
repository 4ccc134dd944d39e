import { runProgram } from "./program";
import type { ProgramAnswer, ProgramCommand } from "./program";

/** A command of the backend, and with what it runs. */
export interface BackendCommand extends Omit<ProgramCommand, "program"> {
  /** The interpreter that has ttdirect; `words` are what follows `ttdirect`. */
  readonly python: string;
}

/** Run `python -m ttdirect ...`. Resolves when it has ended, however that was. */
export function runBackend({ python, words, ...others }: BackendCommand): Promise<ProgramAnswer> {
  return runProgram({ program: python, words: ["-m", "ttdirect", ...words], ...others });
}
