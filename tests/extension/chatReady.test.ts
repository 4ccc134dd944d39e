import { describe, expect, it } from "vitest";
import { readyServer, waysOut } from "../../extension/src/chat/ready";
import { commands } from "../../extension/src/ids";
import type { Failure, ServerState } from "../../extension/src/server/state";
import { healthy, StateInHand } from "./fakeServer";

const failure: Failure = { code: "no-ttnn", what: "There is no ttnn.", fix: "Choose a Python." };
const address = "http://127.0.0.1:8080";
const ready: ServerState = { kind: "ready", address, health: healthy() };
const loading = (phase: string, elapsed_seconds: number): ServerState => ({
  kind: "loading",
  address,
  health: healthy({ status: "loading", phase, elapsed_seconds }),
});

/** The part of the editor's stream that is used, as one list of what was shown. */
function setUp(state: ServerState) {
  const shown: string[] = [];
  const giveUp = new AbortController();
  const server = new StateInHand(state);
  const response = {
    markdown: (text: string) => shown.push(text.trim()),
    progress: (text: string) => shown.push(`... ${text}`),
    button: ({ title }: { title: string }) => shown.push(`[${title}]`),
  };
  const talk = { response, signal: giveUp.signal } as unknown as Parameters<typeof readyServer>[0];
  return { shown, server, giveUp, done: readyServer(talk, server) };
}

/** Lets those who wait for a state notice it. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a question to a server that cannot answer yet", () => {
  it("is answered at once by one that can", async () => {
    const { shown, done } = setUp(ready);
    expect(await done).toBe(ready);
    expect(shown).toEqual([]);
  });

  it("offers to start it, and goes on when it has started, wherever that was", async () => {
    const { shown, server, done } = setUp({ kind: "stopped" });
    expect(shown).toEqual([
      "Your API server does not run. Start it, and your question is answered here.",
      "[Start the Server]",
      "... Waiting for the server",
    ]);
    for (const state of [{ kind: "starting" }, loading("loading demo", 1)] as const) {
      server.become(state);
      await settled();
    }
    server.become(ready);
    expect(await done).toBe(ready);
    expect(shown.slice(3)).toEqual(["... Starting the server", "... The server is loading demo"]);
  });

  it("tells each phase once, whatever the clock says", async () => {
    const { shown, server, done } = setUp(loading("loading demo", 1));
    for (const seconds of [2, 3]) {
      server.become(loading("loading demo", seconds));
      await settled();
    }
    server.become(loading("warming up", 4));
    await settled();
    server.become(ready);
    await done;
    expect(shown).toEqual(["... The server is loading demo", "... The server is warming up"]);
  });

  it("tells why it failed, offers what helps, and still waits", async () => {
    const { shown, server, done } = setUp({ kind: "starting" });
    server.become({ kind: "failed", failure });
    await settled();
    expect(shown[1]).toContain("There is no ttnn. Choose a Python.");
    expect(shown).toContain("[Start Again]");
    expect(shown).toContain("[Choose Interpreter]");
    server.become(ready);
    expect(await done).toBe(ready);
  });

  it("can be given up", async () => {
    const { giveUp, done } = setUp({ kind: "stopped" });
    giveUp.abort();
    expect(await done).toBeUndefined();
  });
});

describe("the ways out of a failure", () => {
  it.each(["no-ttnn", "killed", "port-taken", "never heard of"])(
    "of the kind '%s' start the server again, by one button",
    (code) => {
      const starts = waysOut({ ...failure, code }).filter((r) => r.command === commands.start);
      expect(starts).toHaveLength(1);
    },
  );
});
