import * as vscode from "vscode";
import { deviceNodes } from "../environment/device";
import type { Environment } from "../environment/environment";
import { commands, views } from "../ids";
import { Problem } from "../problem";
import { inOrder, type RequestSource } from "../recentRequests";
import { fetchMetrics } from "../server/metrics";
import type { Server } from "../server/server";
import { Answers } from "./answers";
import { contents, routeId } from "./contents";
import type { HardwareSeen } from "./hardware";
import { HardwareWatch } from "./hardwareWatch";
import { readHardware, type Served } from "./readHardware";
import { Poll } from "../poll";
import { fetchRoutes, filledIn, type Route, sampleBody } from "./routes";
import { exchange } from "./sending";
import type { Figures } from "./serverRows";
import { Speedometer } from "./speed";
import { type Place, RowTree } from "./tree";

const figuresEvery = 2000;
const hardwareEvery = 10_000;

/** How long a route may take to answer when it is tried. */
const sendSeconds = 120;

/** What the view shows and asks. */
export interface ServerViewParts {
  readonly server: Server;
  /** Where requests are asked. */
  readonly sources: readonly RequestSource[];
  readonly environment: Environment;
  readonly log: vscode.LogOutputChannel;
}

/** The view in the activity bar. While nobody sees it, it asks nothing. */
export class ServerView implements vscode.Disposable {
  readonly #parts: ServerViewParts;
  readonly #tree = new RowTree();
  readonly #view: vscode.TreeView<Place>;
  readonly #answers = new Answers();
  readonly #speedometer = new Speedometer();
  readonly #watch: HardwareWatch;
  readonly #figuresPoll = new Poll((signal) => this.#askFigures(signal), figuresEvery);
  readonly #hardwarePoll = new Poll((signal) => this.#askHardware(signal), hardwareEvery);
  readonly #disposables: readonly { dispose(): unknown }[];
  /** Where figures and routes come from; undefined while no server is ready. */
  #address: string | undefined;
  #figures: Figures | undefined;
  #routes: readonly Route[] = [];
  #hardware: HardwareSeen = { kind: "none" };

  constructor(parts: ServerViewParts) {
    this.#parts = parts;
    this.#watch = new HardwareWatch(deviceNodes, async (signal, asksTtSmi) => {
      const { path } = await parts.environment.interpreter();
      return readHardware(path, this.#served(), signal, asksTtSmi);
    });
    this.#view = vscode.window.createTreeView(views.server, { treeDataProvider: this.#tree });
    this.#disposables = [
      this.#view,
      this.#tree,
      this.#answers,
      this.#view.onDidChangeVisibility(() => this.#attend()),
      parts.server.onDidChangeState(() => this.#attend()),
      ...parts.sources.map(({ onDidChange }) => onDidChange(() => this.#show())),
      // Another Python may be able to read the boards.
      parts.environment.onDidChange(() => this.#watch.forget()),
    ];
    this.#attend();
  }

  /** Ask everything anew. */
  refresh(): void {
    this.#watch.forget();
    this.#routes = [];
    this.#figuresPoll.hurry();
    this.#hardwarePoll.hurry();
  }

  /**
   * Send a request that shows what a route does, and show the answer.
   *
   * @throws Problem when there is no such route any more.
   */
  async send(place: Place | undefined): Promise<void> {
    const { route, address, model } = this.#chosen(place);
    if (route.method === "POST" && route.path.startsWith("/chat")) {
      await vscode.commands.executeCommand(commands.testBasic);
      return;
    }
    const body = route.method === "POST" ? sampleBody(route, model) : undefined;
    const outgoing = { method: route.method, url: urlOf(address, route, model), body };
    const answer = await vscode.window.withProgress({ location: { viewId: views.server } }, () =>
      exchange(outgoing, AbortSignal.timeout(sendSeconds * 1000)),
    );
    await this.#answers.show(answer);
  }

  /**
   * Copy a route's address as programs on the server's computer need it.
   *
   * @throws Problem when there is no such route any more.
   */
  async copyUrl(place: Place | undefined): Promise<void> {
    const { route, address, model } = this.#chosen(place);
    const url = urlOf(address, route, model);
    await vscode.env.clipboard.writeText(url);
    vscode.window.setStatusBarMessage(vscode.l10n.t("Copied {0}", url), 3000);
  }

  /**
   * Open a route in the browser of whoever sits here, through a tunnel where the server is far.
   *
   * @throws Problem when there is no such route any more.
   */
  async openInBrowser(place: Place | undefined): Promise<void> {
    const { route, address, model } = this.#chosen(place);
    const url = vscode.Uri.parse(urlOf(address, route, model));
    await vscode.env.openExternal(await vscode.env.asExternalUri(url));
  }

  dispose(): void {
    this.#figuresPoll.isWanted = false;
    this.#hardwarePoll.isWanted = false;
    for (const disposable of this.#disposables) disposable.dispose();
  }

  /** Show what is known, and ask for the rest as long as somebody sees it. */
  #attend(): void {
    const { state } = this.#parts.server;
    const address = state.kind === "ready" ? state.address : undefined;
    const { visible } = this.#view;
    if (address !== this.#address) {
      this.#address = address;
      this.#figuresPoll.isWanted = false; // what is on its way belongs to the other server
      this.#figures = undefined;
      this.#routes = [];
      this.#speedometer.reset();
      if (address !== undefined) this.#hardwarePoll.hurry(); // what is published for its model
    }
    this.#figuresPoll.isWanted = visible && address !== undefined;
    this.#hardwarePoll.isWanted = visible;
    this.#show();
  }

  #show(): void {
    if (!this.#view.visible) return;
    this.#tree.show(
      contents({
        state: this.#parts.server.state,
        figures: this.#figures,
        routes: this.#routes,
        requests: inOrder(this.#parts.sources),
        hardware: this.#hardware,
      }),
    );
  }

  async #askFigures(signal: AbortSignal): Promise<void> {
    const address = this.#address;
    if (address === undefined) return;
    try {
      if (this.#routes.length === 0) this.#routes = await fetchRoutes(address, signal);
      const metrics = await fetchMetrics(address, signal);
      this.#parts.log.trace(`The server view has read ${address}/metrics`);
      const speed = this.#speedometer.see(metrics, performance.now());
      this.#figures = { kind: "told", metrics, speed };
    } catch (error) {
      if (signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      this.#figures = { kind: "refused", why };
    }
    if (!signal.aborted) this.#show();
  }

  async #askHardware(signal: AbortSignal): Promise<void> {
    const before = this.#hardware;
    const seen = await this.#watch.look(signal);
    if (signal.aborted) return;
    this.#hardware = seen;
    this.#parts.log.trace(`The server view has looked for boards: ${seen.kind}`);
    if (seen.kind === "unreadable" && before.kind !== "unreadable") {
      this.#parts.log.warn(`The hardware cannot be read: ${seen.why}`);
    }
    this.#show();
  }

  /** The model that runs, if one does: its speed may be published for the board. */
  #served(): Served | undefined {
    const { state } = this.#parts.server;
    if (state.kind !== "ready") return undefined;
    const { model, device } = state.health;
    return model === null || device === null ? undefined : { model, device };
  }

  #chosen(place: Place | undefined): { route: Route; address: string; model: string } {
    const { state } = this.#parts.server;
    const route = this.#routes.find((known) => routeId(known) === place?.row.id);
    if (!route || state.kind !== "ready") {
      throw new Problem(
        vscode.l10n.t("No route was chosen."),
        vscode.l10n.t("Start the server, and choose one of its routes in the Tenstorrent view."),
        [{ title: vscode.l10n.t("Show the View"), command: `${views.server}.focus` }],
      );
    }
    return { route, address: state.address, model: state.health.model ?? "" };
  }
}

function urlOf(address: string, route: Route, model: string): string {
  return address + (filledIn(route, model) ?? route.path);
}
