import { existsSync } from "node:fs";
import * as path from "node:path";
import { l10n } from "vscode";
import { openSettings, Problem } from "../problem";

/** Where tt-metal may be named, and how to look. */
export interface TtMetalSources {
  /** The setting `tenstorrent.ttMetalFolder`, absolute; empty: not set. */
  readonly setting: string;
  /** `TT_METAL_HOME`. */
  readonly variable: string | undefined;
  /** `PYTHONPATH`. */
  readonly pythonPath: string | undefined;
  readonly home: string;
}

/** A clone of tt-metal, and who named it. */
export interface TtMetal {
  readonly folder: string;
  readonly namedBy: string;
}

/**
 * Where a clone lies that nobody named: where tt-metal's own instructions make it, and where images
 * for containers have it. The same as in `ttdirect/device/clone.py`.
 */
export const usualFolders = ["~/tt-metal", "/opt/tt-metal", "/tt-metal"] as const;

/**
 * The clone of tt-metal that holds `models.tt_transformers`.
 *
 * 1. the setting `tenstorrent.ttMetalFolder`
 * 2. the environment variable `TT_METAL_HOME`
 * 3. the clone that Python finds through `PYTHONPATH`
 * 4. the first of the usual folders that is a clone
 *
 * What a person named counts even if it is wrong, so that the mistake comes to light. The order is
 * that of `ttdirect/cli/tt_metal.py`.
 */
export function findTtMetal(
  sources: TtMetalSources,
  exists: (file: string) => boolean = existsSync,
): TtMetal | undefined {
  if (sources.setting) {
    const namedBy = l10n.t("the setting tenstorrent.ttMetalFolder");
    return { folder: sources.setting, namedBy };
  }
  if (sources.variable) return { folder: sources.variable, namedBy: "TT_METAL_HOME" };
  const onPath = findOnPath(sources.pythonPath ?? "", exists);
  if (onPath !== undefined) return { folder: onPath, namedBy: "PYTHONPATH" };
  for (const usual of usualFolders) {
    const folder = usual.replace("~", sources.home);
    if (exists(generatorFolder(folder))) return { folder, namedBy: usual };
  }
  return undefined;
}

/** @throws Problem when there is no Generator API in the folder. */
export function requireGenerator(
  ttMetal: TtMetal,
  exists: (file: string) => boolean = existsSync,
): void {
  if (exists(generatorFolder(ttMetal.folder))) return;
  throw new Problem(
    l10n.t(
      "{0} has no models/tt_transformers, but {1} names it as tt-metal.",
      ttMetal.folder,
      ttMetal.namedBy,
    ),
    l10n.t("Set tenstorrent.ttMetalFolder to your clone of tt-metal."),
    [openSettings("tenstorrent.ttMetalFolder")],
  );
}

/**
 * The clone that an import of `models` would use.
 *
 * As Python does it: the first `models` that is a package or a file hides all behind it; folders
 * without `__init__.py` count together, and only where there is none of those.
 */
function findOnPath(pythonPath: string, exists: (file: string) => boolean): string | undefined {
  const entries = pythonPath.split(path.delimiter).filter((entry) => path.isAbsolute(entry));
  for (const entry of entries) {
    if (exists(path.join(entry, "models", "__init__.py"))) {
      return exists(generatorFolder(entry)) ? entry : undefined;
    }
    if (exists(path.join(entry, "models.py"))) return undefined;
  }
  return entries.find((entry) => exists(generatorFolder(entry)));
}

function generatorFolder(folder: string): string {
  return path.join(folder, "models", "tt_transformers");
}
