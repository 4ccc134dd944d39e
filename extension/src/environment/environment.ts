import * as os from "node:os";
import * as path from "node:path";
import * as vscode from "vscode";
import { Problem } from "../problem";
import { readSettings } from "../settings";
import { chooseInterpreter } from "./chooseInterpreter";
import { decideDevice, deviceNodes } from "./device";
import type { Device } from "./device";
import { findWheel, installPackages } from "./install";
import { candidates, findInterpreter, isExecutable, onPath, requireUsable } from "./interpreter";
import type { Interpreter, InterpreterSources } from "./interpreter";
import { readCatalogue } from "./modelCatalogue";
import { chooseModel } from "./modelChoice";
import type { WantedModel } from "./modelChoice";
import { downloadModel } from "./modelDownload";
import { RecentModels } from "./modelRecents";
import { readToken } from "./modelToken";
import { missingPackages } from "./pip";
import { checkImports, Probe, ProbeError } from "./probe";
import type { PythonFacts } from "./probe";
import { PythonExtensions } from "./pythonExtensions";
import { variablesFor } from "./serverVariables";
import { findTtMetal, requireGenerator } from "./ttMetal";
import type { TtMetal } from "./ttMetal";
import { createVirtualEnvironment, wantsVirtualEnvironment } from "./virtualEnvironment";

/** What the extension knows about the machine, and the choices that a person makes about it. */
export class Environment implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #log: vscode.LogOutputChannel;
  readonly #extensions: PythonExtensions;
  readonly #probe = new Probe();
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: readonly { dispose(): unknown }[];
  #installing: Promise<void> | undefined;

  /** The interpreter, a setting or the model may be another from now on. */
  readonly onDidChange = this.#changed.event;

  constructor(context: vscode.ExtensionContext, log: vscode.LogOutputChannel) {
    this.#context = context;
    this.#log = log;
    this.#extensions = new PythonExtensions(log);
    this.#subscriptions = [
      this.#extensions,
      this.#changed,
      this.#extensions.onDidChange(() => this.refresh()),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("tenstorrent")) this.refresh();
      }),
    ];
  }

  /** Look at the machine afresh: packages may have come and gone in a terminal. */
  refresh(): void {
    this.#extensions.invalidate();
    this.#probe.invalidate();
    this.#changed.fire();
  }

  /** @throws Problem when there is none, or the server cannot run on it. */
  async interpreter(): Promise<Interpreter> {
    const found = await this.#findInterpreter();
    await requireUsable(found, (file) => this.#probe.facts(file));
    return found;
  }

  /** @throws Problem as `interpreter`. */
  async facts(): Promise<PythonFacts> {
    return this.#probe.facts((await this.interpreter()).path);
  }

  /** @throws Problem as `interpreter`. */
  async device(): Promise<Device> {
    return decideDevice(await deviceNodes(), (await this.facts()).hasTtnn);
  }

  ttMetalFolder(): string | undefined {
    return this.#ttMetal()?.folder;
  }

  /** The model as the server gets it in `HF_MODEL`. */
  model(): string {
    return readSettings().model;
  }

  /**
   * @returns whether it is another one now.
   * @throws Problem when the choice cannot be used or cannot take effect.
   */
  async chooseInterpreter(): Promise<boolean> {
    const before = await this.#firstPath();
    await chooseInterpreter(candidates(this.#sources()), this.#probe);
    return (await this.#firstPath()) !== before;
  }

  /**
   * @returns whether a running server has to start again.
   * @throws Problem when the model cannot be had or the choice cannot take effect.
   * @throws vscode.CancellationError when the user ends a download.
   */
  async chooseModel(wanted?: WantedModel, running?: string): Promise<boolean> {
    const { secrets, globalState } = this.#context;
    const tools = {
      secrets,
      running,
      recents: new RecentModels(globalState),
      catalogue: async (named: readonly string[]) => {
        // A model can be chosen before there is a Python that knows about models.
        const python = await this.interpreter().catch(() => undefined);
        return python && readCatalogue(python.path, named);
      },
      download: async (model: string, token: string | undefined) => {
        await downloadModel({ python: (await this.interpreter()).path, model, token });
      },
    };
    return chooseModel(tools, wanted);
  }

  /** The Hugging Face token, if there is one. */
  token(): Thenable<string | undefined> {
    return readToken(this.#context.secrets);
  }

  /**
   * Install what the server needs, unless it is all there. Resolves when it can be imported.
   *
   * @throws Problem when that fails.
   * @throws vscode.CancellationError when the user gives up.
   */
  install(): Promise<void> {
    // A second click waits for the first one's installation.
    this.#installing ??= this.#install().finally(() => (this.#installing = undefined));
    return this.#installing;
  }

  /** Whether all packages are there, by their names and versions alone, so that it is quick. */
  async isInstalled(): Promise<boolean> {
    this.#probe.invalidate();
    const wheel = await findWheel(this.#context.extensionPath);
    const { kind } = await this.device();
    return missingPackages(await this.facts(), kind, wheel.version).length === 0;
  }

  /**
   * Environment variables for the server's terminal: HF_MODEL; PYTHONPATH and TT_METAL_HOME when
   * tt-metal is used; HF_TOKEN for a model on the hub.
   *
   * @throws Problem when the choices do not go together.
   */
  async serverVariables(): Promise<Record<string, string>> {
    return variablesFor({
      model: this.model(),
      device: (await this.device()).kind,
      ttMetalFolder: (await this.#usedTtMetal())?.folder,
      pythonPath: process.env["PYTHONPATH"],
      token: await this.token(),
    });
  }

  /**
   * Working directory for the server: tt-metal's folder for a card, else the script's folder.
   *
   * @throws Problem when what is named as tt-metal is something else.
   */
  async workingDirectory(): Promise<string> {
    return (await this.#usedTtMetal())?.folder ?? path.dirname(readSettings().scriptPath);
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }

  async #install(): Promise<void> {
    const wheel = await findWheel(this.#context.extensionPath);
    if (await this.isInstalled()) {
      const complaint = await checkImports(
        (await this.interpreter()).path,
        (await this.device()).kind,
      );
      if (complaint === undefined) return;
      this.#log.warn(`The packages are there, but importing them fails: ${complaint}`);
    }
    const base = await this.interpreter();
    const baseFacts = await this.facts();
    if (await wantsVirtualEnvironment(base.path, baseFacts)) {
      await createVirtualEnvironment(base.path, baseFacts, this.#probe);
    }
    const { path: python, reason } = await this.interpreter();
    this.#log.info(`Installing into ${python}: ${reason}.`);
    const facts = await this.facts();
    const { torchIndex, pipArguments } = readSettings();
    const folder = this.#context.logUri.fsPath;
    const plan = {
      python,
      // Environments that uv has made, as newer versions of tt-metal do, have no pip.
      uv: facts.hasPip ? undefined : onPath("uv", this.#sources()),
      wheel,
      device: (await this.device()).kind,
      platform: process.platform,
      hasTorch: facts.packages.torch !== undefined,
      torchIndex,
      pipArguments,
      logFile: path.join(folder, "pip.log"),
      pinsFile: path.join(folder, "pins.txt"),
    };
    try {
      await installPackages(plan, facts);
    } finally {
      this.refresh();
    }
  }

  /** The interpreter that would be used, without a look at whether it works. */
  async #firstPath(): Promise<string | undefined> {
    try {
      return (await this.#findInterpreter()).path;
    } catch (error) {
      if (error instanceof Problem) return undefined;
      throw error;
    }
  }

  async #findInterpreter(): Promise<Interpreter> {
    const hasCard = (await deviceNodes()).length > 0;
    return findInterpreter(this.#sources(), hasCard ? (file) => this.#hasTtnn(file) : undefined);
  }

  /** Whether an interpreter has ttnn; one that cannot be asked has not. */
  async #hasTtnn(file: string): Promise<boolean> {
    try {
      return (await this.#probe.facts(file)).hasTtnn;
    } catch (error) {
      if (error instanceof ProbeError) return false;
      throw error;
    }
  }

  #sources(): InterpreterSources {
    return {
      setting: readSettings().interpreter,
      fromEnvironmentsExtension: () => this.#extensions.fromEnvironmentsExtension(),
      fromPythonExtension: () => this.#extensions.fromPythonExtension(),
      ttMetalFolder: this.ttMetalFolder(),
      searchPath: process.env["PATH"] ?? "",
      isExecutable,
    };
  }

  #ttMetal(): TtMetal | undefined {
    return findTtMetal({
      setting: readSettings().ttMetalFolder,
      variable: process.env["TT_METAL_HOME"],
      pythonPath: process.env["PYTHONPATH"],
      home: os.homedir(),
    });
  }

  /** tt-metal, if the Tenstorrent device answers. */
  async #usedTtMetal(): Promise<TtMetal | undefined> {
    if ((await this.device()).kind === "cpu") return undefined;
    const ttMetal = this.#ttMetal();
    if (ttMetal) requireGenerator(ttMetal);
    return ttMetal;
  }
}
