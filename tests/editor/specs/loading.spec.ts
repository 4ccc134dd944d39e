import { readFile, rm, writeFile } from "node:fs/promises";
import { expect, start, test } from "../harness/fixtures";

test.describe.configure({ mode: "serial" });

/** Let the user's script wait inside a phase of loading until the file `gate` is there. */
async function waitForGate(script: string, gate: string): Promise<void> {
  const line = '        phase(f"loading {MODEL}", 0.05)\n';
  const text = await readFile(script, "utf8");
  expect(text).toContain(line);
  const wait = `        while not os.path.exists("${gate}"):\n            __import__("time").sleep(0.05)\n`;
  await writeFile(script, text.replace(line, line + wait));
}

test("the phase of loading stands in the status bar, with its seconds", async ({
  workbench,
  editor,
}) => {
  const script = `${editor.home}/tt-api-server-direct.py`;
  const server = workbench.statusItem("server");
  await workbench.runCommand("Tenstorrent: Create the API Server Script");
  await expect(workbench.tab("tt-api-server-direct.py")).toBeVisible(start);
  await waitForGate(script, `${editor.home}/gate`);

  await workbench.runCommand("Tenstorrent: Start the API Server");
  await expect(server).toContainText(/loading demo, \d+ s/, start);
  const seconds = async (): Promise<number> =>
    Number(/(\d+) s/.exec((await server.textContent()) ?? "")?.[1]);
  const before = await seconds();
  await expect.poll(seconds).toBeGreaterThan(before);

  await writeFile(`${editor.home}/gate`, "");
  await expect(server).toContainText("ttdirect-demo", start);
});

test("a server that is stopped while it loads is stopped, not failed", async ({
  workbench,
  editor,
}) => {
  const server = workbench.statusItem("server");
  await workbench.runCommand("Tenstorrent: Show Results"); // wakes the extension
  await expect(server).toContainText("ttdirect-demo", start);
  await rm(`${editor.home}/gate`);
  await workbench.runCommand("Tenstorrent: Restart the API Server");
  await expect(server).toContainText("loading demo", start);
  await workbench.runCommand("Tenstorrent: Stop the API Server");
  await expect(server).toContainText("API server: stopped", start);
  await expect(workbench.notifications).toHaveCount(0);
});
