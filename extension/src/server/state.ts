/**
 * The state of the server, as the whole extension sees it.
 *
 * Status bar, context keys, results and walkthrough derive from it. It follows from what was
 * observed: the process's exit, its note (see `notes.ts`) and `/health`; never from terminal text.
 */

import { isDeepStrictEqual } from "node:util";
import { sentence } from "../sentence";
import type { Health } from "./client";

/** Why a server ended or could not start; `code` names the kind of failure for `remedies.ts`. */
export interface Failure {
  readonly code: string;
  readonly what: string;
  readonly fix: string;
}

/** What happened, and what to do: as sentences, which the server's own words need not be. */
export function sentencesOf({ what, fix }: Failure): readonly [string, string] {
  return [sentence(what), sentence(fix)];
}

export type ServerState =
  | { readonly kind: "stopped" }
  | { readonly kind: "starting" }
  | { readonly kind: "loading"; readonly address: string; readonly health: Health }
  | { readonly kind: "ready"; readonly address: string; readonly health: Health }
  | { readonly kind: "stopping"; readonly address: string | undefined }
  | { readonly kind: "failed"; readonly failure: Failure };

/** Something that was seen, or asked for. */
export type Observation =
  | { readonly kind: "launched" }
  | { readonly kind: "health"; readonly address: string; readonly health: Health }
  | { readonly kind: "stopRequested" }
  /** `failure` is undefined after an orderly end. */
  | { readonly kind: "ended"; readonly failure: Failure | undefined };

export const stopped: ServerState = { kind: "stopped" };

/** The state after an observation; the same object when nothing has changed. */
export function next(state: ServerState, seen: Observation): ServerState {
  const after = following(state, seen);
  return isDeepStrictEqual(after, state) ? state : after;
}

function following(state: ServerState, seen: Observation): ServerState {
  switch (seen.kind) {
    case "launched":
      return { kind: "starting" };
    case "stopRequested":
      return isUp(state) ? { kind: "stopping", address: addressOf(state) } : state;
    case "ended":
      // A server that was told to stop has stopped, whatever its last words were.
      if (state.kind === "stopping" || !seen.failure) return stopped;
      return { kind: "failed", failure: seen.failure };
    case "health":
      return afterHealth(state, seen.address, seen.health);
  }
}

function afterHealth(state: ServerState, address: string, health: Health): ServerState {
  if (state.kind === "stopping") return state;
  switch (health.status) {
    case "healthy":
      return { kind: "ready", address, health };
    case "loading":
      return { kind: "loading", address, health };
    case "draining":
      return { kind: "stopping", address };
    case "failed":
      // Not the end yet: either the process ends and its note says why, or it starts again.
      return { kind: "starting" };
  }
}

/** Whether there is a process, or soon will be. */
export function isUp(state: ServerState): boolean {
  return state.kind === "starting" || state.kind === "loading" || state.kind === "ready";
}

/** Where the server listens, as far as that is known. */
export function addressOf(state: ServerState): string | undefined {
  return "address" in state ? state.address : undefined;
}
