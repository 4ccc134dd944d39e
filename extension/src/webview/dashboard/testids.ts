/** The `data-testid` of what tests of the dashboard look for; `shared` parts have their own. */
export const testIds = {
  /** What stands there while there are no figures yet, and its button. */
  empty: "empty",
  start: "start",
  /** Why the figures cannot be read. */
  trouble: "trouble",
  charts: "charts",
  /** One chart; its legend holds the current values. */
  chart: "chart",
  figures: "figures",
  /** The load test. */
  loadTest: "load-test",
  runLoadTest: "run-load-test",
  cancelLoadTest: "cancel-load-test",
  loadProgress: "load-progress",
  loadSentence: "load-sentence",
  loadError: "load-error",
  loadTable: "load-table",
} as const;
