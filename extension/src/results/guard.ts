/** Run-time checks of what comes from outside: the webview's messages and the stored records. */

import { type Fields, isFields } from "../fields";
import type { ChatRequest } from "../server/api";
import { languages } from "./protocol";
import type { AnswerFigures, ResultRecord, ToHost } from "./protocol";

const nothingMore = (): boolean => true;

/** The messages that the host listens to, each with the check of its fields. */
const checks: Record<ToHost["type"], (message: Fields) => boolean> = {
  loaded: nothingMore,
  ask: ({ request }) => isChatRequest(request),
  askSeveral: nothingMore,
  repeat: ({ ids }) => Array.isArray(ids) && ids.every(isString),
  cancel: ({ id }) => isString(id),
  copy: ({ id, what }) => isString(id) && isOneOf(what, [...languages, "answer"]),
  clear: nothingMore,
  undoClear: nothingMore,
  export: nothingMore,
  startServer: nothingMore,
};

/** Whether this is one of the messages that the webview may send, with the right fields. */
export function isToHost(message: unknown): message is ToHost {
  if (!isFields(message)) return false;
  const { type } = message;
  return isString(type) && Object.hasOwn(checks, type) && checks[type as ToHost["type"]](message);
}

/** Whether this was a record when it was stored; a damaged one is not worth a crash. */
export function isResultRecord(value: unknown): value is ResultRecord {
  if (!isFields(value)) return false;
  const texts = ["id", "batch", "title", "address", "model", "device", "text"];
  return (
    texts.every((key) => isString(value[key])) &&
    isChatRequest(value["request"]) &&
    isNumber(value["sentAt"]) &&
    isOptional(value["firstTextAt"], isNumber) &&
    isOptional(value["endedAt"], isNumber) &&
    isOneOf(value["status"], ["running", "done", "failed", "cancelled"]) &&
    isOptional(value["variant"], isString) &&
    isOptional(value["result"], isFigures) &&
    isOptional(value["error"], isString)
  );
}

function isChatRequest(value: unknown): value is ChatRequest {
  if (!isFields(value)) return false;
  const { prompt, max_tokens, temperature, ...others } = value;
  return (
    isString(prompt) &&
    isOptional(max_tokens, isNumber) &&
    isOptional(temperature, isNumber) &&
    Object.keys(others).length === 0
  );
}

function isFigures(value: unknown): value is AnswerFigures {
  if (!isFields(value)) return false;
  const numbers = ["tokens_generated", "time_seconds", "tokens_per_second", "ttft_seconds"];
  return (
    isString(value["finish_reason"]) &&
    numbers.every((key) => isNumber(value[key])) &&
    isOptional(value["queue_seconds"], isNumber) &&
    isOptional(value["model"], isString)
  );
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isOptional(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || is(value);
}

function isOneOf(value: unknown, allowed: readonly string[]): boolean {
  return isString(value) && allowed.includes(value);
}
