import * as l10n from "@vscode/l10n";
import type { ResultRecord } from "../results/protocol";
import { columnsOf, pointsOf } from "./chartData";
import type { Point } from "./chartData";
import { create, createTable, setText } from "./dom";
import { duration, rate } from "../figures";
import type { Memory } from "./host";
import { type Look, Plot, type PlotOptions } from "./plot";
import { testIds } from "./testids";

/** Pixels. */
const chartHeight = 124;

/** Tokens per second and TTFT over the history, drawn and as a table. */
export class Chart {
  readonly #plot = new Plot(chartHeight, (look) => this.#options(look));
  readonly #readout = create("p", { className: "readout", attributes: { "aria-hidden": "true" } });
  readonly #table = create("tbody");
  readonly element: HTMLDetailsElement;
  #points: readonly Point[] = [];

  constructor(memory: Memory) {
    this.element = create(
      "details",
      {
        className: "history",
        testId: testIds.chart,
        open: memory.state.chartIsOpen ?? true,
        hidden: true,
      },
      create("summary", {}, create("h2", {}, l10n.t("Speed over the answers"))),
      create(
        "div",
        { className: "legend" },
        create("span", { className: "key solid-line" }, create("i"), l10n.t("Tokens/s")),
        create("span", { className: "key dashed-line" }, create("i"), l10n.t("TTFT")),
        this.#readout,
      ),
      this.#plot.element,
      create(
        "details",
        { className: "table" },
        create("summary", {}, l10n.t("As a table")),
        createTable(
          testIds.chartTable,
          l10n.t("Speed of the answers, newest first"),
          headings,
          this.#table,
        ),
      ),
    );
    this.element.addEventListener("toggle", () => {
      memory.keep({ chartIsOpen: this.element.open });
      this.#draw();
    });
  }

  show(records: readonly ResultRecord[]): void {
    const points = pointsOf(records);
    if (isSame(points, this.#points)) return;
    this.#points = points;
    // One answer is a point, not a history.
    this.element.hidden = points.length < 2;
    this.#table.replaceChildren(...points.map(rowOf).reverse());
    this.#draw();
  }

  #draw(): void {
    if (this.element.hidden || !this.element.open) return;
    this.#read(undefined);
    this.#plot.show(columnsOf(this.#points));
  }

  #options({ colour, font }: Look): PlotOptions {
    const axis = {
      stroke: colour("--quiet-text"),
      font,
      ticks: { show: false },
    };
    const noGrid = { show: false };
    return {
      padding: [10, 2, 0, 2],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      scales: {
        x: { time: false, range: (_plot, low, high) => [low - 0.3, high + 0.3] },
        speed: { range: (_plot, _low, high) => [0, high * 1.15 || 1] },
        ttft: { range: (_plot, _low, high) => [0, high * 1.15 || 1] },
      },
      axes: [
        { ...axis, size: 22, gap: 4, grid: noGrid, incrs: [1, 2, 5, 10, 20, 50] },
        {
          ...axis,
          scale: "speed",
          size: 38,
          gap: 4,
          space: 28,
          grid: { stroke: colour("--grid"), width: 1 },
        },
        {
          ...axis,
          scale: "ttft",
          // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- its names exist for the compiler only
          side: 1,
          size: 52,
          gap: 4,
          space: 28,
          grid: noGrid,
          values: (_plot, values) => values.map((value) => duration(value / 1000)),
        },
      ],
      series: [
        {},
        {
          scale: "speed",
          stroke: colour("--speed"),
          width: 2,
          points: { show: true, size: 6, fill: colour("--speed") },
        },
        {
          scale: "ttft",
          stroke: colour("--ttft"),
          width: 2,
          dash: [5, 4],
          points: { show: true, size: 6, fill: colour("--page") },
        },
      ],
      hooks: { setCursor: [(plot) => this.#read(plot.cursor.idx ?? undefined)] },
    };
  }

  /** The figures under the pointer; of the newest answer when it is elsewhere. */
  #read(index: number | undefined): void {
    const point = this.#points[index ?? this.#points.length - 1];
    if (!point) {
      setText(this.#readout, "");
      return;
    }
    const speed = rate(point.tokensPerSecond);
    const ttft = duration(point.ttftSeconds);
    setText(
      this.#readout,
      index === undefined
        ? l10n.t("Latest: {0} tokens/s, TTFT {1}", speed, ttft)
        : l10n.t("Answer {0}: {1} tokens/s, TTFT {2}", point.number, speed, ttft),
    );
  }
}

const headings = [
  { label: l10n.t("Answer") },
  { label: l10n.t("Question") },
  { label: l10n.t("Tokens/s") },
  { label: l10n.t("TTFT") },
];

function rowOf({ number, prompt, tokensPerSecond, ttftSeconds }: Point): HTMLTableRowElement {
  return create(
    "tr",
    {},
    create("th", { scope: "row" }, String(number)),
    create("td", {}, prompt),
    create("td", {}, rate(tokensPerSecond)),
    create("td", {}, duration(ttftSeconds)),
  );
}

function isSame(some: readonly Point[], others: readonly Point[]): boolean {
  return some.length === others.length && some.every(({ id }, index) => id === others[index]?.id);
}
