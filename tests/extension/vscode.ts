/** The few parts of the editor's module that unit tests need; the editor suite uses the real one. */

export class CancellationError extends Error {}

/** As in an editor on this computer; over SSH, in a container or in code-server it has a name. */
export const env: { remoteName: string | undefined } = { remoteName: undefined };

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
