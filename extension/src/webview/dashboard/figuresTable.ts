import * as l10n from "@vscode/l10n";
import type { Point } from "../../dashboard/protocol";
import { create, createTable, setText } from "../dom";
import { highest } from "./history";
import { chartKinds, written } from "./quantities";
import { testIds } from "./testids";

const headings = [
  { label: l10n.t("Figure") },
  { label: l10n.t("Now") },
  { label: l10n.t("Highest of two minutes") },
];

/** The current figures as a table, for who reads it rather than looks at charts. */
export class FiguresTable {
  readonly #rows = chartKinds.flatMap((kind) =>
    kind.lines.map(({ quantity, name }) => {
      const [now, high] = [create("td", {}, "–"), create("td", {}, "–")];
      const header = create("th", { scope: "row", title: kind.explanation }, name);
      return { kind, quantity, now, high, row: create("tr", {}, header, now, high) };
    }),
  );
  readonly element: HTMLElement;

  /** @param isOpen whether it is unfolded. @param keep told when that changes. */
  constructor(isOpen: boolean, keep: (isOpen: boolean) => void) {
    const body = create("tbody", {}, ...this.#rows.map(({ row }) => row));
    const details = create(
      "details",
      { className: "figures-table", open: isOpen },
      create("summary", {}, l10n.t("As a table")),
      createTable(testIds.figures, l10n.t("The current figures"), headings, body),
    );
    details.addEventListener("toggle", () => keep(details.open));
    this.element = details;
  }

  show(points: readonly Point[], isLive: boolean): void {
    const newest = isLive ? points.at(-1) : undefined;
    for (const { kind, quantity, now, high } of this.#rows) {
      setText(now, written(newest?.[quantity], kind));
      setText(high, written(highest(points, quantity), kind));
    }
  }
}
