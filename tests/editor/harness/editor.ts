import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import {
  type CodeServer,
  installExtension,
  root,
  startCodeServer,
  vsixPath,
  writeSettings,
} from "../../../scripts/code_server.mjs";
import { ExtensionHost } from "./extension_host";

export type Settings = Readonly<Record<string, unknown>>;

export interface EditorOptions {
  /** Settings of ours (`tenstorrent.*`) and of VS Code, on top of those that every test has. */
  readonly settings?: Settings;
  /** Whether the VSIX is installed before the editor starts; true if left out. */
  readonly installed?: boolean;
  /** More environment variables for the editor and all that it starts. */
  readonly env?: NodeJS.ProcessEnv;
  /** More flags for code-server. */
  readonly flags?: readonly string[];
  /** Whether a workspace is restricted until its user trusts it; false if left out. */
  readonly asksForTrust?: boolean;
}

/** The same for every test: nothing moves, nothing is fetched, nothing is in the way. */
const quiet: Settings = {
  "workbench.startupEditor": "none",
  "workbench.welcomePage.experimentalOnboarding": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.reduceMotion": "on",
  // Terminals drawn as text, so that the text can be read.
  "terminal.integrated.gpuAcceleration": "off",
  "extensions.ignoreRecommendations": true,
  "extensions.autoUpdate": false,
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "git.autofetch": false,
};

/** An editor of its own: empty home folder, own settings, extensions and processes. */
export class Editor {
  readonly url: string;
  /** What `~` means to the extension and to everything that it starts. */
  readonly home: string;
  /** The setting `tenstorrent.port`. */
  readonly port: number;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #server: CodeServer;

  private constructor(folder: string, port: number, env: NodeJS.ProcessEnv, server: CodeServer) {
    this.url = server.url;
    this.port = port;
    this.home = join(folder, "home");
    this.#folder = folder;
    this.#env = env;
    this.#server = server;
  }

  static async start(options: EditorOptions): Promise<Editor> {
    const folder = await mkdtemp(join(tmpdir(), "tt-editor-"));
    const folders = foldersIn(folder);
    const env = {
      ...plainEnvironment(),
      HOME: join(folder, "home"),
      TMPDIR: join(folder, "tmp"),
      TT_COMPANION_FOLDER: join(folder, "hosts"),
      ...options.env,
    };
    for (const name of ["home", "tmp", "hosts"]) await mkdir(join(folder, name));
    await cp(
      join(import.meta.dirname, "../companion"),
      join(folders.extensions, "tests.companion-1.0.0"),
      { recursive: true },
    );
    const port = await freePort();
    await writeSettings(folders, splitSettings({ "tenstorrent.port": port, ...options.settings }));
    if (options.installed ?? true) await installExtension(folders, vsixPath(), env);
    const server = await startCodeServer(folders, {
      env,
      flags: [
        ...(options.asksForTrust ? [] : ["--disable-workspace-trust"]),
        ...(options.flags ?? []),
      ],
    });
    return new Editor(folder, port, env, server);
  }

  /** Install the VSIX now, as a user would while windows are open. */
  async install(): Promise<void> {
    await installExtension(foldersIn(this.#folder), vsixPath(), this.#env);
  }

  /** Create a folder with these files, for a window to open. */
  async workspace(name: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
    const folder = join(this.#folder, "workspaces", name);
    await mkdir(folder, { recursive: true });
    for (const [file, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), content);
    }
    return folder;
  }

  /** The files that hold settings, and that users share and put under version control. */
  settingsFiles(): readonly string[] {
    const { data } = foldersIn(this.#folder);
    return ["User", "Machine"].map((scope) => join(data, scope, "settings.json"));
  }

  /** The extension host of the window that shows the workspace of that name. */
  extensionHost(workspace: string): ExtensionHost {
    return new ExtensionHost(join(this.#folder, "hosts", `${workspace}.sock`));
  }

  /** End the editor and all that it has started; its logs are kept in `logs`. */
  async stop(logs: string): Promise<void> {
    await this.#server.stop();
    await cp(join(foldersIn(this.#folder).data, "logs"), logs, { recursive: true });
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function foldersIn(folder: string) {
  return { data: join(folder, "data"), extensions: join(folder, "extensions") };
}

function splitSettings(settings: Settings) {
  const all = Object.entries({
    "tenstorrent.interpreter": join(root, ".venv/bin/python"),
    ...quiet,
    ...settings,
  });
  const ours = ([name]: readonly [string, unknown]) => name.startsWith("tenstorrent.");
  return {
    user: Object.fromEntries(all.filter((entry) => !ours(entry))),
    machine: Object.fromEntries(all.filter(ours)),
  };
}

/** The environment without what would make a test depend on who runs it. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const personal =
    /^(HF_|TT_|XDG_|VSCODE_|npm_|NODE_|MAKE|PYTHON|VIRTUAL_ENV|MESH_DEVICE|ARCH_NAME)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !personal.test(name)));
}
