/** What the server's routes take and give: types alone, so that the webview knows them too. */

/** The fields of `POST /chat`; those that are missing take the server's defaults. */
export interface ChatRequest {
  readonly prompt: string;
  readonly max_tokens?: number;
  readonly temperature?: number;
}

/** What an answer cost, as `POST /chat` reports it. Seconds and tokens per second. */
export interface ChatResult {
  readonly prompt: string;
  readonly response: string;
  readonly tokens_generated: number;
  readonly time_seconds: number;
  readonly tokens_per_second: number;
  readonly finish_reason: string;
  readonly ttft_seconds: number;
  readonly queue_seconds: number;
}

/** What a model holds in its device's memory from start to end. */
export interface MemoryUse {
  readonly weights_bytes: number;
  readonly kv_cache_bytes: number;
}

/** `GET /health`; the same keys in every state. */
export interface Health {
  readonly status: "healthy" | "loading" | "draining" | "failed";
  readonly model: string | null;
  readonly model_loaded: boolean;
  readonly note: string;
  readonly phase: string;
  readonly progress: number;
  readonly elapsed_seconds: number;
  readonly device: string | null;
  /** Null while the model loads and on a card, which does not tell; older servers lack it. */
  readonly memory?: MemoryUse | null;
  readonly running: number;
  readonly queued: number;
  readonly max_batch_size: number;
  readonly max_seq_len: number;
  readonly version: string;
}
