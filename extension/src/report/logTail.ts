import { open } from "node:fs/promises";

/** So much of a log is read that its last lines are in it. */
const bytesToRead = 64 * 1024;
const lines = 200;

/** The last lines of a log; a sentence when there is no such file. */
export async function logTail(file: string): Promise<string> {
  try {
    const log = await open(file);
    try {
      const { size } = await log.stat();
      const start = Math.max(0, size - bytesToRead);
      const { buffer, bytesRead } = await log.read(
        Buffer.alloc(bytesToRead),
        0,
        bytesToRead,
        start,
      );
      const text = buffer.subarray(0, bytesRead).toString("utf8");
      // The first line is cut where the reading began in its middle: half a secret is no match.
      const whole = start === 0 ? text : text.slice(text.indexOf("\n") + 1);
      return whole.trimEnd().split("\n").slice(-lines).join("\n") || "The log is empty.";
    } finally {
      await log.close();
    }
  } catch {
    return "There is no log yet.";
  }
}
