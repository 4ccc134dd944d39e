/**
 * Every name that the extension shares with `package.json`, the walkthrough and the README.
 *
 * `tests/extension/manifest.test.ts` compares them, so none can be misspelt or forgotten.
 */

export const extensionId = "ttdirect.tt-direct-api";
export const walkthroughId = `${extensionId}#lesson`;

/** The log's channel; the editor names the channel's file after it. */
export const logName = "TT Direct API";

/** Commands, all in the category "Tenstorrent". */
export const commands = {
  openWalkthrough: "tenstorrent.openWalkthrough",
  resetWalkthrough: "tenstorrent.resetWalkthrough",
  checkMachine: "tenstorrent.checkMachine",
  chooseInterpreter: "tenstorrent.chooseInterpreter",
  chooseModel: "tenstorrent.chooseModel",
  installFlask: "tenstorrent.installFlask",
  createScript: "tenstorrent.createApiServerDirect",
  openScript: "tenstorrent.openApiScriptDirect",
  start: "tenstorrent.startApiServerDirect",
  startWithGunicorn: "tenstorrent.startGunicornDirect",
  stop: "tenstorrent.stopApiServerDirect",
  restart: "tenstorrent.restartApiServerDirect",
  testHealth: "tenstorrent.testApiHealthDirect",
  testBasic: "tenstorrent.testApiBasicDirect",
  testMultiple: "tenstorrent.testApiMultipleDirect",
  testCustom: "tenstorrent.testApiCustomDirect",
  showResults: "tenstorrent.showResults",
  showDashboard: "tenstorrent.showDashboard",
  compare: "tenstorrent.compare",
  showRequest: "tenstorrent.showRequest",
  sendRoute: "tenstorrent.sendRoute",
  copyRouteUrl: "tenstorrent.copyRouteUrl",
  openRouteInBrowser: "tenstorrent.openRouteInBrowser",
  refreshServerView: "tenstorrent.refreshServerView",
  openChat: "tenstorrent.openChat",
  enterServerKey: "tenstorrent.enterServerKey",
  showServerTerminal: "tenstorrent.showServerTerminal",
  showLog: "tenstorrent.showLog",
  reportProblem: "tenstorrent.reportProblem",
  serverMenu: "tenstorrent.serverMenu",
} as const;

/** Pages in editor tabs; each comes back after a reload of the window. */
export const panels = {
  compare: "tenstorrent.compare",
  dashboard: "tenstorrent.dashboard",
  results: "tenstorrent.results",
} as const;

/** Views, all in the activity bar under "Tenstorrent". */
export const views = {
  server: "tenstorrent.server",
} as const;

/** Who provides the served model; `vscode.lm.selectChatModels({ vendor })` finds it by this. */
export const languageModelVendor = "ttdirect";

/** Whom one talks to in the editor's chat. */
export const participant = { id: "tenstorrent.chat", name: "tt" } as const;

/** What can stand behind the participant's name, after a slash. */
export const slashCommands = ["explain", "test", "compare", "health", "fix"] as const;

export type SlashCommand = (typeof slashCommands)[number];

/** What agents in the editor can call. */
export const languageModelTools = { health: "ttdirect_health", chat: "ttdirect_chat" } as const;

/** Who tells the editor of our MCP server. */
export const mcpProvider = "tenstorrent.mcp";

/** Settings, by their name after `tenstorrent.`. */
export const settings = {
  interpreter: "interpreter",
  scriptPath: "scriptPath",
  port: "port",
  model: "model",
  ttMetalFolder: "ttMetalFolder",
  pipArguments: "pipArguments",
  torchIndex: "torchIndex",
} as const;

/** Context keys, which decide what commands are offered and which steps are ticked. */
export const contextKeys = {
  serverState: "tenstorrent.serverState",
  machineChecked: "tenstorrent.lesson.machineChecked",
  installed: "tenstorrent.lesson.installed",
  scriptCreated: "tenstorrent.lesson.scriptCreated",
  serverStarted: "tenstorrent.lesson.serverStarted",
  firstAnswer: "tenstorrent.lesson.firstAnswer",
  batchAnswered: "tenstorrent.lesson.batchAnswered",
  servedByGunicorn: "tenstorrent.lesson.servedByGunicorn",
} as const;

/** What a learner has achieved: the walkthrough ticks a step when its key becomes true. */
export const achievements = [
  "machineChecked",
  "installed",
  "scriptCreated",
  "serverStarted",
  "firstAnswer",
  "batchAnswered",
  "servedByGunicorn",
] as const satisfies readonly (keyof typeof contextKeys)[];

export type Achievement = (typeof achievements)[number];
