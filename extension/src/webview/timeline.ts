import * as l10n from "@vscode/l10n";
import { create, setText } from "./dom";
import { duration } from "../figures";
import { testIds } from "./testids";
import { ticksUpTo } from "./timing";
import type { Span } from "./timing";

const phases = [
  ["queue", l10n.t("waiting in the queue")],
  ["prefill", l10n.t("until the first token")],
  ["decode", l10n.t("answering")],
] as const;

/** Requests that were sent together, on a common axis: a bar each, in its phases. */
export class Timeline {
  readonly #rows = create("ol", { className: "timeline-rows" });
  readonly #scale = create("div", { className: "scale", attributes: { "aria-hidden": "true" } });
  readonly #sentence = create("p", { className: "sentence", testId: testIds.timelineText });
  readonly element: HTMLElement;

  constructor() {
    this.element = create(
      "figure",
      {
        className: "timeline",
        testId: testIds.timeline,
        attributes: { "aria-label": l10n.t("Time line of the requests") },
      },
      this.#sentence,
      create("div", { className: "timeline-body" }, this.#scale, this.#rows),
      create(
        "figcaption",
        {},
        ...phases.map(([phase, meaning]) =>
          create("span", { className: `key ${phase}` }, create("i"), meaning),
        ),
      ),
    );
  }

  show(spans: readonly Span[], sentence: string): void {
    const length = Math.max(1, ...spans.map(({ ended }) => ended));
    const percent = (at: number): string => `${(100 * at) / length}%`;
    setText(this.#sentence, sentence);
    this.#rows.replaceChildren(...spans.map((span) => rowOf(span, percent)));
    this.#scale.replaceChildren(
      ...ticksUpTo(length).map(({ at, label }) => {
        const tick = create("div", { className: "tick" }, create("span", {}, label));
        tick.style.left = percent(at);
        // A label at the very end would stand outside.
        tick.classList.toggle("last", at > 0.94 * length);
        return tick;
      }),
    );
  }
}

function rowOf(span: Span, percent: (at: number) => string): HTMLLIElement {
  const track = create("div", { className: "track", attributes: { "aria-hidden": "true" } });
  const edges = [span.sent, span.started, span.firstText, span.ended];
  phases.forEach(([phase], index) => {
    const [from = 0, to = 0] = [edges[index], edges[index + 1]];
    if (to <= from) return;
    const segment = create("div", { className: `segment ${phase}` });
    segment.style.left = percent(from);
    segment.style.width = percent(to - from);
    track.append(segment);
  });
  return create(
    "li",
    { title: spokenSpan(span), attributes: { "data-status": span.status } },
    create("span", { className: "row-prompt" }, span.name),
    track,
    create("span", { className: "for-screen-readers" }, spokenSpan(span)),
    create("span", { className: "row-time" }, duration((span.ended - span.sent) / 1000)),
  );
}

function spokenSpan({ sent, firstText, ended, status }: Span): string {
  const at = (time: number): string => duration(time / 1000);
  const hasText = firstText < ended;
  if (status === "running") {
    return hasText
      ? l10n.t("Sent at {0}, first text at {1}, still running", at(sent), at(firstText))
      : l10n.t("Sent at {0}, still running", at(sent));
  }
  return hasText
    ? l10n.t("Sent at {0}, first text at {1}, ended at {2}", at(sent), at(firstText), at(ended))
    : l10n.t("Sent at {0}, ended at {1}", at(sent), at(ended));
}
