import * as l10n from "@vscode/l10n";
import { type LoadCase, userCounts } from "../../dashboard/protocol";
import { create } from "../dom";
import { type Look, Plot, type PlotOptions } from "../plot";

/** Pixels. */
const height = 180;

/** Tokens/s against the number of users, who stand at equal distances though each is double. */
export class LoadChart {
  readonly #plot = new Plot(height, optionsOf);
  readonly element: HTMLElement;

  constructor() {
    // The table beside it says the same in words.
    this.element = create(
      "div",
      { className: "load-chart", attributes: { "aria-hidden": "true" } },
      create(
        "div",
        { className: "legend" },
        create(
          "span",
          { className: "key solid-line" },
          create("i"),
          l10n.t("Tokens/s of all users"),
        ),
        create("span", { className: "key dashed-line" }, create("i"), l10n.t("Tokens/s of each")),
      ),
      this.#plot.element,
    );
  }

  show(cases: readonly LoadCase[]): void {
    const at = (index: number): LoadCase | undefined => cases[index];
    this.#plot.show([
      userCounts.map((_, index) => index),
      userCounts.map((_, index) => at(index)?.tokensPerSecond ?? null),
      userCounts.map((_, index) => at(index)?.perUser ?? null),
    ]);
  }
}

function optionsOf({ colour, font }: Look): PlotOptions {
  const axis = { stroke: colour("--quiet-text"), font, ticks: { show: false }, gap: 4 };
  const line = (name: string, more: object): object => ({
    stroke: colour(name),
    width: 2,
    points: { show: true, size: 7, fill: colour(name) },
    ...more,
  });
  return {
    padding: [10, 8, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: () => [-0.25, userCounts.length - 0.75] },
      y: { range: (_plot, _low, high) => [0, high * 1.15 || 1] },
    },
    axes: [
      {
        ...axis,
        size: 20,
        label: l10n.t("users at once"),
        labelSize: 16,
        labelFont: font,
        grid: { show: false },
        splits: () => userCounts.map((_, index) => index),
        values: () => userCounts.map(String),
      },
      {
        ...axis,
        size: 46,
        space: 30,
        grid: { stroke: colour("--grid"), width: 1 },
      },
    ],
    series: [{}, line("--speed", {}), line("--ttft", { dash: [5, 4] })],
  };
}
