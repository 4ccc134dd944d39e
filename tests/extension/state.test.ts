import { describe, expect, it } from "vitest";
import type { Health } from "../../extension/src/server/client";
import {
  next,
  type Observation,
  sentencesOf,
  type ServerState,
  stopped,
} from "../../extension/src/server/state";

const address = "http://127.0.0.1:8080";

function health(status: Health["status"], more: Partial<Health> = {}): Health {
  return {
    status,
    model: status === "healthy" ? "ttdirect-demo" : null,
    model_loaded: status === "healthy",
    note: "a note",
    phase: "loading demo",
    progress: 0.5,
    elapsed_seconds: 3,
    device: null,
    running: 0,
    queued: 0,
    max_batch_size: 32,
    max_seq_len: 2048,
    version: "0.1.0",
    ...more,
  };
}

const sees = (status: Health["status"], more?: Partial<Health>): Observation => ({
  kind: "health",
  address,
  health: health(status, more),
});
const failure = { code: "model-not-found", what: "There is no such model.", fix: "choose another" };

function after(...observations: Observation[]): ServerState {
  return observations.reduce(next, stopped);
}

describe("the server's state", () => {
  it("goes from a launch over loading to ready", () => {
    expect(after({ kind: "launched" }).kind).toBe("starting");
    expect(after({ kind: "launched" }, sees("loading")).kind).toBe("loading");
    expect(after({ kind: "launched" }, sees("loading"), sees("healthy")).kind).toBe("ready");
  });

  it("is ready at once when a running server is found", () => {
    expect(after(sees("healthy"))).toEqual({ kind: "ready", address, health: health("healthy") });
  });

  it("stays the same object while nothing changes, so that nothing is drawn again", () => {
    const state = after(sees("healthy"));
    expect(next(state, sees("healthy"))).toBe(state);
    expect(next(state, sees("healthy", { running: 1 }))).not.toBe(state);
  });

  it("stays stopping, whatever /health still says, until the process has ended", () => {
    const stopping = after(sees("healthy"), { kind: "stopRequested" });
    expect(stopping).toEqual({ kind: "stopping", address });
    expect(next(stopping, sees("healthy"))).toBe(stopping);
    expect(next(stopping, { kind: "ended", failure })).toEqual(stopped);
  });

  it("is stopping when somebody else stops the server", () => {
    expect(after(sees("healthy"), sees("draining")).kind).toBe("stopping");
  });

  it("keeps the reason of a failure", () => {
    expect(after({ kind: "launched" }, { kind: "ended", failure })).toEqual({
      kind: "failed",
      failure,
    });
  });

  it("waits for the reason when /health says failed before the note does", () => {
    const failing = after({ kind: "launched" }, sees("loading"), sees("failed"));
    expect(failing.kind).toBe("starting");
    expect(next(failing, { kind: "ended", failure })).toEqual({ kind: "failed", failure });
    expect(next(failing, sees("loading")).kind).toBe("loading");
  });

  it("is stopped after an orderly end", () => {
    expect(after(sees("healthy"), { kind: "ended", failure: undefined })).toEqual(stopped);
  });

  it("loads again when the server replaces a worker that died", () => {
    expect(after(sees("healthy"), sees("loading")).kind).toBe("loading");
  });

  it("forgets a request to stop what does not run", () => {
    expect(after({ kind: "stopRequested" })).toBe(stopped);
  });
});

it("tells what the server says of its failure in sentences", () => {
  const failure = { code: "x", what: "cannot read it", fix: "look into the terminal" };
  expect(sentencesOf(failure)).toEqual(["Cannot read it.", "Look into the terminal."]);
});
