import type * as vscode from "vscode";

interface Registered {
  dispose(): unknown;
}

/**
 * Register each by itself: an editor that lacks one of these things has the others all the same.
 *
 * @param registrations by what the log calls them.
 */
export function registered(
  log: Pick<vscode.LogOutputChannel, "warn">,
  registrations: Readonly<Record<string, () => Registered>>,
): readonly Registered[] {
  return Object.entries(registrations).flatMap(([name, register]) => {
    try {
      return [register()];
    } catch (error) {
      log.warn(`This editor does not take what the extension offers: ${name}. ${String(error)}`);
      return [];
    }
  });
}
