import { describe, expect, test } from "vitest";
import { decideDevice } from "../../extension/src/environment/device";
import { findTtMetal, requireGenerator } from "../../extension/src/environment/ttMetal";

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
  const sources = { setting: "/set/tt-metal", variable: "/var/tt-metal", home: "/srv/ada" };
  const everywhere = () => true;
  const nowhere = () => false;

  test("is where the setting says, then TT_METAL_HOME, then the home folder", () => {
    expect(findTtMetal(sources, everywhere)?.folder).toBe("/set/tt-metal");
    expect(findTtMetal({ ...sources, setting: "" }, everywhere)?.folder).toBe("/var/tt-metal");
    const neither = { ...sources, setting: "", variable: undefined };
    expect(findTtMetal(neither, everywhere)?.folder).toBe("/srv/ada/tt-metal");
  });

  test("in the home folder needs the Generator API", () => {
    const asked: string[] = [];
    const look = (folder: string) => {
      asked.push(folder);
      return false;
    };
    expect(findTtMetal({ ...sources, setting: "", variable: "" }, look)).toBeUndefined();
    expect(asked).toEqual(["/srv/ada/tt-metal/models/tt_transformers"]);
  });

  test("that was named wrongly is a mistake that is told, with who named it", () => {
    const named = findTtMetal({ ...sources, setting: "" }, nowhere);
    expect(named).toEqual({ folder: "/var/tt-metal", namedBy: "TT_METAL_HOME" });
    expect(() => {
      if (named) requireGenerator(named, nowhere);
    }).toThrow("/var/tt-metal has no models/tt_transformers, but TT_METAL_HOME names it");
  });
});
