/** What the times of requests say: the spans of a time line, its axis, and its one sentence. */

import * as l10n from "@vscode/l10n";
import type { ResultRecord } from "../results/protocol";
import { duration } from "../figures";

/** One request on the time line, in milliseconds since the batch began. */
export interface Span {
  readonly id: string;
  /** What stands before it. */
  readonly name: string;
  readonly status: ResultRecord["status"];
  readonly sent: number;
  /** When the server began with it: after this it no longer waited in the queue. */
  readonly started: number;
  /** When the first text came; the end if none came. */
  readonly firstText: number;
  readonly ended: number;
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

/**
 * The spans of the requests that were sent together.
 *
 * @param now the host's time, where what still runs ends for the moment.
 */
export function spansOf(records: readonly ResultRecord[], now: number): readonly Span[] {
  const zero = Math.min(...records.map(({ sentAt }) => sentAt));
  return records.map((record) => {
    const sent = record.sentAt - zero;
    const ended = Math.max(sent, (record.endedAt ?? now) - zero);
    const firstText = Math.min(ended, (record.firstTextAt ?? Infinity) - zero);
    const queued = (record.result?.queue_seconds ?? 0) * 1000;
    const started = Math.min(firstText, sent + queued);
    const { id, status, request, variant } = record;
    return { id, name: variant ?? request.prompt, status, sent, started, firstText, ended };
  });
}

/** Round times from 0 to the end of the axis, at most six of them. */
export function ticksUpTo(milliseconds: number): readonly Tick[] {
  const step = roundStep(milliseconds / 5);
  const inSeconds = step >= 1000 || milliseconds >= 1000;
  const decimals = step >= 1000 ? 0 : step >= 100 ? 1 : 2;
  const ticks: Tick[] = [];
  for (let at = 0; at <= milliseconds; at += step) {
    const label = inSeconds ? `${(at / 1000).toFixed(decimals)} s` : `${at} ms`;
    ticks.push({ at, label: at === 0 ? "0" : label });
  }
  return ticks;
}

/** The next of 1, 2, 5, 10, 20, 50 and so on. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  const factor = [1, 2, 5].find((candidate) => candidate * power >= least) ?? 10;
  return factor * power;
}

/**
 * What a learner should see in the time line, in words.
 *
 * @param batch the requests that were sent together.
 * @param history all requests; those that ran alone tell how fast one request is by itself.
 */
export function batchSentence(
  batch: readonly ResultRecord[],
  history: readonly ResultRecord[],
): string {
  const running = batch.filter(({ status }) => status === "running").length;
  if (running > 0) return l10n.t("{0} of {1} requests still running.", running, batch.length);
  const done = batch.filter(({ status }) => status === "done");
  if (done.length === 0) return l10n.t("None of the requests was answered.");
  const wall = wallSeconds(done);
  const came = answersCame(done.length, batch.length, duration(wall));
  const servers = new Set(done.map(({ address }) => address));
  return done.length === 1 || servers.size > 1 ? came : `${came} ${gain(done, history, wall)}`;
}

function answersCame(done: number, all: number, time: string): string {
  if (done < all) return l10n.t("{0} of {1} answers in {2}.", done, all, time);
  return done === 1 ? l10n.t("1 answer in {0}.", time) : l10n.t("{0} answers in {1}.", done, time);
}

/** What answering together has brought. @param wall seconds for all of them. */
function gain(
  done: readonly ResultRecord[],
  history: readonly ResultRecord[],
  wall: number,
): string {
  const alone = secondsOneByOne(done, history);
  if (alone !== undefined) {
    return alone > wall * 1.05
      ? l10n.t(
          "One after another they would have taken about {0}, at the speed of a request by itself.",
          duration(alone),
        )
      : l10n.t(
          "One after another they would have been as fast, at the speed of a request by itself.",
        );
  }
  const sum = done.reduce((seconds, record) => seconds + servedSeconds(record), 0);
  return sum > wall * 1.05
    ? l10n.t("Their times add up to {0}, so they ran at the same time.", duration(sum))
    : l10n.t("They ran one after another.");
}

/** The same once none of the batch runs any more; undefined before. */
export function endedBatchSentence(
  batch: readonly ResultRecord[],
  history: readonly ResultRecord[],
): string | undefined {
  const stillRuns = batch.some(({ status }) => status === "running");
  return stillRuns ? undefined : batchSentence(batch, history);
}

/** From the first request that was sent to the last answer that ended. */
function wallSeconds(records: readonly ResultRecord[]): number {
  const start = Math.min(...records.map(({ sentAt }) => sentAt));
  const end = Math.max(...records.map(({ endedAt = start }) => endedAt));
  return (end - start) / 1000;
}

/** How long the server worked on a request, without the wait in its queue. */
function servedSeconds({ result }: ResultRecord): number {
  return result ? result.time_seconds - (result.queue_seconds ?? 0) : 0;
}

/**
 * How long the requests would take one by one, from requests that did run alone.
 *
 * Undefined where the history holds none: among others each request is slower than by itself, so
 * adding up the times of a batch would claim too much.
 */
function secondsOneByOne(
  batch: readonly ResultRecord[],
  history: readonly ResultRecord[],
): number | undefined {
  const examples = history.filter(
    (record) =>
      record.status === "done" &&
      (record.result?.tokens_generated ?? 0) > 1 &&
      record.model === batch[0]?.model &&
      record.device === batch[0].device &&
      !history.some((other) => other !== record && overlap(record, other)),
  );
  const speeds = examples.flatMap(({ result }) => (result ? [speedOf(result)] : []));
  const firstToken = median(speeds.map((speed) => speed.firstToken));
  const perToken = median(speeds.map((speed) => speed.perToken));
  if (firstToken === undefined || perToken === undefined) return undefined;
  return batch.reduce((seconds, { result }) => {
    const more = Math.max(0, (result?.tokens_generated ?? 0) - 1);
    return seconds + firstToken + more * perToken;
  }, 0);
}

/** Seconds to the first token, and from each token to the next. */
function speedOf(result: NonNullable<ResultRecord["result"]>): {
  readonly firstToken: number;
  readonly perToken: number;
} {
  return {
    firstToken: result.ttft_seconds - (result.queue_seconds ?? 0),
    perToken: (result.time_seconds - result.ttft_seconds) / (result.tokens_generated - 1),
  };
}

function overlap(a: ResultRecord, b: ResultRecord): boolean {
  return a.sentAt < (b.endedAt ?? Infinity) && b.sentAt < (a.endedAt ?? Infinity);
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.ceil(sorted.length / 2) - 1];
  return middle === undefined || lower === undefined ? undefined : (lower + middle) / 2;
}
