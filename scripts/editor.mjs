// `make editor`: VS Code with the extension, in the browser, until Ctrl+C.
//
//     node scripts/editor.mjs [folder]
//
// Settings, extensions and logs stay in the folder, which is .cache/editor if none is named; the
// lesson's script goes to the home folder, as it would in any VS Code.

import { spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  installExtension,
  root,
  startCodeServer,
  vsixPath,
  writeSettings,
} from "./code_server.mjs";

const folder = process.argv[2] ?? join(root, ".cache/editor");
const folders = { data: join(folder, "data"), extensions: join(folder, "extensions") };
const workspace = join(folder, "workspace");

/** VS Code has no option that opens a walkthrough at the start, so an extension does it. */
const opener = {
  "package.json": JSON.stringify({
    name: "opener",
    publisher: "make-editor",
    version: "1.0.0",
    engines: { vscode: "^1.104.0" },
    extensionKind: ["workspace"],
    main: "./main.js",
    activationEvents: ["onStartupFinished"],
  }),
  "main.js": `
    exports.activate = async ({ workspaceState }) => {
      if (workspaceState.get("opened")) return; // the window was only reloaded
      await workspaceState.update("opened", true);
      await require("vscode").commands.executeCommand("tenstorrent.openWalkthrough");
    };`,
};

async function prepare() {
  // From scratch, so that the VSIX in it is the one just built and the walkthrough opens again.
  for (const old of Object.values(folders)) await rm(old, { recursive: true, force: true });
  await mkdir(workspace, { recursive: true });
  const openerFolder = join(folders.extensions, "make-editor.opener-1.0.0");
  await mkdir(openerFolder, { recursive: true });
  for (const [name, text] of Object.entries(opener)) {
    await writeFile(join(openerFolder, name), text);
  }
  await writeSettings(folders, {
    user: {
      "workbench.startupEditor": "none",
      "workbench.welcomePage.experimentalOnboarding": false,
      "workbench.secondarySideBar.defaultVisibility": "hidden",
      "extensions.ignoreRecommendations": true,
      // The workspace lies in this checkout.
      "git.openRepositoryInParentFolders": "never",
      "telemetry.telemetryLevel": "off",
    },
    // What the lesson installs is in there already: nothing has to be downloaded.
    machine: { "tenstorrent.interpreter": join(root, ".venv/bin/python") },
  });
  await installExtension(folders, vsixPath());
}

/** Show a page in the user's browser, where there is one. */
function browse(url) {
  const hasDisplay = process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  if (!hasDisplay) return;
  spawn("xdg-open", [url], { stdio: "ignore", detached: true })
    .on("error", () => {}) // the address is on the screen anyway
    .unref();
}

await prepare();
const server = await startCodeServer(folders, { flags: ["--disable-workspace-trust"] });
const url = `${server.url}/?folder=${workspace}`;
console.log(`
VS Code is at  ${url}
The walkthrough opens by itself; F1, "Tenstorrent: Open the Walkthrough" brings it back.
Ctrl+C ends VS Code and every server that was started in it.
`);
browse(url);

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, server.stop);
await server.ended;
