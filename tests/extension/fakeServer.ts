import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import type { Health } from "../../extension/src/server/api";
import type { ServerState } from "../../extension/src/server/state";
import type { WatchedServer } from "../../extension/src/server/waiting";
import { EventEmitter } from "./vscode";

/** A request as it came, and where its answer goes. */
export interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly key: string | undefined;
  readonly response: ServerResponse;
}

/** An HTTP server whose answers the test writes itself. */
export class FakeServer {
  readonly asked: Asked[] = [];
  readonly #server: Server;
  address = "";

  constructor(answer: (asked: Asked) => void) {
    this.#server = createServer((request: IncomingMessage, response) => {
      void json(request).then((body) => {
        const asked = {
          path: request.url ?? "",
          body: body as Record<string, unknown>,
          key: request.headers.authorization,
          response,
        };
        this.asked.push(asked);
        answer(asked);
      });
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.address = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Server-sent events as one text. */
export function events(...data: readonly (object | string)[]): string {
  return data
    .map((each) => `data: ${typeof each === "string" ? each : JSON.stringify(each)}\n\n`)
    .join("");
}

/** A chunk of OpenAI's stream. */
export function chunk(delta: object, finishReason: string | null = null): object {
  return { choices: [{ index: 0, delta, finish_reason: finishReason }] };
}

export function usage(prompt: number, completion: number, cached = 0): object {
  return {
    choices: [],
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      prompt_tokens_details: { cached_tokens: cached },
    },
  };
}

/** `/health` of a server that is ready, with what a test wants to be different. */
export function healthy(different: Partial<Health> = {}): Health {
  return {
    status: "healthy",
    model: "ttdirect-demo",
    model_loaded: true,
    note: "",
    phase: "ready",
    progress: 1,
    elapsed_seconds: 1,
    device: "CPU",
    memory: null,
    running: 0,
    queued: 0,
    max_batch_size: 32,
    max_seq_len: 2048,
    version: "0.1.0",
    ...different,
  };
}

/** The server as others see it, with its state in the test's hand. */
export class StateInHand implements WatchedServer {
  readonly #changes = new EventEmitter<ServerState>();
  readonly onDidChangeState = this.#changes.event;

  constructor(public state: ServerState) {}

  become(state: ServerState): void {
    this.state = state;
    this.#changes.fire(state);
  }
}
