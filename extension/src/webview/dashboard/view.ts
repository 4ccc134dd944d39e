import * as l10n from "@vscode/l10n";
import type { Point, ToHost, ToPage } from "../../dashboard/protocol";
import type { ServerSummary } from "../../results/protocol";
import { Announcer } from "../announcer";
import { create, setText } from "../dom";
import { type EditorApi, Memory } from "../host";
import { ServerLine } from "../serverLine";
import { EmptyState } from "./emptyState";
import { FiguresTable } from "./figuresTable";
import { withPoint } from "./history";
import { LiveChart } from "./liveChart";
import { LoadTestSection } from "./loadTestSection";
import { chartKinds } from "./quantities";
import { testIds } from "./testids";

/** What the page remembers while it is hidden and over reloads of the window. */
export interface DashboardState {
  readonly points?: readonly Point[];
  readonly tableIsOpen?: boolean;
}

/** The whole dashboard: it shows what the host sends, and tells it what the user wants. */
export class DashboardView {
  readonly #memory: Memory<DashboardState>;
  readonly #post: (message: ToHost) => void;
  readonly #server: ServerLine;
  readonly #empty: EmptyState;
  readonly #trouble = create("p", {
    className: "error",
    hidden: true,
    testId: testIds.trouble,
    attributes: { role: "status" },
  });
  readonly #charts = chartKinds.map((kind) => new LiveChart(kind));
  readonly #table: FiguresTable;
  readonly #live: HTMLElement;
  readonly #loadTest: LoadTestSection;
  #points: readonly Point[];
  #state: ServerSummary["state"] | undefined;
  #isReadable = true;

  constructor(parent: HTMLElement, api: EditorApi<ToHost, DashboardState>) {
    const post = (message: ToHost): void => api.postMessage(message);
    const start = (): void => post({ type: "startServer" });
    const announcer = new Announcer();
    this.#post = post;
    this.#memory = new Memory<DashboardState>(api);
    this.#points = this.#memory.state.points ?? [];
    this.#server = new ServerLine(start, announcer);
    this.#empty = new EmptyState(start);
    this.#table = new FiguresTable(this.#memory.state.tableIsOpen ?? false, (tableIsOpen) =>
      this.#memory.keep({ tableIsOpen }),
    );
    this.#live = create(
      "section",
      {
        className: "live",
        testId: testIds.charts,
        attributes: { "aria-label": l10n.t("Figures") },
      },
      create("div", { className: "charts" }, ...this.#charts.map(({ element }) => element)),
      this.#table.element,
    );
    this.#loadTest = new LoadTestSection(post, announcer);
    parent.append(
      create(
        "main",
        {},
        create("h1", { className: "for-screen-readers" }, l10n.t("Dashboard")),
        this.#server.element,
        this.#trouble,
        this.#empty.element,
        this.#live,
        this.#loadTest.element,
      ),
      announcer.element,
    );
    this.#show();
    document.addEventListener("visibilitychange", () => this.#tellWhetherSeen());
    post({ type: "loaded" });
    this.#tellWhetherSeen();
  }

  receive(message: ToPage): void {
    switch (message.type) {
      case "server":
        this.#state = message.server.state;
        this.#server.show(message.server);
        if (this.#state !== "ready") this.#tellTrouble(undefined);
        this.#show();
        return;
      case "point":
        this.#points = withPoint(this.#points, message.point);
        this.#memory.keep({ points: this.#points });
        this.#show();
        return;
      case "trouble":
        this.#tellTrouble(message.sentence);
        return;
      case "loadTest":
        this.#loadTest.show(message.test);
        return;
    }
  }

  #show(): void {
    const hasPoints = this.#points.length > 0;
    const isLive = this.#state === "ready" && this.#isReadable;
    this.#empty.show(hasPoints ? undefined : this.#state);
    this.#live.hidden = !hasPoints;
    for (const chart of this.#charts) chart.show(this.#points, isLive);
    this.#table.show(this.#points, isLive);
  }

  #tellTrouble(sentence: string | undefined): void {
    const isReadable = sentence === undefined;
    if (isReadable === this.#isReadable && sentence === this.#trouble.textContent) return;
    this.#isReadable = isReadable;
    setText(this.#trouble, sentence ?? "");
    this.#trouble.hidden = isReadable;
    this.#show();
  }

  #tellWhetherSeen(): void {
    this.#post({ type: "seen", isSeen: document.visibilityState === "visible" });
  }
}
