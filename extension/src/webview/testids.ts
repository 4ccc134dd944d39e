/**
 * The `data-testid` of everything that tests of the results view look for.
 *
 * A card also carries its record's `status` in `data-status`, the server line the server's state
 * in `data-state`.
 */
export const testIds = {
  /** The server's state in words, and the button that starts it when it does not run. */
  serverState: "server-state",
  startServer: "start-server",
  /** The prompt box. */
  prompt: "prompt",
  maxTokens: "max-tokens",
  temperature: "temperature",
  ask: "ask",
  /** Above the cards. */
  clear: "clear",
  undo: "undo",
  export: "export",
  empty: "empty",
  askSeveral: "ask-several",
  /** The requests that were sent together: heading, time line, cards. */
  batch: "batch",
  timeline: "timeline",
  timelineText: "timeline-text",
  cancelAll: "cancel-all",
  repeatAll: "repeat-all",
  /** One request. */
  card: "card",
  cardPrompt: "card-prompt",
  status: "status",
  answer: "answer",
  error: "error",
  figures: "figures",
  copyAnswer: "copy-answer",
  copyCurl: "copy-curl",
  copyPython: "copy-python",
  copyJavascript: "copy-javascript",
  repeat: "repeat",
  cancel: "cancel",
  /** The history of tokens/s and TTFT. */
  chart: "chart",
  chartTable: "chart-table",
} as const;
