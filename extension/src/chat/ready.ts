import { commands } from "../ids";
import type { Remedy } from "../problem";
import { remediesFor } from "../server/remedies";
import type { Failure, ServerState } from "../server/state";
import { nextChange, type ReadyState, type WatchedServer } from "../server/waiting";
import type { Talk } from "./talk";

export const startServer: Remedy = { title: "Start the Server", command: commands.start };

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
    : [{ ...startServer, title: "Start Again" }, ...remedies];
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
  offer(response, state.kind === "failed" ? waysOut(state.failure) : [startServer]);
  response.progress("Waiting for the server");
}

/** What is told of a state, once. */
function newsOf(state: ServerState): string {
  switch (state.kind) {
    case "stopped":
      return "Your API server does not run. Start it, and your question is answered here.";
    case "failed":
      return (
        `Your API server could not start. ${state.failure.what} ${state.failure.fix}\n\n` +
        "When it runs, your question is answered here."
      );
    case "starting":
      return "Starting the server";
    case "loading":
      return `The server is ${state.health.phase}`;
    case "stopping":
      return "The server is stopping";
    case "ready":
      return "";
  }
}
