import { l10n } from "vscode";
import { type Completion, type Message, OpenAiClient } from "../server/openai";
import type { ReadyState } from "../server/waiting";
import { type Attachment, readReferences } from "./attachments";
import { promptOf } from "./prompt";
import type { Talk } from "./talk";
import { countedFor, type Turn } from "./turns";

/** Only for an answer that was stopped: its tokens are not told then. */
const charactersPerToken = 4;

/**
 * Have the served model answer, and show its words as they come.
 *
 * The request goes to the server itself, whichever model is chosen in the chat's box.
 *
 * @param attachments beside those that the user attached.
 * @returns what later turns need to know; also of an answer that the user has stopped.
 * @throws ServerRefusedError, UnreachableError when there is no answer.
 */
export async function answer(
  talk: Talk,
  { address, health }: ReadyState,
  question: string,
  attachments: readonly Attachment[] = [],
): Promise<Turn | undefined> {
  const { response, signal } = talk;
  const client = new OpenAiClient(address);
  const attached = await readReferences(talk.references);
  const given = [...attachments, ...attached.attachments];
  for (const { source } of given) if (source) response.reference(source);

  const count = (messages: readonly Message[]): Promise<number> =>
    client.count({ messages }, signal);
  try {
    const model = health.model ?? "";
    const turns = await countedFor(model, talk.turns, count);
    const prompt = await promptOf(question, given, turns, health.max_seq_len, count);
    const began = performance.now();
    let firstAt: number | undefined;
    let text = "";
    const show = (piece: string): void => {
      firstAt ??= performance.now();
      text += piece;
      response.markdown(piece);
    };
    const { messages, asked, askedTokens } = prompt;
    const completion = await client.complete({ messages }, show, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
      return undefined;
    });
    const seconds = (performance.now() - began) / 1000;
    if (completion) {
      const tokensPerSecond = completion.completionTokens / Math.max(seconds, 0.001);
      talk.spent({ seconds, tokensPerSecond });
      const wait = firstAt === undefined ? undefined : (firstAt - began) / 1000;
      response.markdown(`\n\n*${figures(completion, seconds, wait)}*`);
      for (const note of notes(prompt, completion, attached.unreadable, health.max_seq_len)) {
        response.markdown(`\n\n*${note}*`);
      }
    }
    if (text === "") return undefined; // stopped before the model said a word
    const answerTokens = completion?.completionTokens ?? text.length / charactersPerToken;
    return { asked, answer: text, askedTokens, answerTokens: Math.ceil(answerTokens), model };
  } catch (error) {
    if (signal.aborted) return undefined; // while the tokens were counted
    throw error;
  }
}

/** What an answer cost, in a line. */
export function figures(
  { completionTokens, promptTokens, cachedTokens }: Completion,
  seconds: number,
  wait: number | undefined,
): string {
  const time = seconds.toFixed(2);
  const parts = [
    completionTokens === 1
      ? l10n.t("1 token in {0} s", time)
      : l10n.t("{0} tokens in {1} s", completionTokens, time),
    l10n.t("{0} tokens/s", Math.round(completionTokens / Math.max(seconds, 0.001))),
  ];
  if (wait !== undefined) parts.push(l10n.t("first after {0} ms", Math.round(wait * 1000)));
  if (cachedTokens > 0) {
    parts.push(l10n.t("{0} of {1} prompt tokens cached", cachedTokens, promptTokens));
  }
  return parts.join(" · ");
}

function notes(
  { dropped, isCut }: { readonly dropped: number; readonly isCut: boolean },
  { finishReason }: Completion,
  unreadable: readonly string[],
  context: number,
): readonly string[] {
  const all: string[] = [];
  if (isCut) {
    all.push(l10n.t("What you attached was cut to fit the model's {0} tokens.", context));
  }
  if (dropped > 0) {
    all.push(
      dropped === 1
        ? l10n.t(
            "The model no longer sees the first question of this chat: {0} tokens fit.",
            context,
          )
        : l10n.t(
            "The model no longer sees the first {0} questions of this chat: {1} tokens fit.",
            dropped,
            context,
          ),
    );
  }
  if (unreadable.length > 0) {
    all.push(l10n.t("Not read, since it is no text: {0}.", unreadable.join(", ")));
  }
  if (finishReason === "length") {
    all.push(l10n.t("The answer ends here because the context is full."));
  }
  return all;
}
