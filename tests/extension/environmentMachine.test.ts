import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { decideDevice } from "../../extension/src/environment/device";
import {
  findTtMetal,
  requireGenerator,
  usualFolders,
} from "../../extension/src/environment/ttMetal";

describe("the device", () => {
  test("is the CPU without a card", () => {
    expect(decideDevice([], true)).toEqual({
      kind: "cpu",
      reason: "No /dev/tenstorrent, so the CPU answers.",
    });
  });

  test("is the CPU while this Python has no ttnn", () => {
    expect(decideDevice(["/dev/tenstorrent/0"], false)).toEqual({
      kind: "cpu",
      reason: "/dev/tenstorrent/0 is here but ttnn is not in this Python, so the CPU answers.",
    });
  });

  test("is the card when both are here", () => {
    expect(decideDevice(["/dev/tenstorrent/0", "/dev/tenstorrent/1"], true)).toEqual({
      kind: "tenstorrent",
      reason: "/dev/tenstorrent/0 and ttnn are here, so the Tenstorrent device answers.",
    });
  });
});

describe("tt-metal", () => {
  const sources = {
    setting: "/set/tt-metal",
    variable: "/var/tt-metal",
    pythonPath: undefined,
    home: "/srv/ada",
  };
  const everywhere = () => true;
  const nowhere = () => false;

  test("is where the setting says, then TT_METAL_HOME, then the home folder", () => {
    expect(findTtMetal(sources, everywhere)?.folder).toBe("/set/tt-metal");
    expect(findTtMetal({ ...sources, setting: "" }, everywhere)?.folder).toBe("/var/tt-metal");
    const neither = { ...sources, setting: "", variable: undefined };
    expect(findTtMetal(neither, everywhere)?.folder).toBe("/srv/ada/tt-metal");
  });

  describe("on PYTHONPATH", () => {
    const find = (pythonPath: string, ...files: readonly string[]) => {
      const exists = (file: string) => files.some((f) => f === file || f.startsWith(`${file}/`));
      return findTtMetal({ ...sources, setting: "", variable: "", pythonPath }, exists)?.folder;
    };
    const clone = ["/a/models/__init__.py", "/a/models/tt_transformers/generator.py"];
    const folder = "/b/models/tt_transformers/generator.py";

    test("is behind TT_METAL_HOME and before the home folder", () => {
      const everything = { ...sources, setting: "", pythonPath: "/path/tt-metal" };
      const onPath = (file: string) => file !== "/path/tt-metal/models.py";
      expect(findTtMetal(everything, onPath)?.namedBy).toBe("TT_METAL_HOME");
      expect(findTtMetal({ ...everything, variable: undefined }, onPath)).toEqual({
        folder: "/path/tt-metal",
        namedBy: "PYTHONPATH",
      });
    });

    test("is the first entry that Python would import models from", () => {
      expect(find("/none:/a:/b", ...clone, folder)).toBe("/a");
      expect(find("/b", folder)).toBe("/b");
    });

    test("is hidden by another package or file of that name in front of it", () => {
      expect(find("/other:/a", "/other/models/__init__.py", ...clone)).toBeUndefined();
      expect(find("/other:/a", "/other/models.py", ...clone)).toBeUndefined();
    });

    test("as a mere folder stands behind every package, wherever that is", () => {
      expect(find("/b:/a", folder, ...clone)).toBe("/a");
      expect(find("/b:/other", folder, "/other/models.py")).toBeUndefined();
    });

    test("is looked for in absolute entries only: the server has another working folder", () => {
      expect(
        find(":b:/c", "b/models/tt_transformers/x", "/models/tt_transformers"),
      ).toBeUndefined();
    });
  });

  test("that nobody named is in the first usual folder that has the Generator API", () => {
    const asked: string[] = [];
    const unnamed = { ...sources, setting: "", variable: "" };
    const folders = ["/srv/ada/tt-metal", "/opt/tt-metal", "/tt-metal"];
    for (const [index, folder] of folders.entries()) {
      const there = folders.slice(index).map((it) => `${it}/models/tt_transformers`);
      const found = findTtMetal(unnamed, (it) => there.includes(it));
      expect(found).toEqual({ folder, namedBy: usualFolders[index] });
    }
    const look = (file: string) => {
      asked.push(file);
      return false;
    };
    expect(findTtMetal(unnamed, look)).toBeUndefined();
    expect(asked).toEqual(folders.map((it) => `${it}/models/tt_transformers`));
  });

  test("has the same usual folders on the command line", async () => {
    const backend = await readFile("backend/ttdirect/device/clone.py", "utf8");
    const [, list = ""] = /^USUAL_FOLDERS = \((.*)\)$/m.exec(backend) ?? [];
    expect([...list.matchAll(/"([^"]+)"/g)].map(([, folder]) => folder)).toEqual(usualFolders);
  });

  test("that was named wrongly is a mistake that is told, with who named it", () => {
    const named = findTtMetal({ ...sources, setting: "" }, nowhere);
    expect(named).toEqual({ folder: "/var/tt-metal", namedBy: "TT_METAL_HOME" });
    expect(() => {
      if (named) requireGenerator(named, nowhere);
    }).toThrow("/var/tt-metal has no models/tt_transformers, but TT_METAL_HOME names it");
  });
});
