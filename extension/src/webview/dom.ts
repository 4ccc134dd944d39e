/** Building the page's elements. */

type Properties<K extends keyof HTMLElementTagNameMap> = Partial<
  Omit<HTMLElementTagNameMap[K], "style" | "children" | "attributes">
>;

interface Extras {
  readonly testId?: string;
  /** Attributes that are no properties, such as `aria-…`. */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly onClick?: () => void;
}

/** An element with its properties and children; text children are text, never markup. */
export function create<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  { testId, attributes = {}, onClick, ...properties }: Properties<K> & Extras = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  if (testId !== undefined) element.dataset["testid"] = testId;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (onClick) element.addEventListener("click", onClick);
  element.append(...children);
  return element;
}

/** What stands over a column; `title` explains it. */
export type Heading = Readonly<{ label: string; title?: string }>;

/** A table with a head; its caption is for screen readers, as the eye sees what it is. */
export function createTable(
  testId: string,
  caption: string,
  headings: readonly Heading[],
  body: HTMLTableSectionElement,
): HTMLTableElement {
  const cells = headings.map(({ label, title = "" }) =>
    create("th", { scope: "col", title }, label),
  );
  return create(
    "table",
    { testId },
    create("caption", { className: "for-screen-readers" }, caption),
    create("thead", {}, create("tr", {}, ...cells)),
    body,
  );
}

/** Set the text, but leave the page alone when it already says so. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Make `parent` hold these children, and touch only those that differ.
 *
 * So the reader's selection and the scrolling inside code survive while an answer grows.
 */
export function setChildren(parent: Element, children: readonly Node[]): void {
  children.forEach((child, index) => {
    const old = parent.childNodes[index];
    if (!old) parent.append(child);
    else if (!old.isEqualNode(child)) old.replaceWith(child);
  });
  while (parent.childNodes.length > children.length) parent.lastChild?.remove();
}
