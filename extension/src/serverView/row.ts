import type { Action } from "../problem";

/** A line of the view as plain data: what it says, how it looks, and what can be done with it. */
export interface Row {
  /** Its own among all rows, and the same for as long as it means the same thing. */
  readonly id: string;
  readonly label: string;
  readonly description?: string;
  readonly tooltip?: string;
  /** A codicon's name. */
  readonly icon: string;
  /** A theme colour's id, for what must not be overlooked. */
  readonly colour?: string;
  /** Words that the manifest's menus look for. */
  readonly can?: string;
  /** What a click does. */
  readonly action?: Action;
  /** Rows below it, shown from the beginning. */
  readonly children?: readonly Row[];
}

/** How a row looks that tells of something wrong. */
export const alarming = { icon: "warning", colour: "list.warningForeground" } as const;

/** A row that only tells a fact. */
export function fact(
  id: string,
  icon: string,
  label: string,
  description: string,
  tooltip?: string,
): Row {
  return { id, icon, label, description, ...(tooltip !== undefined && { tooltip }) };
}
