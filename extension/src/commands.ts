import * as vscode from "vscode";
import { openChat } from "./chat/openChat";
import type { Compare } from "./compare/compare";
import type { Dashboard } from "./dashboard/dashboard";
import type { Environment } from "./environment/environment";
import { tellNextStart, type WantedModel } from "./environment/modelChoice";
import { commands } from "./ids";
import type { Lesson } from "./lesson/lesson";
import type { Progress } from "./lesson/progress";
import { openScript } from "./lesson/script";
import { openWalkthrough } from "./lesson/walkthrough";
import { reportProblem } from "./problem";
import type { Results } from "./results/results";
import type { ChatRequest } from "./server/client";
import { enterServerKey } from "./server/enterKey";
import type { Server } from "./server/server";
import { isUp } from "./server/state";
import type { ServerView } from "./serverView/serverView";
import type { Place } from "./serverView/tree";
import { readSettings } from "./settings";
import { showServerMenu } from "./status/menu";

/** What the commands work with. */
export interface Parts {
  readonly environment: Environment;
  readonly server: Server;
  readonly lesson: Lesson;
  readonly progress: Progress;
  readonly results: Results;
  readonly compare: Compare;
  readonly dashboard: Dashboard;
  readonly serverView: ServerView;
  readonly secrets: vscode.SecretStorage;
  readonly log: vscode.LogOutputChannel;
  /** Opens what describes this computer, for the user to send. */
  readonly report: () => Promise<void>;
}

type Handler = (...arguments_: never[]) => unknown;

/** Register every command; what goes wrong in one is told with a way out. */
export function registerCommands(parts: Parts): vscode.Disposable {
  const { environment, server, lesson, progress, results, log } = parts;
  const { compare, dashboard, serverView, report } = parts;

  /** A server that runs with the old choice is restarted, or the choice would seem to be lost. */
  const choose = async (chosen: Promise<boolean>): Promise<void> => {
    if ((await chosen) && isUp(server.state)) await server.restart();
  };

  const chooseModel = async (wanted?: WantedModel): Promise<void> => {
    const running = server.state.kind === "ready" ? server.state.health.model : null;
    const isOther = environment.chooseModel(wanted, running ?? undefined);
    await choose(isOther);
    // Not awaited: a message that nobody closes must not keep the command running.
    if ((await isOther) && !isUp(server.state)) void tellNextStart(environment.model());
  };

  const handlers: Record<keyof typeof commands, Handler> = {
    openWalkthrough: () => openWalkthrough(),
    resetWalkthrough: () => progress.reset(),
    checkMachine: () => lesson.checkMachine(),
    chooseInterpreter: () => choose(environment.chooseInterpreter()),
    chooseModel: (model?: unknown, asksForToken?: unknown) =>
      chooseModel(
        typeof model === "string" ? { model, asksForToken: asksForToken === true } : undefined,
      ),
    installFlask: () => lesson.install(),
    createScript: () => lesson.createScript(),
    openScript: (section?: number) =>
      openScript(readSettings().scriptPath, section === undefined ? {} : { section }),
    start: () => lesson.start(),
    startWithGunicorn: () => lesson.start("gunicorn"),
    stop: () => server.stop(),
    restart: () => server.restart(),
    testHealth: () => lesson.testHealth(),
    testBasic: () => lesson.testBasic(results),
    testMultiple: () => lesson.testMultiple(results),
    testCustom: (request?: ChatRequest) => lesson.testCustom(results, request),
    showResults: () => results.show(),
    showDashboard: () => dashboard.show(),
    compare: () => compare.show(),
    showRequest: (id?: string) => results.show(id),
    sendRoute: (place?: Place) => serverView.send(place),
    copyRouteUrl: (place?: Place) => serverView.copyUrl(place),
    openRouteInBrowser: (place?: Place) => serverView.openInBrowser(place),
    refreshServerView: () => serverView.refresh(),
    openChat: (question?: string) => openChat(question),
    enterServerKey: () => enterServerKey(parts.secrets),
    showServerTerminal: () => server.showTerminal(),
    showLog: () => log.show(),
    reportProblem: () => report(),
    serverMenu: () => showServerMenu(server.state),
  };

  const registered = Object.entries(handlers).map(([name, handler]) =>
    vscode.commands.registerCommand(
      commands[name as keyof typeof commands],
      async (...arguments_: never[]) => {
        log.debug(`Command ${name}`);
        try {
          await handler(...arguments_);
        } catch (error) {
          // Not awaited: a message that nobody closes must not keep the command running.
          void reportProblem(error, log);
        }
      },
    ),
  );
  return vscode.Disposable.from(...registered);
}
