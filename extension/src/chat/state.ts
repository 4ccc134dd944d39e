/** Slash commands that tell how the server is; no model has a part in them. */

import { commands } from "../ids";
import type { Remedy } from "../problem";
import type { Records } from "../results/history";
import { ServerClient } from "../server/client";
import type { ServerState } from "../server/state";
import { describe } from "../status/description";
import { inline } from "./inline";
import { offer, startServer, waysOut } from "./ready";
import type { Talk } from "./talk";

type Response = Pick<Talk["response"], "markdown" | "button">;

export async function health(response: Response, state: ServerState): Promise<void> {
  if (state.kind !== "ready") {
    response.markdown(`${describe(state).text}.`);
    if (state.kind === "failed") {
      response.markdown(`\n\n${state.failure.what} ${state.failure.fix}`);
      offer(response, waysOut(state.failure));
    }
    if (state.kind === "stopped") offer(response, [startServer]);
    return;
  }
  const began = performance.now();
  const occupant = await new ServerClient(state.address).occupant();
  const milliseconds = Math.round(performance.now() - began);
  if (occupant.kind !== "ours") {
    response.markdown(`Nobody answers at ${state.address} any more.`);
    return;
  }
  const { status, model, device, running, queued, max_batch_size, max_seq_len, version } =
    occupant.health;
  const rows = [
    ["Status", status],
    ["Model", model ?? "none"],
    ["Device", device ?? "none"],
    ["Running", `${running} of ${max_batch_size}`],
    ["Waiting", queued],
    ["Context", `${max_seq_len} tokens`],
    ["ttdirect", version],
  ];
  response.markdown(
    [
      `\`GET ${state.address}/health\` answered in ${milliseconds} ms.`,
      "",
      "| | |",
      "|---|---|",
      ...rows.map((row) => `| ${row.join(" | ")} |`),
    ].join("\n"),
  );
}

/** Something that went wrong, and what helps. */
export interface Mishap {
  readonly what: string;
  readonly remedies: readonly Remedy[];
}

/** What is wrong now: the server's own end goes before a request. */
export function lastMishap(state: ServerState, records: Records): Mishap | undefined {
  if (state.kind === "failed") {
    const { what, fix } = state.failure;
    return { what: `The server ended. ${what} ${fix}`, remedies: waysOut(state.failure) };
  }
  // What failed before a request that was answered is mended.
  const last = records.findLast(({ status }) => status === "done" || status === "failed");
  if (last?.status !== "failed" || last.error === undefined) return undefined;
  return {
    what: `The request "${inline(last.request.prompt)}" failed. ${inline(last.error)}`,
    remedies: [{ title: "Show Results", command: commands.showResults }],
  };
}

export function fix(response: Response, mishap: Mishap | undefined): void {
  if (!mishap) {
    response.markdown(
      "Nothing has gone wrong: no server has failed, and the last request in the results was answered. " +
        "To ask about another error, write it after `/fix`.",
    );
    return;
  }
  response.markdown(`${mishap.what}\n\n`);
  offer(response, mishap.remedies);
}
