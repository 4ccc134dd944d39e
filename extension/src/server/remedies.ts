import { commands } from "../ids";
import { openSettings, type Remedy } from "../problem";
import type { Failure } from "./state";

export const showTerminal: Remedy = {
  title: "Show Terminal",
  command: commands.showServerTerminal,
};
const chooseModel: Remedy = { title: "Choose a Model", command: commands.chooseModel };
const install: Remedy = { title: "Install", command: commands.installFlask };
const startAgain: Remedy = { title: "Start Again", command: commands.start };
export const changePort: Remedy = openSettings("tenstorrent.port");

/** The server's own codes (`explain` and `Failure` in `ttdirect/server`) and what puts it right. */
const remedyByCode: Readonly<Record<string, Remedy>> = {
  "model-not-chosen": chooseModel,
  "model-not-found": chooseModel,
  "not-a-checkpoint": chooseModel,
  "gated-model": chooseModel,
  "unsupported-model": chooseModel,
  "not-enough-memory": chooseModel,
  "context-too-long": chooseModel,
  memory: chooseModel,
  "missing-packages": install,
  "port-taken": startAgain,
  "no-such-port": changePort,
  "cannot-listen": changePort,
  killed: startAgain,
};

/** The buttons under a failure: what puts it right first, the terminal always. */
export function remediesFor(failure: Failure): readonly Remedy[] {
  const remedy = remedyByCode[failure.code];
  return remedy ? [remedy, showTerminal] : [startAgain, showTerminal];
}
