import * as vscode from "vscode";
import { ChatRequests } from "./chat/chatRequests";
import { registerParticipant } from "./chat/participant";
import { registerCommands } from "./commands";
import { Compare } from "./compare/compare";
import { Dashboard } from "./dashboard/dashboard";
import { Environment } from "./environment/environment";
import { contextKeys, logName } from "./ids";
import { announceModel, registerModel } from "./languageModel/provider";
import { Lesson } from "./lesson/lesson";
import { Progress } from "./lesson/progress";
import { serverSetup } from "./lesson/serverSetup";
import { registerMcp } from "./mcp/provider";
import { registered } from "./optional";
import { reportProblem } from "./problem";
import { openReport } from "./report/report";
import type { Records } from "./results/history";
import { Results } from "./results/results";
import { attendKey } from "./server/enterKey";
import { ServerNotes } from "./server/notes";
import { Server } from "./server/server";
import { attendSettings } from "./server/settingsChange";
import { ServerView } from "./serverView/serverView";
import { resultsServer } from "./status/resultsServer";
import { statusBarItem } from "./status/statusBar";
import { registerTools } from "./tools/tools";

/** Wires the parts together; each part lives in a folder of its own. */
export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel(logName, { log: true });
  const environment = new Environment(context, log);
  const notes = new ServerNotes();
  const server = new Server(serverSetup(environment), notes, log);
  const progress = new Progress(context.globalState);
  const lesson = new Lesson(environment, server, progress);
  const shownServer = resultsServer(server, lesson);
  const results = new Results(context, shownServer, log);
  const compare = new Compare(context, shownServer, log);
  const dashboard = new Dashboard({
    context,
    server: shownServer,
    address: () => (server.state.kind === "ready" ? server.state.address : undefined),
    python: async () => (await environment.interpreter()).path,
    log,
  });
  const chatRequests = new ChatRequests();
  const sources = [results, compare, chatRequests];
  const serverView = new ServerView({ server, sources, environment, log });
  const report = () => openReport({ context, environment, server, notes });

  context.subscriptions.push(
    log,
    environment,
    server,
    results,
    compare,
    dashboard,
    chatRequests,
    serverView,
    registerCommands({
      environment,
      server,
      lesson,
      progress,
      results,
      compare,
      dashboard,
      serverView,
      secrets: context.secrets,
      log,
      report,
    }),
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
  const attended = server.attend().catch((error: unknown) => log.error(String(error)));
  void attended.then(() => context.subscriptions.push(statusBarItem(server)));
  const records = (): Records => results.records;
  const { extension } = context;
  context.subscriptions.push(
    attendKey(context.secrets),
    attendSettings(server, log),
    ...registered(log, {
      "language model": () => registerModel(server, attended, () => environment.model()),
      chat: () => registerParticipant({ server, attended, records, requests: chatRequests, log }),
      "language model tools": () => registerTools(server, attended),
      MCP: () => registerMcp({ server, environment, log, extension }),
    }),
  );
  await announceModel();
}
