import { readManifest } from "../../../scripts/manifest.mjs";

interface Manifest {
  readonly name: string;
  readonly publisher: string;
  readonly contributes: {
    readonly commands: readonly {
      readonly command: string;
      readonly category: string;
      readonly title: string;
    }[];
    readonly menus: {
      readonly commandPalette: readonly { readonly command: string; readonly when: string }[];
    };
    readonly walkthroughs: readonly [{ readonly id: string; readonly title: string }];
  };
}

const manifest = readManifest() as Manifest;

export const extensionId = `${manifest.publisher}.${manifest.name}`;
export const { commands } = manifest.contributes;
/** Those that the palette always offers: others act on a row of a view, or in some states only. */
export const inPalette = commands.filter(({ command }) =>
  manifest.contributes.menus.commandPalette.every((entry) => entry.command !== command),
);
export const walkthrough = {
  id: `${extensionId}#${manifest.contributes.walkthroughs[0].id}`,
  title: manifest.contributes.walkthroughs[0].title,
};
