import type { Locator } from "@playwright/test";
import axe, { type AxeResults } from "axe-core";

/** A rule's id and what breaks it. Contrast is measured in the colours of the current theme. */
export interface AccessibilityProblem {
  readonly rule: string;
  readonly elements: readonly string[];
}

/** What axe finds wrong in the document to which an element belongs, in a webview as well. */
export async function accessibilityProblems(
  element: Locator,
): Promise<readonly AccessibilityProblem[]> {
  const handle = await element.elementHandle();
  const frame = await handle.ownerFrame();
  if (!frame) throw new Error("The element is in no frame.");
  // Evaluated, because the page's policy lets no other script in.
  await frame.evaluate(axe.source);
  const { violations } = await frame.evaluate<AxeResults>("axe.run()");
  return violations.map(({ id, nodes }) => ({ rule: id, elements: nodes.map((n) => n.html) }));
}
