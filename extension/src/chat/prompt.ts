import { limitsOf } from "../languageModel/information";
import type { Message } from "../server/openai";
import { type Attachment, exchangeOf, shortened } from "./attachments";
import { firstKept, messagesOf, type Turn } from "./turns";

/** More than tokens have in nearly all texts. */
const charactersPerToken = 6;

/** Cutting is by characters, and tokens are not spread evenly over them. */
const caution = 0.9;

/** A prompt that fits into the model's context, and what had to be left out of it. */
export interface Prompt {
  readonly messages: readonly Message[];
  /** The new question with what goes with it, the end of `messages`. */
  readonly asked: readonly Message[];
  readonly askedTokens: number;
  /** Earlier turns that were dropped. */
  readonly dropped: number;
  /** Whether attachments were cut. */
  readonly isCut: boolean;
}

/**
 * Put a prompt together: the earlier turns, the attachments, the question.
 *
 * @param context tokens of prompt and answer.
 * @param count the tokens of a conversation, exactly.
 */
export async function promptOf(
  question: string,
  attachments: readonly Attachment[],
  turns: readonly Turn[],
  context: number,
  count: (messages: readonly Message[]) => Promise<number>,
): Promise<Prompt> {
  const room = limitsOf(context).maxInputTokens;
  const ask = (some: readonly Attachment[]): readonly Message[] => [
    ...exchangeOf(some),
    { role: "user", content: question },
  ];
  // What cannot fit anyway need not be counted: it may be larger than the server reads.
  const length = attachments.reduce((sum, { text }) => sum + text.length, 0);
  const most = room * charactersPerToken;
  let given = length > most ? shortened(attachments, most / length) : attachments;
  let askedTokens = await count(ask(given));
  if (askedTokens > room && given.length > 0) {
    const alone = await count(ask([]));
    const share = Math.max(0, ((room - alone) / (askedTokens - alone)) * caution);
    given = shortened(given, share);
    askedTokens = await count(ask(given));
  }
  const asked = ask(given);
  const dropped = firstKept(turns, askedTokens, room);
  const messages = [...messagesOf(turns.slice(dropped)), ...asked];
  return { messages, asked, askedTokens, dropped, isCut: given !== attachments };
}
