/**
 * The package's files: the commands and all that they import, compiled one by one, each where its source lies; the Worker, bundled;
 * and the data that they read.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { parse } from "smol-toml";
import { bundlePage, bundleWithoutList } from "../edge/local/bundle.ts";
import { type Format, PACKED } from "../edge/local/bundled.ts";
import { readEdgeConfig } from "../edge/local/workerd-config.ts";
import { DATA_SETS, root } from "../shared/node/installation.ts";

const OUTPUT = join(root, "dist/npm");
/** What is read at run time, by names in the package; the rest is code. */
const DATA: Readonly<Record<string, string>> = {
  "streams.json": "streams.json",
  "wrangler.toml": "wrangler.toml",
  "shared/streams.schema.json": "shared/streams.schema.json",
  [`${DATA_SETS}/flights-20k.json`]: "node_modules/vega-datasets/data/flights-20k.json",
  [`${DATA_SETS}/earthquakes.json`]: "node_modules/vega-datasets/data/earthquakes.json",
};
/** What makes bundles, of which the package has those that it needs. */
const ONLY_SOURCES = "edge/local/bundle.js";

/** Whole or not at all: others may read what was there. */
export async function buildPackage(): Promise<void> {
  mkdirSync(dirname(OUTPUT), { recursive: true });
  const unfinished = mkdtempSync(`${OUTPUT}-`);
  try {
    const compiled = compile(unfinished);
    await bundleWorkers(unfinished);
    await compiled;
    for (const [name, source] of Object.entries(DATA)) {
      mkdirSync(dirname(join(unfinished, name)), { recursive: true });
      cpSync(join(root, source), join(unfinished, name));
    }
    const { name, version, type, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    writeFileSync(join(unfinished, "package.json"), JSON.stringify({ name, version, type, engines }));
    rmSync(OUTPUT, { recursive: true, force: true });
    renameSync(unfinished, OUTPUT);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

async function compile(to: string): Promise<void> {
  const args = ["-p", join(import.meta.dirname, "npm"), "--outDir", to];
  await promisify(execFile)(join(root, "node_modules/.bin/tsc"), args);
  rmSync(join(to, ONLY_SOURCES));
}

async function bundleWorkers(to: string): Promise<void> {
  const { main } = readEdgeConfig(parse(readFileSync(join(root, "wrangler.toml"), "utf8")));
  await bundlePage(root);
  for (const [format, file] of Object.entries(PACKED))
    writeFileSync(join(to, file), await bundleWithoutList({ root, main, format: format as Format }));
}
