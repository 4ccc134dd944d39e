import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CancellationError } from "./vscode";

/** The notification of the download: what it showed, and its button. */
const shown = vi.hoisted(() => ({
  reports: [] as { message?: string; increment?: number }[],
  cancel: (): unknown => undefined,
}));

vi.mock("vscode", async () => ({
  ...(await import("./vscode")),
  ProgressLocation: { Notification: 15 },
  Uri: { parse: (text: string) => text },
  window: {
    withProgress: (
      options: { cancellable: boolean },
      task: (progress: object, token: object) => Promise<void>,
    ) => {
      expect(options.cancellable).toBe(true);
      const onCancellationRequested = (listener: () => unknown): void => {
        shown.cancel = listener;
      };
      const report = (what: { message?: string; increment?: number }): void => {
        shown.reports.push(what);
      };
      return task({ report }, { onCancellationRequested });
    },
  },
}));

const { downloadModel, parseEvent } = await import("../../extension/src/environment/modelDownload");
const { Problem } = await import("../../extension/src/problem");

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "download-"));
  shown.reports = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A program that takes the place of the Python with ttdirect. */
function python(script: string): string {
  const file = path.join(folder, "python");
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
  return file;
}

const download = (script: string, token?: string): Promise<void> =>
  downloadModel({ python: python(script), model: "acme/tiny", token });

const told = (event: object): string => `echo '${JSON.stringify(event)}'`;

test("progress is shown in bytes and percent", async () => {
  await download(
    [
      told({ event: "progress", done_bytes: 500e6, total_bytes: 2e9 }),
      "echo 'something else'",
      told({ event: "progress", done_bytes: 2e9, total_bytes: 2e9 }),
      told({ event: "done", folder: "/models" }),
    ].join("\n"),
  );
  expect(shown.reports.slice(1)).toEqual([
    { message: "500 MB of 2.0 GB", increment: 25 },
    { message: "2.0 GB of 2.0 GB", increment: 75 },
  ]);
});

test("the token goes into the environment, not onto the command line", async () => {
  await download(`echo "$@" > ${folder}/words; echo "$HF_TOKEN" > ${folder}/token`, "hf_secret");
  expect(readFileSync(`${folder}/words`, "utf8").trim()).toBe(
    "-m ttdirect download acme/tiny --json-progress",
  );
  expect(readFileSync(`${folder}/token`, "utf8").trim()).toBe("hf_secret");
});

test("what goes wrong is told with buttons", async () => {
  const error = { event: "error", code: "gated-model", what: "It is gated.", fix: "Accept it." };
  const gated = await download(`${told(error)}; exit 1`).catch((it: unknown) => it);
  expect(gated).toBeInstanceOf(Problem);
  expect(gated).toMatchObject({
    what: "It is gated.",
    remedies: [
      { title: "Open Its Page", arguments: ["https://huggingface.co/acme/tiny"] },
      { title: "Enter a Token", arguments: ["acme/tiny", true] },
    ],
  });
  const full = { ...error, code: "disk-full", what: "The disk has no room." };
  await expect(download(`${told(full)}; exit 1`)).rejects.toMatchObject({
    message: "The disk has no room. Accept it.",
    remedies: [{ title: "Try Again", arguments: ["acme/tiny"] }, { title: "Choose Another Model" }],
  });
});

test("a program that dies without a word is told", async () => {
  await expect(download("echo 'MemoryError' >&2; exit 1")).rejects.toThrow(
    "The download of acme/tiny broke off: MemoryError",
  );
});

test("a click on Cancel ends the program with SIGTERM", async () => {
  const running = download(
    `trap 'echo ended > ${folder}/end; exit 130' TERM\n` +
      `${told({ event: "progress", done_bytes: 1, total_bytes: 2 })}\n` +
      "while true; do read -t 0.01 nothing 2>/dev/null || sleep 0.01; done",
  );
  await expect.poll(() => shown.reports.length).toBe(2);
  shown.cancel();
  await expect(running).rejects.toBeInstanceOf(CancellationError);
  expect(readFileSync(`${folder}/end`, "utf8").trim()).toBe("ended");
});

test("only events are events", () => {
  expect(parseEvent("warning")).toBeUndefined();
  expect(parseEvent("12")).toBeUndefined();
  expect(parseEvent('{"event":"done","folder":"/x"}')).toMatchObject({ folder: "/x" });
});
