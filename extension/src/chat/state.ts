/** Slash commands that tell how the server is; no model has a part in them. */

import { l10n } from "vscode";
import { commands } from "../ids";
import type { Remedy } from "../problem";
import type { Records } from "../results/history";
import { ServerClient } from "../server/client";
import { sentencesOf, type ServerState } from "../server/state";
import { describe } from "../status/description";
import { inline } from "./inline";
import { offer, startServer, waysOut } from "./ready";
import type { Talk } from "./talk";

type Response = Pick<Talk["response"], "markdown" | "button">;

export async function health(response: Response, state: ServerState): Promise<void> {
  if (state.kind !== "ready") {
    response.markdown(`${describe(state).text}.`);
    if (state.kind === "failed") {
      response.markdown(`\n\n${sentencesOf(state.failure).join(" ")}`);
      offer(response, waysOut(state.failure));
    }
    if (state.kind === "stopped") offer(response, [startServer()]);
    return;
  }
  const began = performance.now();
  const occupant = await new ServerClient(state.address).occupant();
  const milliseconds = Math.round(performance.now() - began);
  if (occupant.kind !== "ours") {
    response.markdown(l10n.t("Nobody answers at {0} any more.", state.address));
    return;
  }
  const { status, model, device, running, queued, max_batch_size, max_seq_len, version } =
    occupant.health;
  const rows = [
    [l10n.t("Status"), status],
    [l10n.t("Model"), model ?? l10n.t("none")],
    [l10n.t("Device"), device ?? l10n.t("none")],
    [l10n.t("Running"), l10n.t("{0} of {1}", running, max_batch_size)],
    [l10n.t("Waiting"), queued],
    [l10n.t("Context"), l10n.t("{0} tokens", max_seq_len)],
    ["ttdirect", version],
  ];
  response.markdown(
    [
      l10n.t("`GET {0}/health` answered in {1} ms.", state.address, milliseconds),
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
    const [what, fix] = sentencesOf(state.failure);
    return {
      what: l10n.t("The server ended. {0} {1}", what, fix),
      remedies: waysOut(state.failure),
    };
  }
  // What failed before a request that was answered is mended.
  const last = records.findLast(({ status }) => status === "done" || status === "failed");
  if (last?.status !== "failed" || last.error === undefined) return undefined;
  return {
    what: l10n.t('The request "{0}" failed. {1}', inline(last.request.prompt), inline(last.error)),
    remedies: [{ title: l10n.t("Show Results"), command: commands.showResults }],
  };
}

export function fix(response: Response, mishap: Mishap | undefined): void {
  if (!mishap) {
    response.markdown(
      l10n.t(
        "Nothing has gone wrong: no server has failed, and the last request in the results was answered. To ask about another error, write it after `/fix`.",
      ),
    );
    return;
  }
  response.markdown(`${mishap.what}\n\n`);
  offer(response, mishap.remedies);
}
