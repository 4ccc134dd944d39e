/** The few parts of the editor's module that unit tests need; the editor suite uses the real one. */

export class CancellationError extends Error {}

/** English, with the placeholders filled in, until a test gives it another language. */
export * as l10n from "@vscode/l10n";

/** As in an editor on this computer; over SSH, in a container or in code-server it has a name. */
export const env: { remoteName: string | undefined } = { remoteName: undefined };

/** A window that somebody uses. */
export const window = { state: { focused: true, active: true } };

export class LanguageModelError extends Error {
  static NotFound(message: string): LanguageModelError {
    return Object.assign(new LanguageModelError(message), { code: "NotFound" });
  }
}

export enum QuickPickItemKind {
  Separator = -1,
  Default = 0,
}

export class EventEmitter<T> {
  readonly #listeners = new Set<(value: T) => unknown>();

  readonly event = (listener: (value: T) => unknown): { dispose(): void } => {
    this.#listeners.add(listener);
    return { dispose: () => void this.#listeners.delete(listener) };
  };

  fire(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }

  dispose(): void {
    this.#listeners.clear();
  }
}

export enum LanguageModelChatMessageRole {
  User = 1,
  Assistant = 2,
}

export enum LanguageModelChatToolMode {
  Auto = 1,
  Required = 2,
}

export class LanguageModelTextPart {
  constructor(readonly value: string) {}
}

export class LanguageModelToolCallPart {
  constructor(
    readonly callId: string,
    readonly name: string,
    readonly input: object,
  ) {}
}

export class LanguageModelToolResultPart {
  constructor(
    readonly callId: string,
    readonly content: readonly unknown[],
  ) {}
}

export class LanguageModelToolResult {
  constructor(readonly content: readonly unknown[]) {}
}

export class McpStdioServerDefinition {
  constructor(
    readonly label: string,
    public command: string,
    public args: readonly string[],
    public env: object,
    public version: string,
  ) {}
}

export class CancellationTokenSource {
  readonly #cancelled = new EventEmitter<void>();

  readonly token = {
    isCancellationRequested: false,
    onCancellationRequested: this.#cancelled.event,
  };

  cancel(): void {
    this.token.isCancellationRequested = true;
    this.#cancelled.fire();
  }
}
