import * as vscode from "vscode";
import { isResultRecord } from "./guard";
import type { ResultRecord } from "./protocol";

/** Oldest first. */
export type Records = readonly ResultRecord[];

/** How many records are kept. */
export const historyLimit = 200;

/** The records with one more; beyond the limit the oldest goes, but never one that runs. */
export function added(records: Records, record: ResultRecord, limit = historyLimit): Records {
  const more = [...records, record];
  if (more.length <= limit) return more;
  const oldest = more.findIndex(({ status }) => status !== "running");
  return oldest < 0 ? more : more.toSpliced(oldest, 1);
}

/** The records with a newer state of one of them; unchanged if it is no longer there. */
export function changed(records: Records, record: ResultRecord): Records {
  return records.map((old) => (old.id === record.id ? record : old));
}

/** What stays and what goes when the user clears the view: a running request stays. */
export function cleared(records: Records): { readonly kept: Records; readonly removed: Records } {
  return {
    kept: records.filter(({ status }) => status === "running"),
    removed: records.filter(({ status }) => status !== "running"),
  };
}

/** Both lists in the order in which the requests were sent, the newest up to the limit. */
export function merged(some: Records, others: Records, limit = historyLimit): Records {
  return [...some, ...others].toSorted((a, b) => a.sentAt - b.sentAt).slice(-limit);
}

/** The records of an earlier session. What ran when the editor closed was cancelled by that. */
export function restored(stored: unknown): Records {
  if (!Array.isArray(stored)) return [];
  return stored
    .filter(isResultRecord)
    .slice(-historyLimit)
    .map((record) => (record.status === "running" ? { ...record, status: "cancelled" } : record));
}

/** One record is new or has changed, or so much has that all are to be read again. */
export type HistoryChange =
  { readonly kind: "record"; readonly record: ResultRecord } | { readonly kind: "all" };

/** Where the records are kept: the part of `vscode.Memento` that this needs. */
export interface RecordStore {
  get(key: string): unknown;
  update(key: string, value: Records): Thenable<void>;
}

/** The requests of this workspace and their answers, kept over reloads of the window. */
export class History implements vscode.Disposable {
  readonly #store: RecordStore;
  readonly #key: string;
  readonly #changes = new vscode.EventEmitter<HistoryChange>();
  #records: Records;
  #removed: Records = [];

  readonly onDidChange = this.#changes.event;

  /** @param key under which the store keeps them. */
  constructor(store: RecordStore, key: string) {
    this.#store = store;
    this.#key = key;
    this.#records = restored(store.get(key));
  }

  get records(): Records {
    return this.#records;
  }

  find(id: string): ResultRecord | undefined {
    return this.#records.find((record) => record.id === id);
  }

  add(record: ResultRecord): void {
    const before = this.#records.length;
    this.#records = added(this.#records, record);
    this.#keep();
    this.#changes.fire(
      this.#records.length > before ? { kind: "record", record } : { kind: "all" },
    );
  }

  change(record: ResultRecord): void {
    this.#records = changed(this.#records, record);
    // While text streams in, only the view follows; the disk gets the beginning and the end.
    if (record.status !== "running") this.#keep();
    this.#changes.fire({ kind: "record", record });
  }

  clear(): void {
    const { kept, removed } = cleared(this.#records);
    this.#removed = removed;
    this.#replace(kept);
  }

  undoClear(): void {
    const back = this.#removed;
    this.#removed = [];
    this.#replace(merged(back, this.#records));
  }

  dispose(): void {
    this.#changes.dispose();
  }

  #replace(records: Records): void {
    this.#records = records;
    this.#keep();
    this.#changes.fire({ kind: "all" });
  }

  #keep(): void {
    void this.#store.update(this.#key, this.#records);
  }
}
