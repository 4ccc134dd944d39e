import { basename, dirname } from "node:path";
import type { Environment } from "../environment/environment";
import type { ServerNote } from "../server/notes";
import type { ServerSetup } from "../server/server";
import type { CommandLine } from "../server/terminal";
import { readSettings } from "../settings";

/** The script's batch of 32, its queue of 64, and 8 for `/health` and refusals. */
const gunicornThreads = 104;

/** How the user's script becomes a server, with the interpreter and the settings of this window. */
export function serverSetup(environment: Environment): ServerSetup {
  return {
    port: () => readSettings().port,
    scriptPath: () => readSettings().scriptPath,
    commandLine: async (by, port) => {
      const { scriptPath } = readSettings();
      const folder = await environment.workingDirectory();
      return {
        program: (await environment.interpreter()).path,
        arguments: argumentsFor(by, scriptPath, folder, port),
        folder,
        variables: await environment.serverVariables(),
      } satisfies CommandLine;
    },
  };
}

/** What follows the interpreter, both ways of running the script. */
export function argumentsFor(
  by: ServerNote["by"],
  script: string,
  folder: string,
  port: number,
): readonly string[] {
  if (by === "script") return [script, "--port", String(port)];
  const elsewhere = dirname(script) === folder ? [] : ["--pythonpath", dirname(script)];
  return [
    ...["-m", "gunicorn", "-w", "1", "--threads", String(gunicornThreads)],
    ...["--timeout", "120"], // a card that opens can hold everything up for longer than 30 s
    ...["-b", `127.0.0.1:${port}`, ...elsewhere],
    `${basename(script, ".py")}:app`,
  ];
}
