/**
 * Every name that the extension shares with `package.json`, the walkthrough and the README.
 *
 * `tests/extension/manifest.test.ts` compares them, so none can be misspelt or forgotten.
 */

export const extensionId = "ttdirect.tt-direct-api";
export const walkthroughId = `${extensionId}#lesson`;

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
  showServerTerminal: "tenstorrent.showServerTerminal",
  showLog: "tenstorrent.showLog",
  serverMenu: "tenstorrent.serverMenu",
} as const;

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
