import * as vscode from "vscode";
import type { Environment } from "../environment/environment";
import { perform, Problem } from "../problem";
import type { Results } from "../results/results";
import { ServerClient } from "../server/client";
import type { ChatRequest } from "../server/client";
import type { ServerNote } from "../server/notes";
import type { Server } from "../server/server";
import { isUp } from "../server/state";
import { readSettings } from "../settings";
import { checkMachine } from "./machine";
import { ensure, type Prerequisite, runningServer } from "./prerequisites";
import type { Progress } from "./progress";
import * as questions from "./questions";
import { createScript, openScript, scriptExists } from "./script";

/** The steps of the walkthrough as operations; every surface of the editor runs these. */
export class Lesson {
  constructor(
    readonly environment: Environment,
    readonly server: Server,
    readonly progress: Progress,
  ) {}

  async checkMachine(): Promise<void> {
    this.environment.refresh(); // Something may have been installed in a terminal.
    const chosen = await checkMachine(this.environment, this.server);
    await this.progress.achieve("machineChecked");
    if (chosen) await perform(chosen);
  }

  async install(): Promise<void> {
    const title = vscode.l10n.t("Installing what the API server needs");
    const location = vscode.ProgressLocation.Window;
    await vscode.window.withProgress({ location, title }, () => this.environment.install());
    await this.progress.achieve("installed");
  }

  async createScript(): Promise<void> {
    await ensure([this.#packages], vscode.l10n.t("Install Them"));
    await this.#create();
    await openScript(readSettings().scriptPath, { keepFocus: true });
  }

  /** Start, after putting right what a learner has skipped. */
  async start(by: ServerNote["by"] = "script"): Promise<void> {
    await ensure([this.#packages, this.#script], vscode.l10n.t("Set Up and Start"));
    await this.server.start(by);
  }

  /** The server that answers, started if the user wants it. */
  async runningServer(): Promise<Awaited<ReturnType<Server["ready"]>>> {
    const running = runningServer(this.server, () => this.server.start());
    const before = isUp(this.server.state) ? [] : [this.#packages, this.#script];
    await ensure([...before, running], vscode.l10n.t("Start the Server"));
    return this.server.ready();
  }

  async testHealth(): Promise<void> {
    const { address } = await this.runningServer();
    const began = performance.now();
    const occupant = await new ServerClient(address).occupant();
    const milliseconds = Math.round(performance.now() - began);
    if (occupant.kind !== "ours") {
      throw new Problem(vscode.l10n.t("Nobody answers at {0}.", address), "");
    }
    const { status, model, device, running, max_batch_size, queued } = occupant.health;
    await vscode.window.showInformationMessage(
      vscode.l10n.t(
        "GET {0}/health: {1}, in {2} ms. {3} on {4}; {5} of {6} running, {7} waiting.",
        address,
        status,
        milliseconds,
        model ?? vscode.l10n.t("No model"),
        device ?? vscode.l10n.t("no device"),
        running,
        max_batch_size,
        queued,
      ),
    );
  }

  async testBasic(results: Results): Promise<void> {
    await results.run(vscode.l10n.t("One question"), [questions.basic]);
  }

  async testMultiple(results: Results): Promise<void> {
    await results.run(vscode.l10n.t("Three questions at once"), questions.multiple);
  }

  /** Ask what is given, or open the prompt box for the user's own question. */
  async testCustom(results: Results, request?: ChatRequest): Promise<void> {
    if (request) await results.run(vscode.l10n.t("Your question"), [request]);
    else results.compose({ prompt: "", max_tokens: 128, temperature: 0 });
  }

  readonly #packages: Prerequisite = {
    missing: () => vscode.l10n.t("Flask and ttdirect are not installed."),
    isMet: () => this.environment.isInstalled(),
    meet: () => this.install(),
  };

  readonly #script: Prerequisite = {
    missing: () => vscode.l10n.t("The server's script does not exist."),
    isMet: () => scriptExists(readSettings().scriptPath),
    meet: () => this.#create(),
  };

  async #create(): Promise<void> {
    const { scriptPath, model, port } = readSettings();
    await createScript({
      python: (await this.environment.interpreter()).path,
      path: scriptPath,
      device: (await this.environment.device()).kind,
      model,
      port,
    });
    await this.progress.achieve("scriptCreated");
  }
}
