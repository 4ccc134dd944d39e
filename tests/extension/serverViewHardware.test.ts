import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Board, Chip, Hardware } from "../../extension/src/serverView/hardware";
import { HardwareWatch } from "../../extension/src/serverView/hardwareWatch";
import { readHardware } from "../../extension/src/serverView/readHardware";
import { hardwareRows } from "../../extension/src/serverView/hardwareRows";

const chip: Chip = {
  bus: "0000:01:00.0",
  temperature_celsius: 45.25,
  temperature_limit_celsius: 75,
  power_watts: 22,
  ai_clock_mhz: 1000,
  dram_trained: null,
  firmware: "18.7.0.0",
  answers: true,
};
const silent: Chip = {
  ...chip,
  temperature_celsius: null,
  power_watts: null,
  ai_clock_mhz: null,
  answers: false,
};
const none: Hardware = {
  source: "none",
  driver: "",
  system: null,
  boards: [],
  published: [],
  holders: [],
  pci_cards: 0,
};
const board = (name: string, ...chips: readonly Chip[]): Board => ({ name, chips });
const n300: Hardware = {
  ...none,
  source: "sysfs",
  driver: "2.7.0",
  system: "N300",
  boards: [board("N300", chip)],
  pci_cards: 1,
};
const unused = new AbortController().signal;

describe("the program that looks", () => {
  let folder: string;
  let python: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "python-"));
    python = join(folder, "python");
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function does(line: string): Promise<void> {
    await writeFile(python, `#!/bin/sh\n${line}\n`);
    await chmod(python, 0o755);
  }

  test("is the chosen Python's ttdirect, which gets the model that runs", async () => {
    await does(`echo "$@" > ${folder}/words; echo warning; echo '${JSON.stringify(n300)}'`);
    const served = { model: "Llama-3.1-8B", device: "N300" };
    expect(await readHardware(python, served, unused)).toEqual(n300);
    expect(await readFile(join(folder, "words"), "utf8")).toBe(
      "-m ttdirect hardware --json --model Llama-3.1-8B --system N300\n",
    );
    await does(`[ "$*" = "-m ttdirect hardware --json" ] && echo '${JSON.stringify(none)}'`);
    expect(await readHardware(python, undefined, unused)).toEqual(none);
  });

  test("asks tt-smi when it is told to", async () => {
    await does(
      `[ "$*" = "-m ttdirect hardware --json --tt-smi" ] && echo '${JSON.stringify(n300)}'`,
    );
    expect(await readHardware(python, undefined, unused, true)).toEqual(n300);
  });

  test.each([
    ["echo 'Traceback'; echo '/x/python: No module named ttdirect' >&2; exit 1", /not installed/],
    ["echo 'line one' >&2; echo 'OSError: it broke' >&2; exit 1", /^OSError: it broke$/],
    ["echo 'no JSON'", /printed no description: "no JSON"/],
    ["echo '{}'", /printed no description/],
    ["exit 4", /^ttdirect hardware has ended with 4.$/],
  ])("that does %s is told", async (line, sentence) => {
    await does(line);
    await expect(readHardware(python, undefined, unused)).rejects.toThrow(sentence);
  });

  test("that does not exist is told", async () => {
    await expect(readHardware(python, undefined, unused)).rejects.toThrow("ENOENT");
  });

  test("is given up when a board lets it hang", async () => {
    await does('trap "" TERM; exec sleep 60');
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const reading = expect(readHardware(python, undefined, unused)).rejects.toThrow(
      "ttdirect hardware has not answered within 5 seconds.",
    );
    await vi.advanceTimersByTimeAsync(5000);
    vi.useRealTimers();
    await reading;
  });

  test("is ended when nobody wants to know any more", async () => {
    await does("exec sleep 60");
    const given = new AbortController();
    const reading = readHardware(python, undefined, given.signal);
    given.abort();
    await expect(reading).rejects.toThrow("abort");
  });
});

describe("the watch over the hardware", () => {
  const read = vi.fn<() => Promise<Hardware>>();
  let nodes: readonly string[];
  let watch: HardwareWatch;

  beforeEach(() => {
    read.mockReset();
    nodes = [];
    watch = new HardwareWatch(() => Promise.resolve(nodes), read);
  });

  test("asks a computer without a board once, and again when a driver has come", async () => {
    read.mockResolvedValue(none);
    for (let looks = 0; looks < 3; looks++)
      expect(await watch.look(unused)).toEqual({ kind: "none" });
    expect(read).toHaveBeenCalledTimes(1);
    nodes = ["/dev/tenstorrent/0"];
    read.mockResolvedValue(n300);
    expect(await watch.look(unused)).toEqual({ kind: "read", hardware: n300 });
  });

  test("asks again when told that things may have changed", async () => {
    read.mockResolvedValue(none);
    await watch.look(unused);
    watch.forget();
    await watch.look(unused);
    expect(read).toHaveBeenCalledTimes(2);
  });

  test("says nothing of a failure where there is no board", async () => {
    read.mockRejectedValue(new Error("ttdirect is not installed"));
    expect(await watch.look(unused)).toEqual({ kind: "none" });
    expect(await watch.look(unused)).toEqual({ kind: "none" });
    expect(read).toHaveBeenCalledTimes(1);
  });

  test("does not take a question that was given up for an answer", async () => {
    read.mockRejectedValueOnce(new Error("The operation was aborted"));
    await watch.look(AbortSignal.abort());
    read.mockResolvedValue(n300);
    expect(await watch.look(unused)).toMatchObject({ kind: "read" });
  });

  test("tells a failure where there is a board, and recovers", async () => {
    nodes = ["/dev/tenstorrent/0"];
    read.mockRejectedValueOnce(new Error("It broke."));
    expect(await watch.look(unused)).toEqual({ kind: "unreadable", why: "It broke." });
    read.mockResolvedValue(n300);
    expect(await watch.look(unused)).toEqual({ kind: "read", hardware: n300 });
  });

  test("waits for a board that vanishes in a reset", async () => {
    read.mockResolvedValueOnce(n300).mockResolvedValueOnce(none).mockResolvedValueOnce(n300);
    await watch.look(unused);
    expect(await watch.look(unused)).toMatchObject({ kind: "unreadable", why: /gone/ });
    expect(await watch.look(unused)).toEqual({ kind: "read", hardware: n300 });
  });
});

describe("boards of which the driver tells nothing", () => {
  const old: Hardware = { ...n300, system: null, boards: [board("unknown board", silent)] };
  const seen: Hardware = { ...n300, source: "tt-smi", boards: [board("N300", chip, chip)] };
  const read = vi.fn<(signal: AbortSignal, asksTtSmi: boolean) => Promise<Hardware>>();
  let now: number;
  let watch: HardwareWatch;
  const asked = () => read.mock.calls.map(([, asksTtSmi]) => (asksTtSmi ? "tt-smi" : "files"));

  beforeEach(() => {
    now = 0;
    read.mockReset();
    read.mockImplementation((_, asksTtSmi) => Promise.resolve(asksTtSmi ? seen : old));
    watch = new HardwareWatch(
      () => Promise.resolve(["/dev/tenstorrent/0"]),
      read,
      () => now,
    );
  });

  test("are read with tt-smi, once a minute", async () => {
    for (now of [0, 10_000, 59_999]) {
      expect(await watch.look(unused)).toEqual({ kind: "read", hardware: seen });
    }
    expect(asked()).toEqual(["files", "tt-smi", "files", "files"]);
    now = 60_000;
    await watch.look(unused);
    expect(asked().slice(4)).toEqual(["files", "tt-smi"]);
  });

  test("keep their last readings while a process uses them, which is left in peace", async () => {
    await watch.look(unused);
    now = 60_000;
    const holders = [{ pid: 42, name: "python" }];
    read.mockResolvedValue({ ...old, holders });
    expect(await watch.look(unused)).toEqual({ kind: "read", hardware: { ...seen, holders } });
    expect(asked()).toEqual(["files", "tt-smi", "files"]);
  });

  test("are shown as silent where tt-smi fails, and it is not asked again at once", async () => {
    read.mockImplementation((_, asksTtSmi) =>
      asksTtSmi ? Promise.reject(new Error("It hangs.")) : Promise.resolve(old),
    );
    for (now of [0, 10_000]) {
      expect(await watch.look(unused)).toEqual({ kind: "read", hardware: old });
    }
    expect(asked()).toEqual(["files", "tt-smi", "files"]);
  });

  test("are read from files again as soon as those tell something", async () => {
    await watch.look(unused);
    read.mockResolvedValue(n300);
    expect(await watch.look(unused)).toEqual({ kind: "read", hardware: n300 });
    expect(asked()).toEqual(["files", "tt-smi", "files"]);
  });

  test("are not asked with tt-smi where one chip answers", async () => {
    read.mockResolvedValue({ ...n300, boards: [board("N300", chip), board("?", silent)] });
    await watch.look(unused);
    expect(asked()).toEqual(["files"]);
  });

  test("say in the view that they are read with tt-smi", () => {
    const [section] = hardwareRows({ kind: "read", hardware: seen });
    expect(section?.tooltip).toContain("tt-smi is asked once a minute");
    expect(section?.children?.[0]?.children).toHaveLength(2);
  });
});

describe("the rows of the hardware", () => {
  /** The section's rows as `label: description`, those below indented. */
  function lines(hardware: Hardware): readonly string[] {
    const [section] = hardwareRows({ kind: "read", hardware });
    return (section?.children ?? []).flatMap((row) => [
      `${row.icon} ${row.label}: ${row.description}`,
      ...(row.children ?? []).map((below) => `  ${below.label}: ${below.description}`),
    ]);
  }

  test("are none without a board", () => {
    expect(hardwareRows({ kind: "none" })).toEqual([]);
  });

  test("tell a board in one line, its driver, and who uses it", () => {
    const holders = [
      { pid: 0, name: "" },
      { pid: 42, name: "python" },
    ];
    expect(lines({ ...n300, holders })).toEqual([
      "chip N300: 45 °C, 22 W, 1000 MHz",
      "plug Driver: 2.7.0",
      "file-binary Firmware: 18.7.0.0",
      "account In use by: a process outside this container, python (42)",
    ]);
    const [section] = hardwareRows({ kind: "read", hardware: n300 });
    expect(section?.description).toBe("N300");
    expect(section?.children?.[0]?.tooltip).toBe(
      "N300: 45 °C, 22 W, 1000 MHz\nFirmware 18.7.0.0\nPCI address 0000:01:00.0\n" +
        "Turns itself off at 75 °C",
    );
  });

  test("tell the chips of a board apart, and boards of a kind", () => {
    const boards = [board("P300", chip, { ...chip, power_watts: 30 }), board("P300", chip)];
    expect(lines({ ...n300, boards }).slice(0, 4)).toEqual([
      "chip P300 (0): 2 chips",
      "  Chip 0: 45 °C, 22 W, 1000 MHz",
      "  Chip 1: 45 °C, 30 W, 1000 MHz",
      "chip P300 (1): 45 °C, 22 W, 1000 MHz",
    ]);
  });

  test.each([
    [silent, /^warning N300: It does not answer: it hangs or starts up\. .*tt-smi -r$/],
    [{ ...chip, dram_trained: false }, /^warning N300: Its memory did not come up\. .*tt-smi -r$/],
    [{ ...chip, temperature_celsius: 71 }, /^warning N300: hot: 71 °C/],
    [{ ...chip, temperature_celsius: 71, temperature_limit_celsius: 0 }, /^chip N300: 71 °C/],
  ])("tell a board that needs somebody in its place", (state, line) => {
    expect(lines({ ...n300, boards: [board("N300", state)] })[0]).toMatch(line);
  });

  test("tell a card that no driver has taken", () => {
    const [line] = lines({ ...none, pci_cards: 2 });
    expect(line).toContain("No driver: 2 cards are on the PCI bus");
    expect(line).toContain("modprobe tenstorrent");
  });

  test("tell why the boards cannot be read", () => {
    const [section] = hardwareRows({ kind: "unreadable", why: "It broke." });
    expect(section?.children).toMatchObject([{ icon: "warning", description: "It broke." }]);
  });
});
