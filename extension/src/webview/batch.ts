import type { Copyable, ResultRecord } from "../results/protocol";
import { Card } from "./card";
import { hostTime } from "./clock";
import { create, setText } from "./dom";
import { plural, timeOfDay } from "./figures";
import type { Post } from "./host";
import { icon } from "./icons";
import { testIds } from "./testids";
import { Timeline } from "./timeline";
import { batchSentence, spansOf } from "./timing";

/** The requests that were sent together: a heading, their time line, and their cards. */
export class Batch {
  readonly #post: Post;
  readonly #cards = new Map<string, Card>();
  readonly #timeline = new Timeline();
  readonly #size = create("span", { className: "size" });
  readonly #repeatAll: HTMLButtonElement;
  readonly #grid = create("div", { className: "cards" });
  #records: readonly ResultRecord[] = [];
  #history: readonly ResultRecord[] = [];
  readonly element: HTMLElement;

  constructor(first: ResultRecord, post: Post) {
    this.#post = post;
    this.#repeatAll = create(
      "button",
      {
        type: "button",
        className: "quiet",
        testId: testIds.repeatAll,
        onClick: () => post({ type: "repeat", ids: this.#records.map(({ id }) => id) }),
      },
      icon("repeat"),
      "Repeat all",
    );
    const headingId = `batch-${first.batch}`;
    const sent = new Date(first.sentAt);
    this.element = create(
      "section",
      { className: "batch", testId: testIds.batch, attributes: { "aria-labelledby": headingId } },
      create(
        "header",
        {},
        create("h2", { id: headingId }, first.title),
        this.#size,
        create("time", { dateTime: sent.toISOString() }, timeOfDay(first.sentAt)),
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
    setText(this.#size, plural(records.length, "request"));
    this.#repeatAll.hidden = !areSeveral || this.isRunning;
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

  #add(record: ResultRecord): void {
    const card = new Card(record, this.#post);
    this.#cards.set(record.id, card);
    this.#grid.append(card.element);
  }
}
