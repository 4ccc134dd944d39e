import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { folderProblem, hubNameProblem, kindOfModel } from "../../extension/src/environment/model";

test("a model is the shipped one, a folder or a name on the hub", () => {
  expect(kindOfModel("demo")).toBe("shipped");
  expect(kindOfModel("/models/llama")).toBe("folder");
  expect(kindOfModel("meta-llama/Llama-3.2-1B")).toBe("hub");
});

describe("a name on the hub", () => {
  test.each(["meta-llama/Llama-3.2-1B-Instruct", " Qwen/Qwen3-0.6B ", "a/b", "x_1/y.z"])(
    "may be %j",
    (name) => {
      expect(hubNameProblem(name)).toBeUndefined();
    },
  );

  test.each([
    ["", "Enter the name"],
    ["gpt2", "owner/name"],
    ["a/b/c", "owner/name"],
    ["https://huggingface.co/a/b", "without the address"],
    ["a/b c", "A name holds"],
    ["a/-b", "A name holds"],
    ["a/b.", "A name holds"],
    ["a/b--c", "A name holds"],
    ["../b", "A name holds"],
    ["a/", "A name holds"],
  ])("is not %j", (name, problem) => {
    expect(hubNameProblem(name)).toContain(problem);
  });
});

describe("a folder with a checkpoint", () => {
  let folder: string;

  beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), "model-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (...names: readonly string[]) => {
    for (const name of names) writeFileSync(path.join(folder, name), "{}");
  };

  test("holds configuration, tokenizer and weights", async () => {
    write("config.json", "tokenizer.json", "model.safetensors");
    expect(await folderProblem(folder)).toBeUndefined();
  });

  test("is not complete without any of them", async () => {
    expect(await folderProblem(folder)).toContain("has no config.json");
    write("config.json");
    expect(await folderProblem(folder)).toContain("has no tokenizer");
    write("tokenizer.json", "pytorch_model.bin");
    expect(await folderProblem(folder)).toContain("*.bin weights have to be converted");
  });

  test("holds every file of its index", async () => {
    write("config.json", "tokenizer.model", "model-1-of-2.safetensors");
    writeFileSync(
      path.join(folder, "model.safetensors.index.json"),
      JSON.stringify({
        weight_map: { a: "model-1-of-2.safetensors", b: "model-2-of-2.safetensors" },
      }),
    );
    expect(await folderProblem(folder)).toContain("lacks model-2-of-2.safetensors");
    write("model-2-of-2.safetensors");
    expect(await folderProblem(folder)).toBeUndefined();
  });

  test("exists", async () => {
    expect(await folderProblem(path.join(folder, "gone"))).toContain("cannot be read");
  });
});
