import * as vscode from "vscode";
import { registerCommands } from "./commands";
import { Environment } from "./environment/environment";
import { contextKeys } from "./ids";
import { Lesson } from "./lesson/lesson";
import { Progress } from "./lesson/progress";
import { serverSetup } from "./lesson/serverSetup";
import { reportProblem } from "./problem";
import { Results } from "./results/results";
import { ServerNotes } from "./server/notes";
import { Server } from "./server/server";
import { resultsServer } from "./status/resultsServer";
import { statusBarItem } from "./status/statusBar";

/** Wires the parts together; each part lives in a folder of its own. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("TT Direct API", { log: true });
  const environment = new Environment(context, log);
  const server = new Server(serverSetup(environment), new ServerNotes(), log);
  const progress = new Progress(context.globalState);
  const lesson = new Lesson(environment, server, progress);
  const results = new Results(context, resultsServer(server, lesson), log);

  context.subscriptions.push(
    log,
    environment,
    server,
    results,
    registerCommands({ environment, server, lesson, progress, results, log }),
    server.onDidEnterState((kind) => {
      void vscode.commands.executeCommand("setContext", contextKeys.serverState, kind);
      if (kind !== "ready") return;
      void progress.achieve("serverStarted");
      if (server.by === "gunicorn") void progress.achieve("servedByGunicorn");
    }),
    server.onDidCrash((problem) => void reportProblem(problem, log)),
    results.onDidFinish((records) => {
      const answered = records.filter(({ status }) => status === "done").length;
      if (answered > 0) void progress.achieve("firstAnswer");
      if (answered > 1) void progress.achieve("batchAnswered");
    }),
  );
  void vscode.commands.executeCommand("setContext", contextKeys.serverState, server.state.kind);
  void progress.restore();
  // The first thing that the item says is true: a server may run since before this window.
  void server
    .attend()
    .catch((error: unknown) => log.error(String(error)))
    .then(() => context.subscriptions.push(statusBarItem(server)));
}
