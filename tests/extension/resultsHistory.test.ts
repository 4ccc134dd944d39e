import { describe, expect, it } from "vitest";
import {
  added,
  changed,
  cleared,
  History,
  merged,
  restored,
} from "../../extension/src/results/history";
import type { HistoryChange, Records, RecordStore } from "../../extension/src/results/history";
import { resultRecord, runningRecord } from "./resultsRecord";

const ids = (records: readonly { readonly id: string }[]): string[] => records.map(({ id }) => id);

/** What the editor keeps for the workspace: JSON, so no object of ours comes back as it was. */
class Memento implements RecordStore {
  #stored: string | undefined;
  writes = 0;

  get(): unknown {
    return this.#stored === undefined ? undefined : JSON.parse(this.#stored);
  }

  update(_key: string, records: Records): Promise<void> {
    this.writes += 1;
    this.#stored = JSON.stringify(records);
    return Promise.resolve();
  }
}

describe("the list of records", () => {
  it("drops the oldest beyond the limit", () => {
    const records = [resultRecord({ id: "a" }), resultRecord({ id: "b" })];
    expect(ids(added(records, resultRecord({ id: "c" }), 2))).toEqual(["b", "c"]);
  });

  it("never drops a request that runs", () => {
    const records = [runningRecord({ id: "a" }), resultRecord({ id: "b" })];
    expect(ids(added(records, resultRecord({ id: "c" }), 2))).toEqual(["a", "c"]);
    expect(ids(added([runningRecord({ id: "a" })], runningRecord({ id: "b" }), 1))).toEqual([
      "a",
      "b",
    ]);
  });

  it("replaces a record by its newer state, and ignores one that was removed", () => {
    const newer = resultRecord({ text: "London." });
    expect(changed([resultRecord(), resultRecord({ id: "b" })], newer)[0]).toBe(newer);
    expect(changed([], newer)).toEqual([]);
  });

  it("keeps what runs when it is cleared", () => {
    const { kept, removed } = cleared([resultRecord(), runningRecord({ id: "b" })]);
    expect([ids(kept), ids(removed)]).toEqual([["b"], ["a"]]);
  });

  it("merges in the order in which the requests were sent", () => {
    const early = resultRecord({ id: "early", sentAt: 1 });
    const late = resultRecord({ id: "late", sentAt: 3 });
    expect(ids(merged([late], [resultRecord({ id: "middle", sentAt: 2 }), early]))).toEqual([
      "early",
      "middle",
      "late",
    ]);
  });

  it("restores what ran as cancelled, and drops what is damaged", () => {
    const stored = [resultRecord(), runningRecord({ id: "b" }), { id: "c" }, null, 7];
    const records = restored(stored);
    expect(ids(records)).toEqual(["a", "b"]);
    expect(records[1]?.status).toBe("cancelled");
    expect(restored(undefined)).toEqual([]);
    expect(restored("nonsense")).toEqual([]);
  });
});

describe("the history", () => {
  it("survives a reload of the window", () => {
    const memento = new Memento();
    const before = new History(memento, "records");
    before.add(resultRecord());
    before.add(runningRecord({ id: "b" }));
    const after = new History(memento, "records");
    expect(after.records.map(({ id, status }) => [id, status])).toEqual([
      ["a", "done"],
      ["b", "cancelled"],
    ]);
  });

  it("tells what has changed, and does not write to the disk for every piece of text", () => {
    const memento = new Memento();
    const history = new History(memento, "records");
    const changes: HistoryChange[] = [];
    history.onDidChange((change) => changes.push(change));
    history.add(runningRecord());
    history.change(runningRecord({ text: "Par" }));
    expect(memento.writes).toBe(1);
    history.change(resultRecord());
    expect(memento.writes).toBe(2);
    expect(changes.map(({ kind }) => kind)).toEqual(["record", "record", "record"]);
    expect(history.find("a")?.text).toBe("Paris.");
  });

  it("brings back what was cleared, once", () => {
    const history = new History(new Memento(), "records");
    history.add(resultRecord({ id: "old", sentAt: 1 }));
    history.clear();
    expect(history.records).toEqual([]);
    history.add(resultRecord({ id: "new", sentAt: 2 }));
    history.undoClear();
    history.undoClear();
    expect(ids(history.records)).toEqual(["old", "new"]);
  });
});
