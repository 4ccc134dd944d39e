/** What the extension's host and the page that compares say to each other. */

import type { CommonWish, RecordNews, RecordWish } from "../results/protocol";

/** A second server, which speaks OpenAI's API. */
export interface OtherServer {
  /** As `http://127.0.0.1:8000`: what stands before `/v1`. */
  readonly address: string;
  /** Empty: its only one. */
  readonly model: string;
}

/** One question to several columns: each temperature, on this server and perhaps on another. */
export interface Comparison {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperatures: readonly number[];
  readonly other?: OtherServer;
}

/** The most columns that can be read side by side. */
export const mostColumns = 8;

/** Host to page. */
export type ToPage =
  | RecordNews
  /** Whether a key is kept for the server at an address. */
  | { readonly type: "key"; readonly address: string; readonly isKept: boolean };

/** Page to host. */
export type ToHost =
  | CommonWish
  | RecordWish
  | { readonly type: "compare"; readonly comparison: Comparison }
  /** Ask whether a key is kept. */
  | { readonly type: "lookForKey"; readonly address: string }
  /** Let the user enter a key, or remove the one that is kept. */
  | { readonly type: "enterKey"; readonly address: string };
