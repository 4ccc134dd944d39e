/** The README's pictures: there, named, small, described, and to be seen in the editor as well. */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { withPictures } from "../../scripts/readme_pictures.mjs";
import { inProject, read } from "./walkthroughSteps";

const readme = read("README.md");
const named = [...readme.matchAll(/docs\/images\/[\w-]+\.png/g)].map(([path]) => path);
const inFolder = readdirSync(inProject("docs/images")).map((name) => `docs/images/${name}`);

describe("the pictures of the README", () => {
  it("are those of the folder, each named once", () => {
    expect(named.toSorted()).toEqual(inFolder.toSorted());
  });

  it.each(inFolder)("%s is small", (path) => {
    expect(statSync(inProject(path)).size).toBeLessThan(250_000);
  });

  it("are described for who cannot see them", () => {
    const descriptions = [
      ...[...readme.matchAll(/<img\b[^>]*>/g)].map(([tag]) => /alt="([^"]*)"/.exec(tag)?.[1]),
      ...[...readme.matchAll(/!\[([^\]]*)\]\(/g)].map(([, alt]) => alt),
    ];
    expect(descriptions.length).toBeGreaterThan(0);
    for (const description of descriptions) expect(description?.length).toBeGreaterThan(20);
  });

  it("come in pairs for light and dark, where they come in two", () => {
    const dark = named.filter((path) => path.endsWith("-dark.png"));
    for (const path of dark) expect(named).toContain(path.replace("-dark", "-light"));
    expect(readme.match(/media="\(prefers-color-scheme: dark\)"/g)?.length).toBe(dark.length);
  });
});

describe("the README on the extension's page in the editor", () => {
  const packed = withPictures(readme, (path) => readFileSync(inProject(path)));

  it("holds every picture that is not for the dark alone", () => {
    const pictures = [...packed.matchAll(/data:image\/png;base64,([\w+/=]+)/g)];
    const held = pictures.map(([, data]) => data);
    const light = named.filter((path) => !path.endsWith("-dark.png"));
    expect(held.length).toBe(light.length);
    // Compared as a whole each: what differs would be no use in a message.
    light.forEach((path, index) =>
      expect(held[index] === readFileSync(inProject(path), "base64"), path).toBe(true),
    );
    expect(packed).not.toContain("docs/images");
  });

  it("leaves alone what is not a picture of ours", () => {
    const text =
      '[docs](docs/a.md) ![web](https://a.example/b.png) <img alt="" src="https://a.example">';
    expect(withPictures(text, () => new Uint8Array())).toBe(text);
  });
});
