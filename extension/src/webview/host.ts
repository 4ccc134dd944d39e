/** The page's line to the extension's host, and what the page remembers by itself. */

import type { CommonWish, RecordWish, ToHost } from "../results/protocol";

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
export interface EditorApi<Message = ToHost, State = PageState> {
  postMessage(message: Message): void;
  getState(): State | undefined;
  setState(state: State): void;
}

export type Post = (message: ToHost) => void;

/** Tells the host what every page with records lets a person do with them. */
export type PostAboutRecords = (message: CommonWish | RecordWish) => void;

/** A part of the page's state, read once and written in pieces. */
export class Memory<State extends object = PageState> {
  readonly #api: EditorApi<never, Partial<State>>;
  #state: Partial<State>;

  constructor(api: EditorApi<never, Partial<State>>) {
    this.#api = api;
    this.#state = api.getState() ?? {};
  }

  get state(): Partial<State> {
    return this.#state;
  }

  keep(part: Partial<State>): void {
    this.#state = { ...this.#state, ...part };
    this.#api.setState(this.#state);
  }
}
