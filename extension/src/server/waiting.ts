import type * as vscode from "vscode";
import { isUp, type ServerState } from "./state";

/** The part of the server that those need who only wait for it. */
export interface WatchedServer {
  readonly state: ServerState;
  readonly onDidChangeState: vscode.Event<ServerState>;
}

export type ReadyState = Extract<ServerState, { kind: "ready" }>;

/** A signal that is aborted when the editor's token is cancelled. */
export function signalOf(token: vscode.CancellationToken): AbortSignal {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  else token.onCancellationRequested(() => controller.abort());
  return controller.signal;
}

/** Wait for the next change of the state; also returns when the signal is aborted. */
export function nextChange(server: WatchedServer, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      listener.dispose();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const listener = server.onDidChangeState(finish);
    signal.addEventListener("abort", finish);
  });
}

/**
 * Wait for a server that is about to be ready.
 *
 * @returns undefined when it does not run and nobody is starting it, or the signal is aborted.
 */
export async function readyOrDown(
  server: WatchedServer,
  signal: AbortSignal,
): Promise<ReadyState | undefined> {
  while (isUp(server.state) && !signal.aborted) {
    if (server.state.kind === "ready") return server.state;
    await nextChange(server, signal);
  }
  return undefined;
}
