import uPlot from "uplot";
import { create } from "./dom";

/** What a drawing takes from the theme: the value of a variable, and fonts. */
export interface Look {
  readonly colour: (variable: string) => string;
  /** For the words at the axes. */
  readonly font: string;
}

export type PlotOptions = Omit<uPlot.Options, "width" | "height">;

/**
 * A drawing as wide as its place, in the colours of the editor's theme. Screen readers pass over
 * it: a table beside it says the same.
 */
export class Plot {
  readonly #height: number;
  readonly #options: (look: Look) => PlotOptions;
  readonly element = create("div", {
    className: "chart-canvas",
    attributes: { "aria-hidden": "true" },
  });
  #plot: uPlot | undefined;
  #data: uPlot.AlignedData | undefined;

  /** @param height pixels. @param options asked for again whenever the theme changes. */
  constructor(height: number, options: (look: Look) => PlotOptions) {
    this.#height = height;
    this.#options = options;
    new ResizeObserver(() => this.#resize()).observe(this.element);
    // A change of theme arrives as new classes and variables on the document.
    const themes = new MutationObserver(() => this.#redraw());
    themes.observe(document.documentElement, { attributeFilter: ["style"] });
    themes.observe(document.body, { attributeFilter: ["class"] });
  }

  show(data: uPlot.AlignedData): void {
    this.#data = data;
    if (this.#plot) this.#plot.setData(data);
    else this.#draw();
  }

  /** Nothing can be drawn where there is no room yet. */
  #draw(): void {
    const width = this.element.clientWidth;
    if (!this.#data || width === 0) return;
    const style = getComputedStyle(this.element);
    const options = this.#options({
      colour: (variable) => style.getPropertyValue(variable).trim(),
      font: `11px ${style.fontFamily}`,
    });
    this.#plot = new uPlot({ ...options, width, height: this.#height }, this.#data, this.element);
  }

  /** The canvas holds colours, not variables: it has to be made anew. */
  #redraw(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    this.#draw();
  }

  #resize(): void {
    const width = this.element.clientWidth;
    if (!this.#plot) this.#draw();
    else if (width > 0) this.#plot.setSize({ width, height: this.#height });
  }
}
