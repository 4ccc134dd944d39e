import * as l10n from "@vscode/l10n";
import type { RecordNews, ResultRecord } from "../results/protocol";
import { Announcer } from "./announcer";
import { setHostTime } from "./clock";
import type { PostAboutRecords } from "./host";
import { type ListOptions, ResultsList } from "./resultsList";
import { ServerLine } from "./serverLine";

/** What differs from page to page. */
export interface RecordsPartOptions extends ListOptions {
  /** What is read out when a record has ended; `batch` are those that were sent together. */
  readonly spoken: (
    record: ResultRecord,
    batch: readonly ResultRecord[],
    records: readonly ResultRecord[],
  ) => string | undefined;
  /** Called whenever the records are shown. */
  readonly onShow?: (records: readonly ResultRecord[]) => void;
}

/** What every page of records has: the server's line, the list, and what is read out. */
export class RecordsPart {
  readonly server: ServerLine;
  readonly list: ResultsList;
  readonly announcer = new Announcer();
  readonly #options: RecordsPartOptions;
  #records: readonly ResultRecord[] = [];

  constructor(post: PostAboutRecords, options: RecordsPartOptions) {
    this.#options = options;
    this.server = new ServerLine(() => post({ type: "startServer" }), this.announcer);
    this.list = new ResultsList(post, options);
  }

  receive(news: RecordNews): void {
    switch (news.type) {
      case "all":
        setHostTime(news.now);
        this.#show(news.records);
        return;
      case "changed":
        setHostTime(news.now);
        this.#change(news.record);
        return;
      case "server":
        this.server.show(news.server);
        return;
      case "copied":
        this.list.confirmCopy(news.id, news.what);
        this.announcer.say(l10n.t("Copied"));
        return;
    }
  }

  #change(record: ResultRecord): void {
    const before = this.#records.find(({ id }) => id === record.id);
    this.#show(
      before
        ? this.#records.map((old) => (old === before ? record : old))
        : [...this.#records, record],
    );
    if (before?.status !== "running" || record.status === "running") return;
    const batch = this.#records.filter((other) => other.batch === record.batch);
    const spoken = this.#options.spoken(record, batch, this.#records);
    if (spoken !== undefined) this.announcer.say(spoken);
  }

  #show(records: readonly ResultRecord[]): void {
    this.#records = records;
    this.list.show(records);
    this.#options.onShow?.(records);
  }
}
