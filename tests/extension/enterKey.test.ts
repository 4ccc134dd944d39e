import { afterEach, expect, test, vi } from "vitest";
import { post, whenKeyIsRefused } from "../../extension/src/server/http";
import { ownKey, useKey } from "../../extension/src/server/ownKey";
import { FakeServer } from "./fakeServer";

const editor = vi.hoisted(() => ({ input: undefined as string | undefined, ran: [] as string[] }));

vi.mock("vscode", async () => ({
  ...(await import("./vscode")),
  commands: { executeCommand: (id: string) => Promise.resolve(void editor.ran.push(id)) },
  window: {
    showInputBox: ({ password }: { password: boolean }) => {
      expect(password).toBe(true);
      return Promise.resolve(editor.input);
    },
    showWarningMessage: (_what: string, button: string) => Promise.resolve(button),
  },
}));

const { attendKey, enterServerKey } = await import("../../extension/src/server/enterKey");

const stored = new Map<string, string>();
const secrets = {
  get: (key: string) => Promise.resolve(stored.get(key)),
  store: (key: string, value: string) => Promise.resolve(void stored.set(key, value)),
  delete: (key: string) => Promise.resolve(void stored.delete(key)),
  onDidChange: () => ({ dispose: () => undefined }),
};

afterEach(() => {
  useKey(undefined);
  stored.clear();
  vi.unstubAllEnvs();
});

test("a key that is entered is kept, used after a reload, and removed again", async () => {
  vi.stubEnv("TTDIRECT_API_KEY", "old");
  editor.input = " new ";
  await enterServerKey(secrets);
  expect([...stored.values()]).toEqual(["new"]);
  useKey(undefined);
  attendKey(secrets);
  await vi.waitFor(() => expect(ownKey()).toBe("new"));
  editor.input = undefined;
  await enterServerKey(secrets);
  expect(ownKey()).toBe("new");
  editor.input = "";
  await enterServerKey(secrets);
  expect(stored.size).toBe(0);
  expect(ownKey()).toBe("old");
});

test("a server that refuses the key leads to the box for another one", async () => {
  attendKey(secrets);
  const server = await new FakeServer(({ response }) => response.writeHead(401).end("{}")).listen();
  await expect(post(server.address, {}, new AbortController().signal)).rejects.toThrow("401");
  await vi.waitFor(() => expect(editor.ran).toEqual(["tenstorrent.enterServerKey"]));
  server.close();
  whenKeyIsRefused(() => undefined);
});
