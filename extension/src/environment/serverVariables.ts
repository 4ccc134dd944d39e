import * as path from "node:path";
import { l10n } from "vscode";
import { commands } from "../ids";
import { Problem } from "../problem";
import type { DeviceKind } from "./device";
import { kindOfModel } from "./model";

/** What decides the environment variables of the server. */
export interface ServerChoices {
  readonly model: string;
  readonly device: DeviceKind;
  /** Undefined when tt-metal is not used or not found. */
  readonly ttMetalFolder: string | undefined;
  /** The value of `PYTHONPATH` so far. */
  readonly pythonPath: string | undefined;
  /** The Hugging Face token, if there is one. */
  readonly token: string | undefined;
}

/**
 * The environment variables that the server needs beside those that it inherits.
 *
 * @throws Problem when the model cannot run on the device.
 */
export function variablesFor(choices: ServerChoices): Record<string, string> {
  const { model, device, ttMetalFolder, pythonPath, token } = choices;
  const kind = kindOfModel(model);
  if (kind === "shipped" && device === "tenstorrent") {
    throw new Problem(
      l10n.t(
        "The model that ships with the extension answers on the CPU only, but here the Tenstorrent device answers.",
      ),
      l10n.t("Choose a model that tt-metal supports."),
      [{ title: l10n.t("Choose the Model"), command: commands.chooseModel }],
    );
  }
  const variables: Record<string, string> = { HF_MODEL: model };
  // Only a download needs the token, so a model from the disk never sees it.
  if (kind === "hub" && token !== undefined) variables["HF_TOKEN"] = token;
  if (ttMetalFolder !== undefined) {
    variables["TT_METAL_HOME"] = ttMetalFolder;
    // tt-metal's models are no package, so Python has to be told where they lie.
    variables["PYTHONPATH"] = pythonPath
      ? `${ttMetalFolder}${path.delimiter}${pythonPath}`
      : ttMetalFolder;
  }
  return variables;
}
