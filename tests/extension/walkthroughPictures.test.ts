/**
 * The walkthrough's pictures.
 *
 * The editor shows pictures in Markdown as images, to which its theme's colours do not reach; SVG
 * in the Markdown itself it removes. So the pictures bring colours of their own that can be read on
 * every background: letters stand on filled shapes only, and lines are of a middle grey.
 */

import { readdirSync } from "node:fs";
import { Window } from "happy-dom";
import { describe, expect, test } from "vitest";
import { inProject, read } from "./walkthroughSteps";

const folder = "walkthroughs/pictures";
const names = readdirSync(inProject(folder));
const kinds = ["plain", "script", "model", "token"];
/** The editor in its light, dark and high-contrast themes. */
const backgrounds = ["#ffffff", "#1f1f1f", "#000000"];

/** The relative luminance of `#rrggbb`, as WCAG 2 defines it. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** The value of a property in the picture's style sheet. */
function styled(svg: string, name: string, property: string): string {
  const rule = new RegExp(`\\.${name} \\{([^}]*)\\}`).exec(svg)?.[1] ?? "";
  return new RegExp(`${property}: (#[0-9a-f]{6})`).exec(rule)?.[1] ?? "";
}

describe.each(names)("%s", (name) => {
  const svg = read(`${folder}/${name}`);
  const document = new new Window().DOMParser().parseFromString(svg, "image/svg+xml");
  const all = (selector: string) => [...document.querySelectorAll(selector)];

  test("is one well-formed picture with a name and a description", () => {
    expect(document.documentElement.tagName).toBe("svg");
    expect(document.querySelector("parsererror")).toBeNull();
    for (const tag of ["svg", "title", "desc", "style", "g", "text"]) {
      expect(svg.split(`</${tag}>`).length, tag).toBe(svg.split(RegExp(`<${tag}[ >]`)).length);
    }
    expect(document.querySelector("title")?.textContent).toMatch(/\w/);
    expect(document.querySelector("desc")?.textContent).toMatch(/\w.+\./);
    expect(svg).toContain('role="img"');
    expect(svg).not.toMatch(/ (?:x|y|width|height|rx)="(?!\d+(?:\.\d+)?")/);
  });

  test("has no black, no white, and no colour left to chance", () => {
    expect(svg).not.toMatch(/#(?:000|fff)(?:000|fff)?\b|\b(?:black|white|currentColor)\b/i);
    for (const text of all("text")) {
      expect(text.closest('[class*="on-"]'), text.textContent).not.toBeNull();
    }
    for (const shape of all("rect, path")) {
      const painted = shape.closest(
        [...kinds, "line", "head"].map((kind) => `.${kind}`).join(", ") + ", [fill]",
      );
      expect(painted, shape.outerHTML).not.toBeNull();
    }
  });

  test("can be read on every background", () => {
    for (const kind of kinds) {
      const letters = styled(svg, `on-${kind}`, "fill");
      expect(contrast(letters, styled(svg, kind, "fill")), kind).toBeGreaterThanOrEqual(4.5);
    }
    for (const background of backgrounds) {
      const line = contrast(styled(svg, "line", "stroke"), background);
      expect(line, background).toBeGreaterThanOrEqual(3);
      for (const kind of kinds) {
        const shape = ["fill", "stroke"].map((p) => contrast(styled(svg, kind, p), background));
        expect(Math.max(...shape), `${kind} on ${background}`).toBeGreaterThanOrEqual(3);
      }
    }
  });
});
