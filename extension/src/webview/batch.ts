import * as l10n from "@vscode/l10n";
import type { Copyable, ResultRecord } from "../results/protocol";
import { Card } from "./card";
import { hostTime } from "./clock";
import { create, setText } from "./dom";
import { timeOfDay } from "../figures";
import type { PostAboutRecords } from "./host";
import { icon } from "./icons";
import { testIds } from "./testids";
import { Timeline } from "./timeline";
import { batchSentence, spansOf } from "./timing";

/** The requests that were sent together: a heading, their time line, and their cards. */
export class Batch {
  readonly #post: PostAboutRecords;
  readonly #copyables: readonly Copyable[];
  readonly #cards = new Map<string, Card>();
  readonly #timeline = new Timeline();
  readonly #size = create("span", { className: "size" });
  readonly #cancelAll: HTMLButtonElement;
  readonly #repeatAll: HTMLButtonElement;
  readonly #grid = create("div", { className: "cards" });
  #records: readonly ResultRecord[] = [];
  #history: readonly ResultRecord[] = [];
  readonly element: HTMLElement;

  constructor(first: ResultRecord, post: PostAboutRecords, copyables: readonly Copyable[]) {
    this.#post = post;
    this.#copyables = copyables;
    this.#repeatAll = create(
      "button",
      {
        type: "button",
        className: "quiet",
        testId: testIds.repeatAll,
        onClick: () => post({ type: "repeat", ids: this.#records.map(({ id }) => id) }),
      },
      icon("repeat"),
      l10n.t("Repeat all"),
    );
    this.#cancelAll = create(
      "button",
      {
        type: "button",
        className: "quiet",
        testId: testIds.cancelAll,
        onClick: () => {
          for (const { id, status } of this.#records) {
            if (status === "running") post({ type: "cancel", id });
          }
        },
      },
      icon("stop"),
      l10n.t("Cancel all"),
    );
    const headingId = `batch-${first.batch}`;
    // Repeated questions have the same heading; the time tells them apart.
    const timeId = `time-${first.batch}`;
    const sent = new Date(first.sentAt);
    this.element = create(
      "section",
      {
        className: "batch",
        testId: testIds.batch,
        attributes: { "aria-labelledby": `${headingId} ${timeId}` },
      },
      create(
        "header",
        {},
        create("h2", { id: headingId }, first.title),
        this.#size,
        create("time", { id: timeId, dateTime: sent.toISOString() }, timeOfDay(first.sentAt)),
        this.#cancelAll,
        this.#repeatAll,
      ),
      this.#timeline.element,
      this.#grid,
    );
  }

  /** When the first of the requests was sent: batches stand in this order. */
  get sentAt(): number {
    return this.#records[0]?.sentAt ?? 0;
  }

  get isRunning(): boolean {
    return this.#records.some(({ status }) => status === "running");
  }

  /** Whether it shows exactly these records already. */
  shows(records: readonly ResultRecord[]): boolean {
    return (
      records.length === this.#records.length &&
      records.every((record, index) => record === this.#records[index])
    );
  }

  /** @param records at least one; @param history all records, to compare with. */
  show(records: readonly ResultRecord[], history: readonly ResultRecord[]): void {
    const before = new Map(this.#records.map((record) => [record.id, record]));
    this.#records = records;
    this.#history = history;
    for (const record of records) {
      const card = this.#cards.get(record.id);
      if (!card) this.#add(record);
      else if (before.get(record.id) !== record) card.show(record);
    }
    for (const [id, card] of this.#cards) {
      if (records.some((record) => record.id === id)) continue;
      card.element.remove();
      this.#cards.delete(id);
    }
    const areSeveral = records.length > 1;
    this.element.classList.toggle("several", areSeveral);
    this.#timeline.element.hidden = !areSeveral;
    this.#size.hidden = !areSeveral;
    setText(this.#size, l10n.t("{0} requests", records.length));
    // Who waited on "Cancel all" with the keyboard is not thrown back to the top of the page.
    const hadFocus = document.activeElement === this.#cancelAll;
    this.#cancelAll.hidden = !areSeveral || !this.isRunning;
    this.#repeatAll.hidden = !areSeveral || this.isRunning;
    if (hadFocus && this.#cancelAll.hidden) this.#repeatAll.focus();
    this.tick();
  }

  /** Let the clocks go on. */
  tick(): void {
    for (const card of this.#cards.values()) card.tick();
    if (this.#records.length > 1) {
      this.#timeline.show(
        spansOf(this.#records, hostTime()),
        batchSentence(this.#records, this.#history),
      );
    }
  }

  confirmCopy(id: string, what: Copyable): void {
    this.#cards.get(id)?.confirmCopy(what);
  }

  /** Scroll to one of the requests and give it the focus, if it is here. */
  reveal(id: string): void {
    const card = this.#cards.get(id)?.element;
    if (!card) return;
    card.scrollIntoView({ block: "center" });
    card.focus({ preventScroll: true });
    card.classList.add("revealed");
    card.addEventListener("blur", () => card.classList.remove("revealed"), { once: true });
  }

  #add(record: ResultRecord): void {
    const card = new Card(record, this.#post, this.#copyables);
    this.#cards.set(record.id, card);
    this.#grid.append(card.element);
  }
}
