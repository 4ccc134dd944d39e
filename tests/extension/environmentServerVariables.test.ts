import { expect, test } from "vitest";
import { variablesFor } from "../../extension/src/environment/serverVariables";
import { commands } from "../../extension/src/ids";
import { Problem } from "../../extension/src/problem";

const onCpu = {
  model: "demo",
  device: "cpu",
  ttMetalFolder: undefined,
  pythonPath: "/mine",
  token: "hf_secret",
} as const;
const onCard = { ...onCpu, device: "tenstorrent", ttMetalFolder: "/tt-metal" } as const;

test("the CPU needs the model alone", () => {
  expect(variablesFor(onCpu)).toEqual({ HF_MODEL: "demo" });
});

test("the token goes along with a model from the hub only", () => {
  expect(variablesFor({ ...onCpu, model: "a/b" })).toEqual({
    HF_MODEL: "a/b",
    HF_TOKEN: "hf_secret",
  });
  expect(variablesFor({ ...onCpu, model: "a/b", token: undefined })).toEqual({ HF_MODEL: "a/b" });
  expect(variablesFor({ ...onCpu, model: "/models/b" })).toEqual({ HF_MODEL: "/models/b" });
});

test("a card needs tt-metal's folder, before whatever was on the path", () => {
  expect(variablesFor({ ...onCard, model: "/models/b" })).toEqual({
    HF_MODEL: "/models/b",
    TT_METAL_HOME: "/tt-metal",
    PYTHONPATH: "/tt-metal:/mine",
  });
  expect(variablesFor({ ...onCard, model: "/m", pythonPath: "" })["PYTHONPATH"]).toBe("/tt-metal");
});

test("the model that ships is not for a card, and another can be chosen", () => {
  expect(() => variablesFor(onCard)).toThrow(Problem);
  try {
    variablesFor(onCard);
  } catch (error) {
    expect(error).toMatchObject({ remedies: [{ command: commands.chooseModel }] });
  }
});
