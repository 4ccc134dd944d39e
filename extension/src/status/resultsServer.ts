import type * as vscode from "vscode";
import type { Lesson } from "../lesson/lesson";
import type { ResultsServer } from "../results/results";
import type { Server } from "../server/server";
import { addressOf } from "../server/state";
import { describe } from "./description";

/** The server as the results view sees it. */
export function resultsServer(server: Server, lesson: Lesson): ResultsServer {
  const onDidChange: vscode.Event<void> = (listener, thisArgument, disposables) =>
    server.onDidChangeState(() => void listener.call(thisArgument), undefined, disposables);
  return {
    get summary() {
      const address = addressOf(server.state);
      const text = describe(server.state).text;
      return { state: server.state.kind, text: address ? `${text} at ${address}` : text };
    },
    onDidChange,
    ready: async () => {
      const { address, health } = await lesson.runningServer();
      return { address, model: health.model ?? "", device: health.device ?? "" };
    },
  };
}
