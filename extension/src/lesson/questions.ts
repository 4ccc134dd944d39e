import type { ChatRequest } from "../server/client";

/** The lesson's own questions. */
export const basic: ChatRequest = { prompt: "What is machine learning?" };

/** Sent at once, so that the learner sees the server answer them together. */
export const multiple: readonly ChatRequest[] = [
  { prompt: "Explain neural networks in simple terms" },
  { prompt: "Write a haiku about programming" },
  { prompt: "What are transformers in AI?" },
];
