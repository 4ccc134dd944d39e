/** How amounts are written in the status bar and the server view. */

import { l10n } from "vscode";
import type { MemoryUse } from "../server/api";

const units = ["bytes", "kB", "MB", "GB", "TB"] as const;

/** "41 MB", "1.2 GB": of 1000, as the disk's and the model's sizes are told everywhere. */
export function bytes(amount: number): string {
  let value = amount;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0)} ${units[unit] ?? ""}`;
}

/** "34 s", "5 min", "2 h 5 min", "3 d 4 h". */
export function span(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A share from 0 to 1 in per cent; what is used at all is never 0 %. */
export function percent(share: number): string {
  return share > 0 && share < 0.01 ? l10n.t("under 1 %") : `${Math.round(share * 100)} %`;
}

/** What a model holds in memory. */
export function memoryUse({ weights_bytes, kv_cache_bytes }: MemoryUse): string {
  return l10n.t("{0} weights, {1} KV cache", bytes(weights_bytes), bytes(kv_cache_bytes));
}
