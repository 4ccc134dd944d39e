/** How figures are written, in pages and in the views of the editor alike. */

/** "84 ms", "1.24 s", "12.4 s", "124 s". */
export function duration(seconds: number): string {
  const milliseconds = Math.round(seconds * 1000);
  if (milliseconds < 1000) return `${milliseconds} ms`;
  return `${seconds.toFixed(seconds < 9.995 ? 2 : seconds < 99.95 ? 1 : 0)} s`;
}

/** Tokens per second, with one decimal where it matters. */
export function rate(tokensPerSecond: number): string {
  return tokensPerSecond.toFixed(tokensPerSecond < 99.95 ? 1 : 0);
}

/** The time of day, and the date too when it was not today. */
export function timeOfDay(milliseconds: number, now = new Date()): string {
  const when = new Date(milliseconds);
  const time = when.toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  return when.toDateString() === now.toDateString() ? time : `${when.toLocaleDateString()} ${time}`;
}
