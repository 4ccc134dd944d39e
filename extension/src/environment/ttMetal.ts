import { existsSync } from "node:fs";
import * as path from "node:path";
import { openSettings, Problem } from "../problem";

/** Where tt-metal may be named, and how to look. */
export interface TtMetalSources {
  /** The setting `tenstorrent.ttMetalFolder`, absolute; empty: not set. */
  readonly setting: string;
  /** `TT_METAL_HOME`. */
  readonly variable: string | undefined;
  readonly home: string;
}

/** A clone of tt-metal, and who named it. */
export interface TtMetal {
  readonly folder: string;
  readonly namedBy: string;
}

/**
 * The clone of tt-metal that holds `models.tt_transformers`.
 *
 * 1. the setting `tenstorrent.ttMetalFolder`
 * 2. the environment variable `TT_METAL_HOME`
 * 3. `~/tt-metal`, if it is a clone
 *
 * What a person named counts even if it is wrong, so that the mistake comes to light.
 */
export function findTtMetal(
  sources: TtMetalSources,
  isFolder: (folder: string) => boolean = existsSync,
): TtMetal | undefined {
  if (sources.setting) {
    return { folder: sources.setting, namedBy: "the setting tenstorrent.ttMetalFolder" };
  }
  if (sources.variable) return { folder: sources.variable, namedBy: "TT_METAL_HOME" };
  const folder = path.join(sources.home, "tt-metal");
  return isFolder(generatorFolder(folder)) ? { folder, namedBy: "your home folder" } : undefined;
}

/** @throws Problem when there is no Generator API in the folder. */
export function requireGenerator(
  ttMetal: TtMetal,
  isFolder: (folder: string) => boolean = existsSync,
): void {
  if (isFolder(generatorFolder(ttMetal.folder))) return;
  throw new Problem(
    `${ttMetal.folder} has no models/tt_transformers, but ${ttMetal.namedBy} names it as tt-metal.`,
    "Set tenstorrent.ttMetalFolder to your clone of tt-metal.",
    [openSettings("tenstorrent.ttMetalFolder")],
  );
}

function generatorFolder(folder: string): string {
  return path.join(folder, "models", "tt_transformers");
}
