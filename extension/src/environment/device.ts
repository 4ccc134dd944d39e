import { readdir } from "node:fs/promises";
import * as path from "node:path";
import { l10n } from "vscode";

export type DeviceKind = "cpu" | "tenstorrent";

/** What answers, and in one sentence for people, why. */
export interface Device {
  readonly kind: DeviceKind;
  readonly reason: string;
}

const deviceFolder = "/dev/tenstorrent";

/**
 * The Tenstorrent device when driver, card and `ttnn` are here, else the CPU.
 *
 * The rules are those of `ttdirect/script/device.py`, which writes the script's imports: both have
 * to come to the same end.
 *
 * @param nodes the driver's device files.
 */
export function decideDevice(nodes: readonly string[], hasTtnn: boolean): Device {
  const [node] = nodes;
  if (node === undefined) {
    return { kind: "cpu", reason: l10n.t("No {0}, so the CPU answers.", deviceFolder) };
  }
  if (!hasTtnn) {
    return {
      kind: "cpu",
      reason: l10n.t("{0} is here but ttnn is not in this Python, so the CPU answers.", node),
    };
  }
  return {
    kind: "tenstorrent",
    reason: l10n.t("{0} and ttnn are here, so the Tenstorrent device answers.", node),
  };
}

/** The driver's device files, none without a card or without its driver. */
export async function deviceNodes(): Promise<readonly string[]> {
  try {
    const names = await readdir(deviceFolder);
    return names.sort().map((name) => path.join(deviceFolder, name));
  } catch {
    return [];
  }
}
