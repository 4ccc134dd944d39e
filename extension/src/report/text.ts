import { l10n } from "vscode";
import { fenced } from "../fenced";
import type { ServerState } from "../server/state";
import { addressOf } from "../server/state";

/** What a report tells. Texts may hold secrets: the whole is masked at the end. */
export interface ReportFacts {
  /** Rows of name and value: versions of the editor, the extension and the Python. */
  readonly versions: readonly (readonly [string, string])[];
  readonly state: ServerState;
  /** Failures that servers left behind, the last one first. */
  readonly failures: readonly string[];
  /** The settings that are not at their defaults, as JSON. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** What `ttdirect doctor --report` printed, or why it could not run. */
  readonly doctor: string;
  /** The last lines of the extension's log. */
  readonly log: string;
}

/**
 * The report as Markdown, for its reader to complete, check and send.
 *
 * What it says to the one who sends it is in the editor's language; the rest is in English, for
 * those who help.
 */
export function reportText(facts: ReportFacts): string {
  const sections: readonly (readonly [string, string])[] = [
    ["What happened", l10n.t("(What did you do, what did you expect, what came instead?)")],
    ["Versions", facts.versions.map(([name, value]) => `- ${name}: ${value}`).join("\n")],
    ["Server", [stateLine(facts.state), ...facts.failures].map((it) => `- ${it}`).join("\n")],
    ["Settings", fenced(JSON.stringify(facts.settings, null, 2), "json")],
    ["What ttdirect doctor says", fenced(facts.doctor.trimEnd(), "text")],
    ["The end of the extension's log", fenced(facts.log.trimEnd(), "text")],
  ];
  const intro = l10n.t(
    "Keys, tokens and the name of your home folder are masked. Read the rest before you send it: prompts and answers are not in it, names of folders and models are.",
  );
  const body = sections.map(([title, text]) => `## ${title}\n\n${text}`);
  return `${["# TT Direct API: a problem", intro, ...body].join("\n\n")}\n`;
}

function stateLine(state: ServerState): string {
  const address = addressOf(state);
  const where = address === undefined ? "" : ` at ${address}`;
  if (state.kind === "failed") return `failed: ${state.failure.code}, ${state.failure.what}`;
  if (state.kind !== "ready") return `${state.kind}${where}`;
  const { model, device } = state.health;
  return `ready${where}, model ${model ?? "unknown"}, device ${device ?? "unknown"}`;
}
