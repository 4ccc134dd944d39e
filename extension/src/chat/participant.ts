import * as vscode from "vscode";
import { participant as names, type SlashCommand, slashCommands } from "../ids";
import type { Records } from "../results/history";
import { failureSentence } from "../results/runner";
import { UnreachableError } from "../server/http";
import { type ReadyState, signalOf, type WatchedServer } from "../server/waiting";
import { readSettings } from "../settings";
import { answer } from "./answer";
import { explain } from "./explain";
import { followupsAfter } from "./followups";
import { compare, test } from "./measure";
import { offer, readyServer, startServer } from "./ready";
import { fix, health, lastMishap } from "./state";
import type { ChatRequests } from "./chatRequests";
import type { Talk } from "./talk";
import { type Turn, turnsIn } from "./turns";

/** What the participant works with. */
export interface ChatParts {
  readonly server: WatchedServer;
  /** Resolves when a server that ran before this window has been noticed. */
  readonly attended: Promise<void>;
  /** The requests in the results view. */
  readonly records: () => Records;
  /** Where the chat's own requests are listed. */
  readonly requests: ChatRequests;
  readonly log: vscode.LogOutputChannel;
}

/** `@tt` in the editor's chat: the served model answers there, and slash commands show the server. */
export function registerParticipant(parts: ChatParts): vscode.ChatParticipant {
  const created = vscode.chat.createChatParticipant(names.id, (request, context, response, token) =>
    handle(parts, request, context, response, token),
  );
  created.iconPath = new vscode.ThemeIcon("circuit-board");
  created.followupProvider = {
    provideFollowups: (result, { history }) => {
      const { command, model, prompt = "" } = (result.metadata ?? {}) as Partial<Metadata>;
      const before = history.flatMap((turn) =>
        turn instanceof vscode.ChatRequestTurn ? [turn.prompt] : [],
      );
      const asked = [...before, prompt];
      const hasAnswered = model !== undefined || command === "health" || command === "fix";
      return hasAnswered ? followupsAfter(command, asked, model === shippedName) : [];
    },
  };
  return created;
}

/** How the model that ships calls itself. */
const shippedName = "ttdirect-demo";

/** What the editor keeps with an answer. */
interface Metadata {
  readonly prompt: string;
  readonly command?: SlashCommand;
  readonly model?: string;
  readonly turn?: Turn;
}

async function handle(
  { server, attended, records, requests, log }: ChatParts,
  request: vscode.ChatRequest,
  { history }: vscode.ChatContext,
  response: vscode.ChatResponseStream,
  token: vscode.CancellationToken,
): Promise<vscode.ChatResult> {
  const talk: Talk = {
    prompt: request.prompt,
    references: request.references,
    turns: turnsIn(
      history.map((turn) => (turn instanceof vscode.ChatResponseTurn ? turn.result : undefined)),
    ),
    response,
    signal: signalOf(token),
    spent: () => undefined,
  };
  const command = slashCommands.find((name) => name === request.command);
  const metadata = (more: Pick<Metadata, "model" | "turn"> = {}): vscode.ChatResult => ({
    metadata: { prompt: request.prompt, ...(command ? { command } : {}), ...more },
  });
  try {
    await attended;
    if (command === "health") {
      await health(response, server.state);
      return metadata();
    }
    if (command === "fix" && !hasInput(talk)) {
      fix(response, lastMishap(server.state, records()));
      return metadata();
    }
    if (!command && !hasInput(talk)) {
      response.markdown(vscode.l10n.t("What do you want to know? `/` shows what else I can do."));
      return metadata();
    }
    const ready = await readyServer(talk, server);
    if (!ready) return metadata();
    const turn = await requests.follow(
      `${command ? `/${command} ` : ""}${talk.prompt}`.trim(),
      (spent) => withModel({ ...talk, spent }, ready, command),
      talk.signal,
    );
    return metadata({ model: ready.health.model ?? "", ...(turn ? { turn } : {}) });
  } catch (error) {
    if (talk.signal.aborted) return metadata();
    log.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    response.markdown(`\n\n${failureSentence(error)}\n\n`);
    if (error instanceof UnreachableError) offer(response, [startServer()]);
    return metadata();
  }
}

async function withModel(
  talk: Talk,
  ready: ReadyState,
  command: Exclude<SlashCommand, "health"> | undefined,
): Promise<Turn | undefined> {
  switch (command) {
    case "explain":
      return explain(talk, ready, readSettings().scriptPath);
    case "test":
      await test(talk, ready);
      return undefined;
    case "compare":
      await compare(talk, ready);
      return undefined;
    case "fix":
      return answer(talk, ready, `How do I fix this error?\n${talk.prompt}`.trim());
    case undefined:
      return answer(talk, ready, talk.prompt);
  }
}

function hasInput({ prompt, references }: Talk): boolean {
  return prompt.trim() !== "" || references.length > 0;
}
