import type { ChatResult } from "../../extension/src/server/api";
import type { ResultRecord } from "../../extension/src/results/protocol";

/** The figures of an answer of 32 tokens in 0.84 s, with what a test wants to be different. */
export function chatResult(different: Partial<ChatResult> = {}): ChatResult {
  return {
    prompt: "What is the capital of France?",
    response: "Paris.",
    tokens_generated: 32,
    time_seconds: 0.84,
    tokens_per_second: 38.1,
    finish_reason: "stop",
    ttft_seconds: 0.12,
    queue_seconds: 0,
    ...different,
  };
}

/** An answered request, with what a test wants to be different. */
export function resultRecord(different: Partial<ResultRecord> = {}): ResultRecord {
  return {
    id: "a",
    batch: "batch-of-a",
    title: "One question",
    request: { prompt: "What is the capital of France?", max_tokens: 128 },
    address: "http://127.0.0.1:8080",
    model: "demo",
    device: "CPU",
    sentAt: 1_000_000,
    firstTextAt: 1_000_120,
    endedAt: 1_000_840,
    status: "done",
    text: "Paris.",
    result: chatResult(),
    ...different,
  };
}

/** A request that is still waiting for its first token. */
export function runningRecord(different: Partial<ResultRecord> = {}): ResultRecord {
  const { id, batch, title, request, address, model, device, sentAt } = resultRecord();
  const started = { id, batch, title, request, address, model, device, sentAt };
  return { ...started, status: "running", text: "", ...different };
}
