// An extension that only the tests install: it runs their functions inside the extension host.
// Every window has a host, so each listens on a socket named after its window's folder.

const { rmSync } = require("node:fs");
const { createServer } = require("node:http");
const { basename, join } = require("node:path");
const { env } = require("node:process");
const { text } = require("node:stream/consumers");
const vscode = require("vscode");

async function invoke(request) {
  const { source, argument } = JSON.parse(await text(request));
  return new Function(`return (${source});`)()(vscode, argument);
}

exports.activate = () => {
  const window = basename(vscode.workspace.workspaceFolders[0].uri.fsPath);
  const socket = join(env.TT_COMPANION_FOLDER, `${window}.sock`);
  rmSync(socket, { force: true }); // the host from before a reload of the window had it
  createServer((request, response) => {
    const answer = (body) => response.end(JSON.stringify(body));
    invoke(request).then(
      (value) => answer({ value }),
      (error) => answer({ error: error instanceof Error ? error.stack : String(error) }),
    );
  }).listen(socket);
};
