import type { Message } from "../server/openai";

/**
 * What a turn leaves for those after it; the editor keeps it with the answer, as JSON.
 *
 * The messages are those that were sent, word for word: a file may change later, but a prompt that
 * begins like an earlier one is in the server's prefix cache.
 */
export interface Turn {
  readonly asked: readonly Message[];
  readonly answer: string;
  /** Tokens of `asked` with the chat template's marks. */
  readonly askedTokens: number;
  readonly answerTokens: number;
  /** Whose tokens these are: another model counts otherwise. */
  readonly model: string;
}

/** The turns in the results of earlier answers, oldest first; what no model answered is left out. */
export function turnsIn(
  results: readonly ({ readonly metadata?: Readonly<Record<string, unknown>> } | undefined)[],
): readonly Turn[] {
  return results.flatMap((result) => {
    const turn = result?.metadata?.["turn"];
    return isTurn(turn) ? [turn] : [];
  });
}

/**
 * The turns with the tokens that they are for the model that is asked now.
 *
 * @param count the tokens of a conversation for that model.
 */
export function countedFor(
  model: string,
  turns: readonly Turn[],
  count: (messages: readonly Message[]) => Promise<number>,
): Promise<readonly Turn[]> {
  return Promise.all(
    turns.map(async (turn) => {
      if (turn.model === model) return turn;
      const askedTokens = await count(turn.asked);
      const all = await count(messagesOf([turn]));
      return { ...turn, model, askedTokens, answerTokens: Math.max(0, all - askedTokens) };
    }),
  );
}

export function messagesOf(turns: readonly Turn[]): readonly Message[] {
  return turns.flatMap(({ asked, answer }) => [...asked, { role: "assistant", content: answer }]);
}

/**
 * Where the conversation has to begin, so that it and the new question fit.
 *
 * Too long, it loses its oldest turns until half of the room is free, and not one by one: then the
 * next questions begin as this one did, and the server has their beginning in its cache. Every
 * question repeats the decisions of those before it, so nothing has to be remembered.
 *
 * @param askedTokens of the new question.
 * @param room tokens for all of it.
 * @returns the index of the first turn that is kept.
 */
export function firstKept(turns: readonly Turn[], askedTokens: number, room: number): number {
  let first = 0;
  for (let now = 0; now <= turns.length; now += 1) {
    const asked = turns[now]?.askedTokens ?? askedTokens;
    const tokens = (): number => asked + total(turns.slice(first, now));
    if (tokens() <= room) continue;
    while (first < now && tokens() > room / 2) first += 1;
  }
  return first;
}

function total(turns: readonly Turn[]): number {
  return turns.reduce((sum, turn) => sum + turn.askedTokens + turn.answerTokens, 0);
}

/** Stored by an earlier version of this extension, a turn may look different. */
function isTurn(value: unknown): value is Turn {
  if (typeof value !== "object" || value === null) return false;
  const { asked, answer, askedTokens, answerTokens, model } = value as Partial<
    Record<keyof Turn, unknown>
  >;
  return (
    Array.isArray(asked) &&
    typeof answer === "string" &&
    typeof askedTokens === "number" &&
    typeof answerTokens === "number" &&
    typeof model === "string"
  );
}
