/** The view's icons: drawn for it, 16 by 16, in the colour of the text around them. */

const drawings = {
  check: ["M3 8.6 6.4 12 13 4.6"],
  failed: ["M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z", "M8 4.8v4.1", "M8 10.9v.4"],
  cancelled: ["M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z", "m3.8 3.8 8.4 8.4"],
  running: ["M8 1.8A6.2 6.2 0 1 1 1.8 8"],
  copy: ["M5.5 5.5h8v8h-8z", "M10.5 5.5v-3h-8v8h3"],
  repeat: ["M13 8a5 5 0 1 1-1.6-3.7", "M13.2 1.8v3.4H9.8"],
  stop: ["M4 4h8v8H4z"],
  clear: ["M2.5 4.2h11", "M6 4.2V2.5h4v1.7", "m4 4.2.6 9.3h6.8l.6-9.3"],
  export: ["M8 10V2.3", "M5 5.2 8 2.2l3 3", "M2.5 9.5v4h11v-4"],
  play: ["M4.5 2.8 12.5 8l-8 5.2Z"],
  send: ["M8 13.2V3.2", "M3.8 7.2 8 3l4.2 4.2"],
} as const;

export type IconName = keyof typeof drawings;

const namespace = "http://www.w3.org/2000/svg";

/** An icon that screen readers pass over: words beside it always say the same. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  for (const d of drawings[name]) {
    const path = document.createElementNS(namespace, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
