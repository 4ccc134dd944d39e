import uPlot from "uplot";
import type { ResultRecord } from "../results/protocol";
import { columnsOf, pointsOf } from "./chartData";
import type { Point } from "./chartData";
import { create, createTable, setText } from "./dom";
import { duration, rate } from "./figures";
import type { Memory } from "./host";
import { testIds } from "./testids";

/** Pixels. */
const chartHeight = 124;

/** Tokens per second and TTFT over the history, drawn and as a table. */
export class Chart {
  readonly #canvas = create("div", { className: "chart-canvas" });
  readonly #readout = create("p", { className: "readout", attributes: { "aria-hidden": "true" } });
  readonly #table = create("tbody");
  readonly element: HTMLDetailsElement;
  #plot: uPlot | undefined;
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
      create("summary", {}, create("h2", {}, "Speed over the answers")),
      create(
        "div",
        { className: "legend" },
        create("span", { className: "key speed" }, create("i"), "Tokens/s"),
        create("span", { className: "key ttft" }, create("i"), "TTFT"),
        this.#readout,
      ),
      this.#canvas,
      create(
        "details",
        { className: "table" },
        create("summary", {}, "As a table"),
        createTable(
          testIds.chartTable,
          "Speed of the answers, newest first",
          headings,
          this.#table,
        ),
      ),
    );
    this.element.addEventListener("toggle", () => {
      memory.keep({ chartIsOpen: this.element.open });
      this.#draw();
    });
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    // A change of theme arrives as new classes and variables on the document.
    const themes = new MutationObserver(() => this.#redraw());
    themes.observe(document.documentElement, { attributeFilter: ["style"] });
    themes.observe(document.body, { attributeFilter: ["class"] });
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
    if (this.element.hidden || !this.element.open || this.#canvas.clientWidth === 0) return;
    const data = columnsOf(this.#points);
    this.#read(undefined);
    if (this.#plot) this.#plot.setData(data);
    else this.#plot = new uPlot(this.#options(), data, this.#canvas);
  }

  /** The canvas holds colours, not variables: it has to be made anew. */
  #redraw(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#draw();
  }

  #resize(): void {
    const width = this.#canvas.clientWidth;
    if (!this.#plot) this.#draw();
    else if (width > 0) this.#plot.setSize({ width, height: chartHeight });
  }

  #options(): uPlot.Options {
    const style = getComputedStyle(this.element);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--quiet-text"),
      font: `11px ${style.fontFamily}`,
      ticks: { show: false },
    };
    const noGrid = { show: false };
    return {
      width: this.#canvas.clientWidth,
      height: chartHeight,
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
    const name = index === undefined ? "Latest" : `Answer ${point?.number ?? ""}`;
    setText(
      this.#readout,
      point
        ? `${name}: ${rate(point.tokensPerSecond)} tokens/s, TTFT ${duration(point.ttftSeconds)}`
        : "",
    );
  }
}

const headings = ["Answer", "Question", "Tokens/s", "TTFT"].map((label) => ({ label }));

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
