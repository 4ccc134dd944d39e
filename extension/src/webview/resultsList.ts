import * as l10n from "@vscode/l10n";
import type { Copyable, ResultRecord } from "../results/protocol";
import { Batch } from "./batch";
import { create, setText } from "./dom";
import type { PostAboutRecords } from "./host";
import { icon } from "./icons";
import type { IconName } from "./icons";
import { testIds } from "./testids";

/** How often running clocks move on. Milliseconds. */
const tickInterval = 100;

/** What differs from page to page. */
export interface ListOptions {
  /** What stands there while there are no records. */
  readonly empty: HTMLElement;
  /** What can be copied of a record. */
  readonly copyables: readonly Copyable[];
}

/** All batches, newest first, under their toolbar; or what to do when there are none. */
export class ResultsList {
  readonly #post: PostAboutRecords;
  readonly #copyables: readonly Copyable[];
  readonly #batches = new Map<string, Batch>();
  readonly #list = create("div", { className: "batches" });
  readonly #count = create("span", { className: "count" });
  readonly #empty: HTMLElement;
  readonly #clear: HTMLButtonElement;
  readonly #export: HTMLButtonElement;
  readonly #undoText = create("span");
  readonly #undo: HTMLElement;
  #timer: ReturnType<typeof setInterval> | undefined;
  #records: readonly ResultRecord[] = [];
  readonly element: HTMLElement;

  constructor(post: PostAboutRecords, { empty, copyables }: ListOptions) {
    this.#post = post;
    this.#copyables = copyables;
    this.#clear = tool("clear", l10n.t("Clear"), testIds.clear, () => this.#clearAll());
    this.#export = tool("export", l10n.t("Export"), testIds.export, () => post({ type: "export" }));
    this.#empty = empty;
    const undo = create(
      "button",
      {
        type: "button",
        className: "link",
        testId: testIds.undo,
        onClick: () => {
          post({ type: "undoClear" });
          this.#undo.hidden = true;
          this.element.focus();
        },
      },
      l10n.t("Undo"),
    );
    this.#undo = create(
      "p",
      { className: "undo", hidden: true, attributes: { role: "status" } },
      this.#undoText,
      undo,
    );
    this.element = create(
      "section",
      { className: "results", tabIndex: -1, attributes: { "aria-label": l10n.t("Results") } },
      create(
        "div",
        { className: "toolbar", attributes: { role: "group", "aria-label": l10n.t("Results") } },
        this.#count,
        this.#export,
        this.#clear,
      ),
      this.#undo,
      this.#empty,
      this.#list,
    );
  }

  /** @param records oldest first, as the host keeps them. */
  show(records: readonly ResultRecord[]): void {
    const before = this.#records;
    this.#records = records;
    if (records.some(({ id }) => !before.some((old) => old.id === id))) this.#undo.hidden = true;
    const grouped = byBatch(records);
    // A new answer can also change what an older batch is compared with.
    const hasEnded = countRunning(records) < countRunning(before);
    const newest = records.at(-1);
    const isSent = newest?.status === "running" && !this.#batches.has(newest.batch);
    for (const [id, batch] of this.#batches) {
      if (grouped.has(id)) continue;
      batch.element.remove();
      this.#batches.delete(id);
    }
    for (const [id, members] of grouped) this.#showBatch(id, members, hasEnded);
    this.#order();
    // A request that was sent from an old card answers at the top, perhaps out of sight.
    if (isSent) this.#batches.get(newest.batch)?.element.scrollIntoView({ block: "nearest" });
    const hasAny = records.length > 0;
    setText(
      this.#count,
      records.length === 1 ? l10n.t("1 result") : l10n.t("{0} results", records.length),
    );
    this.#count.hidden = !hasAny;
    this.#empty.hidden = hasAny;
    this.#export.hidden = !hasAny;
    this.#clear.hidden = !hasAny;
    this.#clear.disabled = !records.some(({ status }) => status !== "running");
    this.#keepTime();
  }

  confirmCopy(id: string, what: Copyable): void {
    for (const batch of this.#batches.values()) batch.confirmCopy(id, what);
  }

  /** Scroll to a record and give it the focus; nothing happens when it is gone. */
  reveal(id: string): void {
    for (const batch of this.#batches.values()) batch.reveal(id);
  }

  #showBatch(id: string, members: readonly ResultRecord[], always: boolean): void {
    const [first] = members;
    if (!first) return;
    let batch = this.#batches.get(id);
    if (!batch) {
      batch = new Batch(first, this.#post, this.#copyables);
      this.#batches.set(id, batch);
    }
    if (always || !batch.shows(members)) batch.show(members, this.#records);
  }

  /** Move only what is out of place: moving an element drops its focus and its scrolling. */
  #order(): void {
    const newestFirst = [...this.#batches.values()].sort((a, b) => b.sentAt - a.sentAt);
    newestFirst.forEach(({ element }, index) => {
      const there = this.#list.children[index];
      if (there !== element) this.#list.insertBefore(element, there ?? null);
    });
  }

  #keepTime(): void {
    const isRunning = [...this.#batches.values()].some((batch) => batch.isRunning);
    if (isRunning) this.#timer ??= setInterval(() => this.#tick(), tickInterval);
    else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #tick(): void {
    for (const batch of this.#batches.values()) if (batch.isRunning) batch.tick();
  }

  #clearAll(): void {
    const count = this.#records.filter(({ status }) => status !== "running").length;
    this.#post({ type: "clear" });
    setText(
      this.#undoText,
      count === 1 ? l10n.t("1 result cleared.") : l10n.t("{0} results cleared.", count),
    );
    this.#undo.hidden = false;
    this.#undo.querySelector("button")?.focus();
  }
}

function byBatch(records: readonly ResultRecord[]): ReadonlyMap<string, readonly ResultRecord[]> {
  const groups = new Map<string, ResultRecord[]>();
  for (const record of records) {
    const members = groups.get(record.batch);
    if (members) members.push(record);
    else groups.set(record.batch, [record]);
  }
  return groups;
}

function countRunning(records: readonly ResultRecord[]): number {
  return records.filter(({ status }) => status === "running").length;
}

function tool(
  name: IconName,
  label: string,
  testId: string,
  onClick: () => void,
): HTMLButtonElement {
  return create(
    "button",
    { type: "button", className: "quiet", testId, onClick },
    icon(name),
    label,
  );
}
