/**
 * The package's files: an ES module for each of its entries, of which all but the core take the core as it is; what the core loads
 * when it is needed; all in one module, as edges serve it, and in one script for pages without modules; and the types. Minified, with
 * source maps that hold the sources.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { type BuildOptions, build, type Plugin, stop } from "esbuild";

const folder = join(import.meta.dirname, "..");
const root = join(folder, "../..");
const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };

interface Entry {
  /** In shared/client. */
  readonly source: string;
  /** In the folder of the package's files. */
  readonly file: string;
}

const CORE: Entry = { source: "index.ts", file: "index.js" };
/** What the core imports when it needs it. */
const REQUESTS: Entry = { source: "requests/index.ts", file: "requests.js" };
const OTHERS: readonly Entry[] = [
  { source: "node/index.ts", file: "node.js" },
  { source: "react/index.ts", file: "react.js" },
];

const COMMON: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  target: "es2022",
  sourcemap: "linked",
  legalComments: "none",
  logLevel: "silent",
  banner: { js: `/* @distributary/client ${version} */` },
};

/** Whole or not at all: others may read what was there. */
export async function buildPackage(): Promise<void> {
  const to = join(folder, "dist");
  const unfinished = mkdtempSync(`${to}-`);
  try {
    await Promise.all([buildScripts(unfinished), emitTypes(join(unfinished, "types"))]);
    cpSync(join(root, "LICENSE"), join(unfinished, "LICENSE"));
    rmSync(to, { recursive: true, force: true });
    renameSync(unfinished, to);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function buildScripts(to: string): Promise<void> {
  const entryPoints = [join(folder, CORE.source)];
  const core = build({
    ...COMMON,
    entryPoints,
    format: "esm",
    outfile: join(to, CORE.file),
    plugins: [beside(/^\.\/requests\/index\.ts$/, REQUESTS)],
  });
  const requests = build({
    ...COMMON,
    entryPoints: [join(folder, REQUESTS.source)],
    format: "esm",
    outfile: join(to, REQUESTS.file),
  });
  const whole = build({ ...COMMON, entryPoints, format: "esm", outfile: join(to, "client.js") });
  const others = OTHERS.map(({ source, file }) =>
    build({
      ...COMMON,
      entryPoints: [join(folder, source)],
      format: "esm",
      outfile: join(to, file),
      packages: "external",
      plugins: [beside(/^\.\.\/index\.ts$/, CORE)],
    }),
  );
  const script = build({
    ...COMMON,
    entryPoints,
    format: "iife",
    globalName: "distributary",
    outfile: join(to, "script.js"),
  });
  await Promise.all([core, requests, whole, ...others, script]).finally(stop);
}

/** So that an application has one core, whichever entries it takes, and loads no more than it needs. */
function beside(filter: RegExp, { file }: Entry): Plugin {
  return {
    name: `${file} is beside`,
    setup({ onResolve }) {
      onResolve({ filter }, ({ kind }) =>
        kind === "entry-point" ? undefined : { path: `./${file}`, external: true },
      );
    },
  };
}

/** Those that are reached from the entries, and none else. */
export async function emitTypes(to: string): Promise<void> {
  const emitted = mkdtempSync(`${to}-`);
  const config = join(import.meta.dirname, "types");
  await promisify(execFile)(join(root, "node_modules/.bin/tsc"), ["-p", config, "--outDir", emitted]);
  const reached = [CORE, ...OTHERS].map(({ source }) => declared(join(emitted, "client", source)));
  for (const path of reached) {
    const text = readFileSync(path, "utf8");
    const imports = [...text.matchAll(RELATIVE)].map(([, , target = ""]) => resolve(dirname(path), target));
    for (const file of imports.map(declared)) if (!reached.includes(file)) reached.push(file);
    const target = join(to, relative(emitted, path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(
      target,
      text.replace(RELATIVE, (_, before, name) => `${before}"${name.slice(0, -3)}.js"`),
    );
  }
  rmSync(emitted, { recursive: true });
}

const RELATIVE = /(\bfrom |\bimport\()"(\.[^"]+\.ts)"/g;

const declared = (path: string) => path.replace(/\.ts$/, ".d.ts");
