import * as l10n from "@vscode/l10n";
import type { Point } from "../../dashboard/protocol";
import { create, setText } from "../dom";
import { type Look, Plot, type PlotOptions } from "../plot";
import { columnsOf, timeSpan } from "./history";
import { type ChartKind, written } from "./quantities";
import { testIds } from "./testids";

/** Pixels. */
const height = 118;
/** Seconds between two words at the axis of time. */
const timeStep = 30;

/** A chart of the last minutes; its legend tells the newest values, or those under the pointer. */
export class LiveChart {
  readonly #kind: ChartKind;
  readonly #plot = new Plot(height, (look) => this.#options(look));
  readonly #values: readonly HTMLElement[];
  readonly element: HTMLElement;
  #points: readonly Point[] = [];
  /** Seconds since the epoch, at the right end of the axis. */
  #now = 0;
  /** The figures as they are now; undefined when nobody knows them. */
  #newest: Point | undefined;
  /** The time under the pointer, in seconds. */
  #pointed: number | undefined;

  constructor(kind: ChartKind) {
    this.#kind = kind;
    this.#values = kind.lines.map(() => create("b", {}, "–"));
    const keys = kind.lines.map(({ label }, index) =>
      create(
        "span",
        { className: `key ${index === 0 ? "solid-line" : "dashed-line"}` },
        create("i"),
        `${label} `,
        this.#values[index] ?? "",
      ),
    );
    const heading = create("h2", { title: kind.explanation }, kind.title);
    this.element = create(
      "figure",
      { className: "live-chart", testId: testIds.chart, attributes: { "aria-label": kind.title } },
      heading,
      create("div", { className: "legend" }, ...keys),
      this.#plot.element,
    );
  }

  /** @param points oldest first. @param isLive whether the newest is about now. */
  show(points: readonly Point[], isLive: boolean): void {
    this.#points = points;
    this.#now = (points.at(-1)?.at ?? 0) / 1000;
    this.#plot.show(
      columnsOf(
        points,
        this.#kind.lines.map(({ quantity }) => quantity),
      ),
    );
    this.#newest = isLive ? points.at(-1) : undefined;
    this.#tell();
  }

  /** The values under the pointer; those of now when it is elsewhere. */
  #tell(): void {
    const point = this.#pointed === undefined ? this.#newest : this.#at(this.#pointed);
    this.#kind.lines.forEach(({ quantity }, index) => {
      const value = this.#values[index];
      if (value) setText(value, written(point?.[quantity], this.#kind));
    });
  }

  #at(seconds: number): Point | undefined {
    return this.#points.find(({ at }) => Math.abs(at / 1000 - seconds) < 0.0005);
  }

  #options({ colour, font }: Look): PlotOptions {
    const { atLeast, atMost, mark, lines } = this.#kind;
    const axis = { stroke: colour("--quiet-text"), font, ticks: { show: false }, gap: 4 };
    const grid = { stroke: colour("--grid"), width: 1 };
    return {
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        points: { size: 6 },
        // Pointing at one chart shows the values of that moment in all.
        sync: { key: "dashboard" },
      },
      scales: {
        x: { time: false, range: () => [this.#now - timeSpan / 1000, this.#now] },
        y: {
          range: (_plot, _low, high) => [
            0,
            Math.min(atMost ?? Infinity, Math.max(atLeast, high * 1.15)),
          ],
        },
      },
      axes: [
        {
          ...axis,
          size: 20,
          grid: { show: false },
          splits: () => {
            const steps = timeSpan / 1000 / timeStep;
            return Array.from({ length: steps }, (_, index) => this.#now - index * timeStep);
          },
          values: (_plot, times) =>
            times.map((time) => {
              const ago = Math.round(this.#now - time);
              return ago === 0 ? l10n.t("now") : `−${ago} s`;
            }),
        },
        {
          ...axis,
          size: 54,
          space: 26,
          grid,
          values: (_plot, values) => values.map((value) => (value === 0 ? "0" : mark(value))),
        },
      ],
      series: [
        {},
        ...lines.map((_, index) => ({
          stroke: colour(index === 0 ? "--speed" : "--ttft"),
          width: 2,
          ...(index === 0 ? {} : { dash: [5, 4] }),
          points: { show: false },
        })),
      ],
      hooks: {
        setCursor: [
          (plot) => {
            const { idx } = plot.cursor;
            this.#pointed = idx == null ? undefined : plot.data[0][idx];
            this.#tell();
          },
        ],
      },
    };
  }
}
