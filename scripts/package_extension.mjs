// Build the VSIX: the bundles, the backend's wheel, and what .vscodeignore lets in.
//
//     node scripts/package_extension.mjs [path to a Python with pip]

import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withPictures } from "./readme_pictures.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const largestMegabytes = 20;

const python = process.argv[2] ?? ".venv/bin/python";
const { name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const vsix = `dist/${name}-${version}.vsix`;

function run(command, ...args) {
  execFileSync(command, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
}

// Whatever an earlier build has left there would be packed, too. A VSIX is not, and stays until the
// new one is complete: an editor may be installing it.
mkdirSync(join(root, "dist"), { recursive: true });
for (const name of readdirSync(join(root, "dist"))) {
  if (!name.endsWith(".vsix")) rmSync(join(root, "dist", name), { recursive: true });
}

run(process.execPath, "scripts/build_extension.mjs");
const quiet = ["--quiet", "--disable-pip-version-check"];
run(python, "-m", "pip", "wheel", ...quiet, "--no-deps", "--wheel-dir", "dist/python", ".");
const wheels = readdirSync(join(root, "dist/python"));
if (wheels.length !== 1) throw new Error(`expected one wheel, found ${wheels.join(", ")}`);

const readme = readFileSync(join(root, "README.md"), "utf8");
const packed = withPictures(readme, (path) => readFileSync(join(root, path)));
writeFileSync(join(root, "dist/README.md"), packed);
run(
  join(root, "node_modules/.bin/vsce"),
  ...["package", "--out", `${vsix}.part`, "--no-dependencies"],
  // The links in the README are for the repository; where that is, the manifest does not say.
  ...["--allow-missing-repository", "--no-rewrite-relative-links"],
  ...["--readme-path", "dist/README.md"],
);

const megabytes = statSync(join(root, `${vsix}.part`)).size / 1e6;
if (megabytes > largestMegabytes) {
  throw new Error(`${vsix} has ${megabytes.toFixed(1)} MB; ${largestMegabytes} MB are allowed`);
}
renameSync(join(root, `${vsix}.part`), join(root, vsix));
console.log(`${vsix}: ${megabytes.toFixed(1)} MB`);
