// @ts-check
// Run the VS Code that `scripts/install_editor.sh` puts into .cache/editor. Used by `make editor`
// and by the tests in tests/editor.

import { execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const root = fileURLToPath(new URL("..", import.meta.url));

const modules = join(root, ".cache/editor/code-server/node_modules");
const node = join(modules, `node-linux-${process.arch}/bin/node`);
const entry = join(modules, "code-server/out/node/entry.js");

/** Carried by everything that an editor starts, so that all of it, and nothing else, is ended. */
const mark = "TT_EDITOR_RUN";
const patienceSeconds = { start: 60, stop: 10 };

/**
 * Where an editor keeps its things.
 *
 * @typedef {object} Folders
 * @property {string} data User data: settings, logs.
 * @property {string} extensions Installed extensions.
 */

/**
 * A running editor.
 *
 * @typedef {object} CodeServer
 * @property {string} url Its address, without a slash at the end.
 * @property {Promise<void>} ended Resolves when it has ended, for whatever reason.
 * @property {() => Promise<void>} stop End it and all that it has started, terminals included.
 */

/** The VSIX that `make package` builds from this checkout. */
export function vsixPath() {
  const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return join(root, "dist", `${name}-${version}.vsix`);
}

/**
 * Write the user's settings, each to the file from which VS Code reads it: on a remote machine,
 * as code-server is one, what depends on the machine is not looked for in the user's file.
 *
 * @param {Folders} folders
 * @param {{ user?: Record<string, unknown>, machine?: Record<string, unknown> }} settings
 */
export async function writeSettings(folders, { user = {}, machine = {} }) {
  for (const [scope, values] of Object.entries({ User: user, Machine: machine })) {
    const folder = join(folders.data, scope);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "settings.json"), JSON.stringify(values, null, 2));
  }
}

/**
 * Install an extension, also into an editor that is running.
 *
 * @param {Folders} folders
 * @param {string} vsix
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function installExtension(folders, vsix, env = process.env) {
  const argv = [...(await commandLine(folders)), "--install-extension", vsix];
  await promisify(execFile)(node, argv, { env });
}

/**
 * Start an editor on a free port of 127.0.0.1.
 *
 * @param {Folders} folders
 * @param {object} [options]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {readonly string[]} [options.flags] More flags for code-server.
 * @param {(line: string) => void} [options.onLine] Sees each line that code-server prints.
 * @returns {Promise<CodeServer>}
 */
export async function startCodeServer(folders, options = {}) {
  const { env = process.env, flags = [], onLine = () => {} } = options;
  const run = randomUUID();
  const argv = [
    ...(await commandLine(folders)),
    ...["--bind-addr", "127.0.0.1:0", "--auth", "none"],
    ...["--disable-telemetry", "--disable-update-check", "--ignore-last-opened"],
    ...flags,
  ];
  const child = spawn(node, argv, {
    env: { ...env, [mark]: run },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // Ctrl+C reaches only our program, which then stops the editor
  });
  /** @type {Promise<void>} */
  const ended = new Promise((resolve) => child.once("exit", () => resolve()));
  const stop = () => endMarked(run);

  /** @type {string[]} */
  const said = [];
  /** @type {Promise<string>} */
  const address = new Promise((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on("line", (line) => {
        said.push(line);
        onLine(line);
        const found = /HTTP server listening on (http:\S+?)\/?$/.exec(line)?.[1];
        if (found) resolve(found);
      });
    }
  });
  // Unreferenced, or a program that ends its editor early would wait for the rest of the time.
  const patience = delay(patienceSeconds.start * 1000, undefined, { ref: false });
  const url = await Promise.race([address, ended, patience]);
  if (typeof url !== "string") {
    await stop();
    throw new Error(`code-server did not start:\n${said.slice(-20).join("\n")}`);
  }
  return { url, ended, stop };
}

/**
 * @param {Folders} folders
 * @returns {Promise<string[]>}
 */
async function commandLine(folders) {
  if (!existsSync(entry)) {
    throw new Error("code-server is not installed; run scripts/install_editor.sh");
  }
  await mkdir(folders.data, { recursive: true });
  // Without a configuration of its own, code-server writes one to the user's home folder.
  const config = join(folders.data, "config.yaml");
  await writeFile(config, "");
  return [
    entry,
    ...["--config", config, "--session-socket", join(folders.data, "session.sock")],
    ...["--user-data-dir", folders.data, "--extensions-dir", folders.extensions],
  ];
}

/** @param {string} run */
async function endMarked(run) {
  for (const signal of /** @type {const} */ (["SIGTERM", "SIGKILL"])) {
    const deadline = Date.now() + patienceSeconds.stop * 1000;
    signalAll(marked(run), signal);
    while (marked(run).length > 0 && Date.now() < deadline) await delay(50);
  }
}

/**
 * The processes of a run. Terminals are sessions of their own, so a process group would miss them.
 *
 * @param {string} run
 */
function marked(run) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => environmentOf(pid).includes(`${mark}=${run}`))
    .map(Number);
}

/** @param {string} pid */
function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return []; // it has ended, or belongs to someone else
  }
}

/**
 * @param {readonly number[]} pids
 * @param {NodeJS.Signals} signal
 */
function signalAll(pids, signal) {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended in the meantime.
    }
  }
}
