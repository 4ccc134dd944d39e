import { describe, expect, test } from "vitest";
import type { KnownModel } from "../../extension/src/environment/modelCatalogue";
import { parseCatalogue } from "../../extension/src/environment/modelCatalogue";
import {
  describeParameters,
  modelRows,
  type ModelList,
} from "../../extension/src/environment/modelRows";

function known(id: string, changes: Partial<KnownModel> = {}): KnownModel {
  return {
    ...{ id, origin: "recommended", is_here: false, parameters: 134e6, download_bytes: 270e6 },
    ...{ needs_account: false, fits: "yes", reason: "needs 857 MiB of the 8.0 GiB that are free" },
    tokens_per_second: null,
    ...changes,
  };
}

const demo = known("demo", { origin: "shipped", is_here: true, parameters: 4e6 });

/** The list as text: a row is "label | description | detail", a separator "-- title". */
function shown(list: Partial<ModelList>): string[] {
  return modelRows({
    ...{ current: "demo", recent: [], catalogue: undefined, hasToken: false },
    ...list,
  }).map(({ label, description, detail, choice }) =>
    choice ? [label, description, detail].filter(Boolean).join(" | ") : `-- ${label}`,
  );
}

const labels = (list: Partial<ModelList>): string[] =>
  shown(list).map((row) => row.split(" | ")[0] ?? "");

const always = [
  "$(package) The model that ships with the extension",
  "$(folder) A folder…",
  "$(cloud-download) A model on the Hugging Face hub…",
];

describe("the list of models", () => {
  test("has what is always there before the backend is installed", () => {
    expect(labels({})).toEqual(always);
    expect(shown({})[0]).toContain("in use");
    expect(labels({ hasToken: true })).toEqual([
      ...always,
      "$(trash) Remove the Hugging Face token",
    ]);
  });

  test("tells those on this computer from those on the hub", () => {
    const cached = known("acme/tiny", { origin: "cached", is_here: true });
    const catalogue = [demo, cached, known("acme/small")];
    expect(shown({ catalogue }).slice(3)).toEqual([
      "-- On this computer",
      "$(database) acme/tiny | 134M | Needs 857 MiB of the 8.0 GiB that are free.",
      "-- On the hub",
      "$(desktop-download) acme/small | 134M · 270 MB to download | Needs 857 MiB of the 8.0 GiB that are free.",
    ]);
  });

  test("says what does not fit, what is published, and what asks for an account", () => {
    const catalogue = [
      known("acme/large", { fits: "no", reason: "needs 90 GiB, but 8.0 GiB are free" }),
      known("acme/fast", { needs_account: true, tokens_per_second: 28.3, reason: "fits" }),
    ];
    expect(shown({ catalogue }).slice(4)).toEqual([
      "$(warning) acme/large | 134M · 270 MB to download | Needs 90 GiB, but 8.0 GiB are free.",
      "$(desktop-download) acme/fast | 134M · 270 MB to download | Fits. 28.3 tokens/s are published for it. The hub asks for an account and a token.",
    ]);
  });

  test("shows what is in use and what was used, each but once", () => {
    const catalogue = [demo, known("acme/small"), known("Acme/Other", { is_here: true })];
    const rows = shown({
      current: "acme/small",
      recent: ["acme/small", "acme/other", "/models/mine", "demo"],
      catalogue: [...catalogue, known("/models/mine", { origin: "folder", is_here: true })],
    });
    expect(rows.filter((row) => row.includes("small"))).toHaveLength(1);
    expect(rows.filter((row) => row.toLowerCase().includes("acme/other"))).toHaveLength(1);
    expect(rows.find((row) => row.includes("small"))).toContain("in use · 134M");
    expect(rows.find((row) => row.includes("mine"))).toContain("$(database) mine | /models/mine");
    expect(rows.filter((row) => row.includes("package"))).toHaveLength(1);
  });

  test("forgets a folder that is gone, unless it is in use", () => {
    const gone = known("/models/gone", { origin: "folder", reason: "there is no folder" });
    expect(shown({ recent: ["/models/gone"], catalogue: [gone] }).join()).not.toContain("gone");
    const rows = shown({ current: "/models/gone", recent: [], catalogue: [gone] });
    expect(rows.join()).toContain("in use · /models/gone");
    expect(rows.join()).toContain("There is no folder.");
  });
});

test("sizes are told as the hub tells them", () => {
  expect(describeParameters(134_479_872)).toBe("134M");
  expect(describeParameters(1_235_746_816)).toBe("1.2B");
});

test("what the backend prints is read, whatever stands before it", () => {
  const printed = `a warning\n${JSON.stringify({ device: "cpu", models: [demo] })}\n`;
  expect(parseCatalogue(printed)).toEqual([demo]);
  expect(parseCatalogue("usage: ttdirect")).toBeUndefined();
  expect(parseCatalogue("{}")).toBeUndefined();
});
