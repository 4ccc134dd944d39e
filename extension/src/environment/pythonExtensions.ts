import * as vscode from "vscode";

/** An extension that hangs must not keep everything waiting. */
const answerSeconds = 10;

/** The part that is used of what `ms-python.vscode-python-envs` exports. */
interface EnvironmentsApi {
  getEnvironment(
    scope: vscode.Uri | undefined,
  ): Promise<{ readonly execInfo?: { readonly run: { readonly executable: string } } } | undefined>;
  readonly onDidChangeEnvironment?: vscode.Event<unknown>;
}

/** The part that is used of what `ms-python.python` exports. */
interface PythonApi {
  readonly ready?: Promise<void>;
  readonly environments: {
    getActiveEnvironmentPath(scope?: vscode.Uri): { readonly id: string; readonly path: string };
    resolveEnvironment(environment: {
      readonly id: string;
      readonly path: string;
    }): Promise<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

/**
 * The interpreters that Microsoft's two Python extensions have chosen, where they are installed.
 *
 * Neither is needed: an extension that is missing, disabled, broken or slow has chosen nothing.
 */
export class PythonExtensions implements vscode.Disposable {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions = new Map<string, vscode.Disposable>();
  readonly #answers = new Map<string, Promise<string | undefined>>();
  readonly #log: vscode.LogOutputChannel;

  /** Another environment was chosen in one of them. Silent until they have been asked once. */
  readonly onDidChange = this.#changed.event;

  constructor(log: vscode.LogOutputChannel) {
    this.#log = log;
  }

  /** The choice of the Python Environments extension. */
  fromEnvironmentsExtension(): Promise<string | undefined> {
    return this.#ask("ms-python.vscode-python-envs", async (extension) => {
      // It exports nothing while the setting `python.useEnvironmentsExtension` is false.
      const api = (await extension.activate()) as EnvironmentsApi | undefined;
      if (!api) return undefined;
      this.#follow(extension.id, api.onDidChangeEnvironment);
      const environment = await api.getEnvironment(scope());
      return environment?.execInfo?.run.executable;
    });
  }

  /** The choice of the Python extension. */
  fromPythonExtension(): Promise<string | undefined> {
    return this.#ask("ms-python.python", async (extension) => {
      const api = (await extension.activate()) as PythonApi | undefined;
      if (!api) return undefined;
      await api.ready;
      this.#follow(extension.id, api.environments.onDidChangeActiveEnvironmentPath);
      const chosen = api.environments.getActiveEnvironmentPath(scope());
      const environment = await api.environments.resolveEnvironment(chosen);
      return environment?.executable.uri?.fsPath;
    });
  }

  /** Forget the answers, so that the next question reaches the extensions again. */
  invalidate(): void {
    this.#answers.clear();
  }

  dispose(): void {
    for (const subscription of this.#subscriptions.values()) subscription.dispose();
    this.#changed.dispose();
  }

  #ask(
    id: string,
    question: (extension: vscode.Extension<unknown>) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    const extension = vscode.extensions.getExtension<unknown>(id);
    if (!extension) return Promise.resolve(undefined);
    const known = this.#answers.get(id);
    if (known) return known;
    const answer = this.#answerOf(id, question(extension));
    this.#answers.set(id, answer);
    return answer;
  }

  async #answerOf(id: string, answer: Promise<string | undefined>): Promise<string | undefined> {
    try {
      return await withinSeconds(answerSeconds, answer);
    } catch (error) {
      this.#log.warn(`${id} was asked for a Python interpreter and failed: ${String(error)}`);
      return undefined;
    }
  }

  #follow(id: string, event: vscode.Event<unknown> | undefined): void {
    if (!event || this.#subscriptions.has(id)) return;
    this.#subscriptions.set(
      id,
      event(() => {
        this.invalidate();
        this.#changed.fire();
      }),
    );
  }
}

function scope(): vscode.Uri | undefined {
  return vscode.workspace.workspaceFolders?.[0]?.uri;
}

async function withinSeconds<T>(seconds: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${seconds} seconds`));
    }, seconds * 1000);
  });
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
