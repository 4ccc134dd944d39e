import { l10n } from "vscode";
import { emptyHistogram, type Histogram } from "./histogram";
import { authorization, ServerRefusedError, UnreachableError } from "./http";
import { type Sample, samplesOf } from "./prometheus";

/**
 * What the server has counted, from `GET /metrics`.
 *
 * Before a model is loaded, all that belongs to it is 0 or empty. Times are seconds.
 */
export interface Metrics {
  /** As `/health` names it: "ready", "loading", "draining". */
  readonly state: string;
  /** Undefined before a model is loaded. */
  readonly model: string | undefined;
  /** When the process was started, in milliseconds since the epoch; undefined where it is not told. */
  readonly startedAt: number | undefined;
  /** The process's memory in bytes; undefined where it is not told. */
  readonly residentBytes: number | undefined;

  /** Requests in a slot, and how many slots there are. */
  readonly running: number;
  readonly slots: number;
  /** Requests that wait for a slot. */
  readonly waiting: number;
  /** From 0 to 1. */
  readonly kvCacheUse: number;
  /** How long the running step has been going on. */
  readonly stepSeconds: number;

  /** Counters: they only grow while the server lives. */
  readonly promptTokens: number;
  readonly generationTokens: number;
  /** Tokens that were looked up in the prefix cache, and those that it held. */
  readonly prefixQueries: number;
  readonly prefixHits: number;
  readonly failedSteps: number;
  /** Requests that ended, by reason: "stop", "length", "cancelled". */
  readonly finished: Readonly<Record<string, number>>;
  /** Requests that were not admitted, by reason: "queue_full", "prompt_too_long". */
  readonly refused: Readonly<Record<string, number>>;

  readonly timeToFirstToken: Histogram;
  readonly interTokenLatency: Histogram;
  readonly requestTime: Histogram;
  readonly queueTime: Histogram;
}

const prefix = "ttdirect:";
const patienceSeconds = 2;

/**
 * The metrics of the server at an address.
 *
 * @param address as `http://127.0.0.1:8080`, without a slash at the end.
 * @param signal gives up; without one, only silence does.
 * @throws ServerRefusedError when it answers with an error, for example because it wants its key.
 * @throws UnreachableError when nobody answers.
 * @throws SyntaxError when what answers is not this server.
 */
export async function fetchMetrics(address: string, signal?: AbortSignal): Promise<Metrics> {
  const patience = AbortSignal.timeout(patienceSeconds * 1000);
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(`${address}/metrics`, {
      headers: { Accept: "text/plain", ...authorization() },
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      redirect: "manual",
    });
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new UnreachableError(l10n.t("Nobody answers at {0}.", address));
  }
  if (!answer.ok) {
    throw new ServerRefusedError(
      answer.status === 401
        ? l10n.t(
            'The server shows its figures only with its key: use the command "Tenstorrent: Enter the Server\'s Key".',
          )
        : l10n.t("The server answered {0} {1}.", answer.status, answer.statusText),
      answer.status,
    );
  }
  return readMetrics(text);
}

/** @throws SyntaxError when the text is not this server's. */
export function readMetrics(text: string): Metrics {
  const samples = samplesOf(text);
  const state = samples.find(({ name, value }) => name === `${prefix}state` && value === 1);
  if (!state) {
    throw new SyntaxError(l10n.t("These are the metrics of another program."));
  }

  const all = (name: string): readonly Sample[] => samples.filter((s) => s.name === prefix + name);
  const one = (name: string): number => all(name)[0]?.value ?? 0;
  const plain = (name: string): number | undefined => samples.find((s) => s.name === name)?.value;
  const by = (name: string, label: string): Readonly<Record<string, number>> =>
    Object.fromEntries(all(name).map(({ labels, value }) => [labels[label] ?? "", value]));
  const histogram = (name: string): Histogram => {
    const buckets = all(`${name}_bucket`).map(({ labels, value }) => ({
      bound: labels["le"] === "+Inf" ? Infinity : Number(labels["le"]),
      count: value,
    }));
    if (buckets.length === 0) return emptyHistogram;
    return { buckets, sum: one(`${name}_sum`), count: one(`${name}_count`) };
  };

  const started = plain("process_start_time_seconds");
  const settings = all("cache_config_info")[0]?.labels;
  return {
    state: state.labels["state"] ?? "",
    model: settings?.["model_name"],
    startedAt: started === undefined ? undefined : started * 1000,
    residentBytes: plain("process_resident_memory_bytes"),
    running: one("num_requests_running"),
    slots: Number(settings?.["max_num_seqs"] ?? 0),
    waiting: one("num_requests_waiting"),
    kvCacheUse: one("kv_cache_usage_perc"),
    stepSeconds: one("step_seconds"),
    promptTokens: one("prompt_tokens_total"),
    generationTokens: one("generation_tokens_total"),
    prefixQueries: one("prefix_cache_queries_total"),
    prefixHits: one("prefix_cache_hits_total"),
    failedSteps: one("failed_steps_total"),
    finished: by("request_success_total", "finished_reason"),
    refused: by("admission_rejections_total", "reason"),
    timeToFirstToken: histogram("time_to_first_token_seconds"),
    interTokenLatency: histogram("inter_token_latency_seconds"),
    requestTime: histogram("e2e_request_latency_seconds"),
    queueTime: histogram("request_queue_time_seconds"),
  };
}
