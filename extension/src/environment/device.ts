import { readdir } from "node:fs/promises";
import * as path from "node:path";

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
    return { kind: "cpu", reason: `No ${deviceFolder}, so the CPU answers.` };
  }
  if (!hasTtnn) {
    return {
      kind: "cpu",
      reason: `${node} is here but ttnn is not in this Python, so the CPU answers.`,
    };
  }
  return {
    kind: "tenstorrent",
    reason: `${node} and ttnn are here, so the Tenstorrent device answers.`,
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
