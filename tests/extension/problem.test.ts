import { afterEach, expect, it } from "vitest";
import { openSettings } from "../../extension/src/problem";
import { env } from "./vscode";

afterEach(() => void (env.remoteName = undefined));

it.each([
  [undefined, "workbench.action.openSettings"],
  ["ssh-remote+board", "workbench.action.openRemoteSettings"],
])("the settings of the machine are opened where it is: remote %s", (remoteName, command) => {
  env.remoteName = remoteName;
  expect(openSettings("tenstorrent.port")).toMatchObject({
    command,
    arguments: [{ query: "tenstorrent.port" }],
  });
});
