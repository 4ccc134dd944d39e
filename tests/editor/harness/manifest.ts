import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../scripts/code_server.mjs";

interface Manifest {
  readonly name: string;
  readonly publisher: string;
  readonly contributes: {
    readonly commands: readonly {
      readonly command: string;
      readonly category: string;
      readonly title: string;
    }[];
    readonly menus: { readonly commandPalette: readonly { readonly command: string }[] };
    readonly walkthroughs: readonly [{ readonly id: string; readonly title: string }];
  };
}

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

export const extensionId = `${manifest.publisher}.${manifest.name}`;
export const { commands } = manifest.contributes;
/** Those that act on a row of a view are not in the palette: nothing there says which row. */
export const inPalette = commands.filter(({ command }) =>
  manifest.contributes.menus.commandPalette.every((entry) => entry.command !== command),
);
export const walkthrough = {
  id: `${extensionId}#${manifest.contributes.walkthroughs[0].id}`,
  title: manifest.contributes.walkthroughs[0].title,
};
