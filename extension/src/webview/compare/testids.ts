/**
 * The `data-testid` of what tests of the page that compares look for; cards and batches have those
 * of the results view.
 */
export const testIds = {
  prompt: "prompt",
  maxTokens: "max-tokens",
  temperatures: "temperatures",
  other: "other-server",
  model: "other-model",
  key: "other-key",
  compare: "compare",
  empty: "empty",
} as const;
