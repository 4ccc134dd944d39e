/** Run-time checks of what comes from outside: the page's messages and the stored load test. */

import { isFields } from "../fields";
import type { LoadCase, LoadTest, ToHost } from "./protocol";

const plain = ["loaded", "startServer", "runLoadTest", "cancelLoadTest"];

/** Whether this is one of the messages that the page may send. */
export function isToHost(message: unknown): message is ToHost {
  if (!isFields(message) || typeof message["type"] !== "string") return false;
  if (message["type"] === "seen") return typeof message["isSeen"] === "boolean";
  return plain.includes(message["type"]);
}

/** The load test of an earlier window. One that ran when it closed was cancelled by that. */
export function restoredTest(stored: unknown): LoadTest | undefined {
  if (!isLoadTest(stored)) return undefined;
  return stored.status === "running" ? { ...stored, status: "cancelled" } : stored;
}

function isLoadTest(value: unknown): value is LoadTest {
  return (
    isFields(value) &&
    ["running", "done", "cancelled", "failed"].includes(String(value["status"])) &&
    typeof value["model"] === "string" &&
    typeof value["device"] === "string" &&
    isNumber(value["startedAt"]) &&
    Array.isArray(value["cases"]) &&
    value["cases"].every(isLoadCase) &&
    (value["error"] === undefined || typeof value["error"] === "string")
  );
}

function isLoadCase(value: unknown): value is LoadCase {
  return (
    isFields(value) &&
    ["users", "tokensPerSecond", "answers", "failures"].every((key) => isNumber(value[key])) &&
    ["perUser", "ttft", "itl"].every((key) => value[key] === undefined || isNumber(value[key]))
  );
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
