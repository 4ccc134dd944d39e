import { l10n } from "vscode";
import { commands } from "../ids";
import type { Remedy } from "../problem";
import { remediesFor } from "../server/remedies";
import { type Failure, sentencesOf, type ServerState } from "../server/state";
import { nextChange, type ReadyState, type WatchedServer } from "../server/waiting";
import type { Talk } from "./talk";

export function startServer(): Remedy {
  return { title: l10n.t("Start the Server"), command: commands.start };
}

/**
 * Wait until the server can answer, and offer to start it where nobody has.
 *
 * The question stays open meanwhile: whoever starts the server, and wherever, it is answered.
 *
 * @returns undefined when the user gives up.
 */
export async function readyServer(
  { response, signal }: Pick<Talk, "response" | "signal">,
  server: WatchedServer,
): Promise<ReadyState | undefined> {
  let told = "";
  while (!signal.aborted) {
    const { state } = server;
    if (state.kind === "ready") return state;
    const news = newsOf(state);
    if (news !== told) tell(state, news, response);
    told = news;
    await nextChange(server, signal);
  }
  return undefined;
}

/** The buttons under a failure; one of them starts the server again. */
export function waysOut(failure: Failure): readonly Remedy[] {
  const remedies = remediesFor(failure);
  return remedies.some(({ command }) => command === commands.start)
    ? remedies
    : [{ title: l10n.t("Start Again"), command: commands.start }, ...remedies];
}

export function offer(
  response: Pick<Talk["response"], "button">,
  remedies: readonly Remedy[],
): void {
  for (const { title, command, arguments: values } of remedies) {
    response.button({ title, command, ...(values ? { arguments: [...values] } : {}) });
  }
}

function tell(state: ServerState, news: string, response: Talk["response"]): void {
  if (state.kind !== "stopped" && state.kind !== "failed") {
    response.progress(news);
    return;
  }
  response.markdown(`${news}\n\n`);
  offer(response, state.kind === "failed" ? waysOut(state.failure) : [startServer()]);
  response.progress(l10n.t("Waiting for the server"));
}

/** What is told of a state, once. */
function newsOf(state: ServerState): string {
  switch (state.kind) {
    case "stopped":
      return l10n.t("Your API server does not run. Start it, and your question is answered here.");
    case "failed": {
      const [what, fix] = sentencesOf(state.failure);
      const news = l10n.t("Your API server could not start. {0} {1}", what, fix);
      return `${news}\n\n${l10n.t("When it runs, your question is answered here.")}`;
    }
    case "starting":
      return l10n.t("Starting the server");
    case "loading":
      return l10n.t("The server is {0}", state.health.phase);
    case "stopping":
      return l10n.t("The server is stopping");
    case "ready":
      return "";
  }
}
