import { type Event, l10n } from "vscode";
import type { Lesson } from "../lesson/lesson";
import type { ResultsServer } from "../results/results";
import type { Server } from "../server/server";
import { addressOf } from "../server/state";
import { describe } from "./description";

/** The server as the results view sees it. */
export function resultsServer(server: Server, lesson: Lesson): ResultsServer {
  const onDidChange: Event<void> = (listener, thisArgument, disposables) =>
    server.onDidChangeState(() => void listener.call(thisArgument), undefined, disposables);
  return {
    get summary() {
      const address = addressOf(server.state);
      const text = describe(server.state).text;
      return {
        state: server.state.kind,
        text: address ? l10n.t("{0} at {1}", text, address) : text,
      };
    },
    onDidChange,
    ready: async () => {
      const { address, health } = await lesson.runningServer();
      return { address, model: health.model ?? "", device: health.device ?? "" };
    },
  };
}
