/** The suite that runs in a real editor leaves out no command and no step. */

import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { contributes, inProject, read, steps } from "./walkthroughSteps";

const specs = readdirSync(inProject("tests/editor/specs"))
  .map((name) => read(`tests/editor/specs/${name}`))
  .join("\n");

// Those that act on a row of a view are hidden there.
const hidden = contributes.menus.commandPalette
  .filter(({ when }) => when === "false")
  .map(({ command }) => command);
const inPalette = contributes.commands.filter(({ command }) => !hidden.includes(command));

test.each(inPalette.map(({ title }) => title))("%s is run from the palette", (title) => {
  expect(specs).toContain(`runCommand("Tenstorrent: ${title}")`);
});

test.each(steps.map(({ id }) => id))("the step %s is pressed, and seen to be ticked", (id) => {
  expect(specs).toMatch(RegExp(`press\\("${id}"\\)`));
  expect(specs).toMatch(RegExp(`expectTicked\\("${id}"`));
});
