/** Slash commands that show what the server does with several requests at once. */

import { l10n } from "vscode";
import { commands } from "../ids";
import * as questions from "../lesson/questions";
import { type ChatRequest, type ChatResult, ServerClient } from "../server/client";
import type { Cost } from "../recentRequests";
import type { ReadyState } from "../server/waiting";
import { inline } from "./inline";
import type { Talk } from "./talk";

/** Greedy, as usual, and lively. */
const temperatures = [0, 0.7, 1.2];

/** The longest answer in a comparison. Tokens. */
const comparedTokens = 128;

/** Ask the lesson's questions at once, and show what each answer cost. */
export async function test(
  { response, signal, spent }: Talk,
  { address }: ReadyState,
): Promise<void> {
  response.progress(l10n.t("Asking {0} questions at once", questions.multiple.length));
  const began = performance.now();
  const results = await askAll(address, questions.multiple, signal);
  const seconds = (performance.now() - began) / 1000;
  spent(costOf(results, seconds));
  // A list, since a table with four columns does not fit into a narrow chat.
  for (const result of results) {
    response.markdown(`- ${inline(result.prompt)}  \n  *${cost(result)}*\n`);
  }
  response.markdown(`\n${together(results, seconds)}\n`);
  response.button({
    title: l10n.t("Ask Them Again on a Time Line"),
    command: commands.testMultiple,
  });
}

/** Ask one question at several temperatures at once, and show the answers below each other. */
export async function compare(
  { response, signal, prompt, turns, spent }: Talk,
  { address }: ReadyState,
): Promise<void> {
  const before = turns.at(-1)?.asked.at(-1)?.content ?? questions.basic.prompt;
  const question = prompt.trim() === "" ? before : prompt;
  response.progress(l10n.t("Asking at {0} temperatures at once", temperatures.length));
  const requests = temperatures.map((temperature) => ({
    prompt: question,
    temperature,
    max_tokens: comparedTokens,
  }));
  const began = performance.now();
  const results = await askAll(address, requests, signal);
  spent(costOf(results, (performance.now() - began) / 1000));
  response.markdown(`**${inline(question)}**\n\n`);
  for (const [index, { response: text, tokens_generated }] of results.entries()) {
    const temperature = temperatures[index] ?? 0;
    const heading =
      temperature === 0
        ? l10n.t("Temperature 0, the likeliest words")
        : l10n.t("Temperature {0}", temperature);
    const length = l10n.t("{0} tokens", tokens_generated);
    response.markdown(`#### ${heading}\n\n${text}\n\n*${length}*\n\n`);
  }
  if (results.every(({ response: text }) => text === results[0]?.response)) {
    const same = l10n.t("All are the same: the model is sure of its words here.");
    response.markdown(`${same}\n\n`);
  }
  response.markdown(
    l10n.t(
      "At 0 the same question gets the same answer each time. The higher the temperature, the more often the model takes a word that is not the likeliest.",
    ),
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

/** What requests at once have cost together. */
function costOf(results: readonly ChatResult[], seconds: number): Cost {
  const tokens = results.reduce((all, result) => all + result.tokens_generated, 0);
  return { seconds, tokensPerSecond: tokens / Math.max(seconds, 0.001) };
}

/** What answering at once has brought, in a sentence. */
export function together(results: readonly ChatResult[], seconds: number): string {
  const tokens = results.reduce((all, result) => all + result.tokens_generated, 0);
  const sum = results.reduce((all, result) => all + result.time_seconds, 0);
  return l10n.t(
    "{0} answers in {1} s, {2} tokens/s together. Their own times add up to {3} s: the model answered them in the same steps.",
    results.length,
    seconds.toFixed(2),
    Math.round(tokens / seconds),
    sum.toFixed(2),
  );
}

function cost({ tokens_generated, tokens_per_second, ttft_seconds }: ChatResult): string {
  return [
    l10n.t("{0} tokens", tokens_generated),
    l10n.t("{0} tokens/s", Math.round(tokens_per_second)),
    l10n.t("first after {0} ms", Math.round(ttft_seconds * 1000)),
  ].join(" · ");
}
