/** The page's line to the extension's host, and what the page remembers by itself. */

import type { ToHost } from "../results/protocol";

/** Kept by the editor while the page is hidden and over reloads of the window. */
export interface PageState {
  readonly prompt?: string;
  readonly maxTokens?: string;
  readonly temperature?: string;
  /** Pixels from the top. */
  readonly scroll?: number;
  readonly chartIsOpen?: boolean;
}

/** The editor's API in a webview. */
export interface EditorApi {
  postMessage(message: ToHost): void;
  getState(): PageState | undefined;
  setState(state: PageState): void;
}

export type Post = (message: ToHost) => void;

/** A part of the page's state, read once and written in pieces. */
export class Memory {
  readonly #api: EditorApi;
  #state: PageState;

  constructor(api: EditorApi) {
    this.#api = api;
    this.#state = api.getState() ?? {};
  }

  get state(): PageState {
    return this.#state;
  }

  keep(part: PageState): void {
    this.#state = { ...this.#state, ...part };
    this.#api.setState(this.#state);
  }
}
