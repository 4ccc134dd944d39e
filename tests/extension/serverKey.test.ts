import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, it, test, vi } from "vitest";
import { authorization, post, whenKeyIsRefused } from "../../extension/src/server/http";
import { ownKey, useKey } from "../../extension/src/server/ownKey";
import { FakeServer } from "./fakeServer";

beforeEach(() => {
  vi.stubEnv("TTDIRECT_API_KEY", "");
  vi.stubEnv("TTDIRECT_API_KEY_FILE", "");
});

afterEach(() => {
  useKey(undefined);
  vi.unstubAllEnvs();
});

describe("the key of one's own servers", () => {
  it.each([
    ["a", "a"],
    ["a,b", "a"],
    [" , a\nb\n", "a"],
    ["", undefined],
  ])("is the first of %j", (keys, first) => {
    vi.stubEnv("TTDIRECT_API_KEY", keys);
    expect(ownKey()).toBe(first);
    expect(authorization()).toEqual(first ? { Authorization: `Bearer ${first}` } : {});
  });

  it.each([
    ["# keys\n\nann: secret\nother\n", "secret"],
    ["plain\n", "plain"],
    ["# none\n", undefined],
  ])("is the first in the file %j", (content, first) => {
    const folder = mkdtempSync(path.join(tmpdir(), "keys-"));
    writeFileSync(path.join(folder, "keys"), content);
    vi.stubEnv("TTDIRECT_API_KEY_FILE", path.join(folder, "keys"));
    expect(ownKey()).toBe(first);
    rmSync(folder, { recursive: true });
    expect(ownKey()).toBeUndefined();
  });

  it("is the one that was entered, before that of the environment", () => {
    vi.stubEnv("TTDIRECT_API_KEY", "a");
    useKey("entered");
    expect(ownKey()).toBe("entered");
  });
});

test("a refused key of one's own is told, one for somebody else's server is not", async () => {
  vi.stubEnv("TTDIRECT_API_KEY", "old,older");
  const server = await new FakeServer(({ response }) => response.writeHead(401).end("{}")).listen();
  const told = vi.fn();
  whenKeyIsRefused(told);
  const { signal } = new AbortController();
  try {
    await expect(post(server.address, {}, signal, "theirs")).rejects.toThrow("401");
    expect(told).not.toHaveBeenCalled();
    await expect(post(server.address, {}, signal)).rejects.toThrow("401");
    expect(told).toHaveBeenCalledTimes(1);
    expect(server.asked.map(({ key }) => key)).toEqual(["Bearer theirs", "Bearer old"]);
  } finally {
    server.close();
    whenKeyIsRefused(() => undefined);
  }
});
