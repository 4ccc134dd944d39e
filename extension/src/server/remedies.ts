import { l10n } from "vscode";
import { commands } from "../ids";
import { openSettings, type Remedy } from "../problem";
import { whatToDo } from "./guide";
import type { Failure } from "./state";

/** Buttons are made when they are shown: only then is the editor's language known. */
type MakeRemedy = () => Remedy;

export const showTerminal: MakeRemedy = () => ({
  title: l10n.t("Show Terminal"),
  command: commands.showServerTerminal,
});
export const changePort: MakeRemedy = () => openSettings("tenstorrent.port");

const chooseModel: MakeRemedy = () => ({
  title: l10n.t("Choose a Model"),
  command: commands.chooseModel,
});
const install: MakeRemedy = () => ({ title: l10n.t("Install"), command: commands.installFlask });
const startAgain: MakeRemedy = () => ({ title: l10n.t("Start Again"), command: commands.start });
const chooseInterpreter: MakeRemedy = () => ({
  title: l10n.t("Choose Interpreter"),
  command: commands.chooseInterpreter,
});
const chooseTtMetal: MakeRemedy = () => openSettings("tenstorrent.ttMetalFolder");
const openScript: MakeRemedy = () => ({
  title: l10n.t("Open the Script"),
  command: commands.openScript,
});

/** The server's own codes (`explain` in `ttdirect/server`, `ttdirect/device`) and what helps. */
export const remediesByCode: Readonly<Record<string, readonly MakeRemedy[]>> = {
  "model-not-chosen": [chooseModel],
  "model-not-found": [chooseModel],
  "not-a-checkpoint": [chooseModel],
  "gated-model": [chooseModel],
  "disk-full": [chooseModel],
  "unsupported-model": [chooseModel],
  "not-enough-memory": [chooseModel, openScript],
  "context-too-long": [openScript, chooseModel],
  memory: [chooseModel, openScript],
  "out-of-memory": [chooseModel, openScript],
  "missing-packages": [install],
  "port-taken": [startAgain],
  "no-such-port": [changePort],
  "cannot-listen": [changePort],
  "no-api-key": [openScript],
  killed: [chooseModel, startAgain],
  "no-hf-token": [chooseModel],
  "mesh-too-large": [openScript],
  "no-such-mesh": [openScript],
  "engine-setting": [openScript],
  "no-such-parts": [openScript],
  "trace-region-too-small": [openScript],
  "no-ttnn": [chooseInterpreter],
  "wrong-python": [chooseInterpreter],
  "missing-requirements": [chooseInterpreter],
  "no-tt-metal": [chooseTtMetal],
  "wrong-tt-metal": [chooseTtMetal],
  "unknown-generator": [chooseTtMetal],
  "wrong-pythonpath": [chooseTtMetal],
};

/** The buttons under a failure: what puts it right first, then what explains it, the terminal always. */
export function remediesFor(failure: Failure): readonly Remedy[] {
  const explanation = whatToDo(failure);
  return [
    ...(remediesByCode[failure.code] ?? [startAgain]).map((make) => make()),
    ...(explanation ? [explanation] : []),
    showTerminal(),
  ];
}
