/** Slash commands that show what the server does with several requests at once. */

import { commands } from "../ids";
import * as questions from "../lesson/questions";
import { type ChatRequest, type ChatResult, ServerClient } from "../server/client";
import type { ReadyState } from "../server/waiting";
import { inline } from "./inline";
import type { Talk } from "./talk";

/** Greedy, as usual, and lively. */
const temperatures = [0, 0.7, 1.2];

/** The longest answer in a comparison. Tokens. */
const comparedTokens = 128;

/** Ask the lesson's questions at once, and show what each answer cost. */
export async function test({ response, signal }: Talk, { address }: ReadyState): Promise<void> {
  response.progress(`Asking ${questions.multiple.length} questions at once`);
  const began = performance.now();
  const results = await askAll(address, questions.multiple, signal);
  const seconds = (performance.now() - began) / 1000;
  // A list, since a table with four columns does not fit into a narrow chat.
  for (const result of results) {
    response.markdown(`- ${inline(result.prompt)}  \n  *${cost(result)}*\n`);
  }
  response.markdown(`\n${together(results, seconds)}\n`);
  response.button({ title: "Ask Them Again on a Time Line", command: commands.testMultiple });
}

/** Ask one question at several temperatures at once, and show the answers below each other. */
export async function compare(
  { response, signal, prompt, turns }: Talk,
  { address }: ReadyState,
): Promise<void> {
  const before = turns.at(-1)?.asked.at(-1)?.content ?? questions.basic.prompt;
  const question = prompt.trim() === "" ? before : prompt;
  response.progress(`Asking at ${temperatures.length} temperatures at once`);
  const requests = temperatures.map((temperature) => ({
    prompt: question,
    temperature,
    max_tokens: comparedTokens,
  }));
  const results = await askAll(address, requests, signal);
  response.markdown(`**${inline(question)}**\n\n`);
  for (const [index, { response: text, tokens_generated }] of results.entries()) {
    const temperature = temperatures[index] ?? 0;
    const name = temperature === 0 ? "0, the likeliest words" : String(temperature);
    response.markdown(`#### Temperature ${name}\n\n${text}\n\n*${tokens_generated} tokens*\n\n`);
  }
  if (results.every(({ response: text }) => text === results[0]?.response)) {
    response.markdown("All are the same: the model is sure of its words here.\n\n");
  }
  response.markdown(
    "At 0 the same question gets the same answer each time. The higher the temperature, the more " +
      "often the model takes a word that is not the likeliest.",
  );
}

/** @throws what the first that fails throws; the others are given up, and free their slots. */
async function askAll(
  address: string,
  requests: readonly ChatRequest[],
  signal: AbortSignal,
): Promise<readonly ChatResult[]> {
  const client = new ServerClient(address);
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  try {
    return await Promise.all(requests.map((r) => client.chat(r, () => undefined, either)));
  } finally {
    failed.abort();
  }
}

/** What answering at once has brought, in a sentence. */
export function together(results: readonly ChatResult[], seconds: number): string {
  const tokens = results.reduce((all, result) => all + result.tokens_generated, 0);
  const sum = results.reduce((all, result) => all + result.time_seconds, 0);
  return (
    `${results.length} answers in ${seconds.toFixed(2)} s, ${Math.round(tokens / seconds)} tokens/s ` +
    `together. Their own times add up to ${sum.toFixed(2)} s: the model answered them in the same steps.`
  );
}

function cost({ tokens_generated, tokens_per_second, ttft_seconds }: ChatResult): string {
  const first = Math.round(ttft_seconds * 1000);
  return `${tokens_generated} tokens · ${Math.round(tokens_per_second)} tokens/s · first after ${first} ms`;
}
