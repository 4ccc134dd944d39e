import { expect, test, vi } from "vitest";
import { registered } from "../../extension/src/optional";

test("what an editor lacks is logged, and the others are registered all the same", () => {
  const warn = vi.fn();
  const last = { dispose: () => undefined };
  const chat = (): never => {
    throw new TypeError("vscode.chat is undefined");
  };
  expect(registered({ warn }, { chat, tools: () => last })).toEqual([last]);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn).toHaveBeenCalledWith(expect.stringMatching(/chat.*vscode.chat is undefined/));
});
