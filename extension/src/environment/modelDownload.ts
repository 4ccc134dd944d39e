import * as vscode from "vscode";
import { commands } from "../ids";
import { Problem, type Remedy } from "../problem";
import { bytes } from "../status/words";
import { runBackend } from "./backend";
import { lastLine } from "./probe";

/** What to download, and with what. */
export interface Download {
  /** The interpreter that has ttdirect. */
  readonly python: string;
  /** As owner/name. */
  readonly model: string;
  /** The Hugging Face token, if there is one. */
  readonly token: string | undefined;
}

/** A line of `ttdirect download --json-progress`. */
export type DownloadEvent =
  | { readonly event: "progress"; readonly done_bytes: number; readonly total_bytes: number }
  | { readonly event: "done"; readonly folder: string }
  | { readonly event: "error"; readonly code: string; readonly what: string; readonly fix: string };

/**
 * Download a model, showing how far it is. What has come is kept, however it ends.
 *
 * @throws Problem when it cannot be had.
 * @throws vscode.CancellationError when the user ends it.
 */
export async function downloadModel(download: Download): Promise<void> {
  await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t("Downloading {0}", download.model),
      cancellable: true,
    },
    async (progress, cancellation) => {
      progress.report({ message: vscode.l10n.t("asking the hub…") });
      const meter = new Meter((message, increment) => progress.report({ message, increment }));
      const aborting = new AbortController();
      cancellation.onCancellationRequested(() => aborting.abort());
      await follow(download, meter, aborting.signal);
    },
  );
}

async function follow(download: Download, meter: Meter, signal: AbortSignal): Promise<void> {
  const { python, model, token } = download;
  let last: DownloadEvent | undefined;
  const answer = await runBackend({
    python,
    words: ["download", model, "--json-progress"],
    variables: token === undefined ? {} : { HF_TOKEN: token },
    signal,
    onLine: (line) => {
      const event = parseEvent(line);
      if (event?.event === "progress") meter.show(event.done_bytes, event.total_bytes);
      last = event ?? last;
    },
  });
  if (signal.aborted) throw new vscode.CancellationError();
  if (answer.code === 0) return;
  if (last?.event === "error") throw problemOf(model, last);
  throw new Problem(
    vscode.l10n.t("The download of {0} broke off: {1}", model, lastLine(answer.stderr)),
    vscode.l10n.t("What has come is kept: try again."),
    [tryAgain(model)],
  );
}

/** The event that a line tells; undefined for a line of something else. */
export function parseEvent(line: string): DownloadEvent | undefined {
  try {
    const found: unknown = JSON.parse(line);
    const isEvent = typeof found === "object" && found !== null && "event" in found;
    return isEvent ? (found as DownloadEvent) : undefined;
  } catch {
    return undefined;
  }
}

/** Turns bytes into what a progress bar wants: a text, and the percent since the last time. */
export class Meter {
  #percent = 0;

  constructor(readonly report: (message: string, increment: number) => void) {}

  show(done: number, total: number): void {
    if (total === 0) return;
    const percent = (100 * done) / total;
    const message = vscode.l10n.t("{0} of {1}", bytes(done), bytes(total));
    this.report(message, percent - this.#percent);
    this.#percent = percent;
  }
}

function tryAgain(model: string): Remedy {
  return {
    title: vscode.l10n.t("Try Again"),
    command: commands.chooseModel,
    arguments: [model],
  };
}

function problemOf(
  model: string,
  { code, what, fix }: Extract<DownloadEvent, { event: "error" }>,
): Problem {
  const another: Remedy = {
    title: vscode.l10n.t("Choose Another Model"),
    command: commands.chooseModel,
  };
  const page: Remedy = {
    title: vscode.l10n.t("Open Its Page"),
    command: "vscode.open",
    arguments: [vscode.Uri.parse(`https://huggingface.co/${model}`)],
  };
  const token: Remedy = {
    title: vscode.l10n.t("Enter a Token"),
    command: commands.chooseModel,
    arguments: [model, true],
  };
  if (code === "gated-model") {
    const accept = vscode.l10n.t("Accept its licence on its page, then enter your token.");
    return new Problem(what, accept, [page, token]);
  }
  return new Problem(what, fix, [tryAgain(model), another]);
}
