/** The Worker as one module for a runtime on this machine. The sources are bundled at each start; the package holds it bundled. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPackage, root } from "../../shared/node/installation.ts";

/** A module of its own, or one that is called with what it imports. */
export type Format = "esm" | "cjs";

/** In the package's folder. */
export const PACKED: Readonly<Record<Format, string>> = { esm: "worker.mjs", cjs: "worker.cjs" };

/** What the bundled Worker calls the list of what is exposed, so that each run can have its own without another bundle. */
export const LIST = "STREAMS_JSON";

export interface WorkerModule {
  /** The entry, relative to the sources. */
  readonly main: string;
  /** Absolute path of the list of what is exposed. */
  readonly streams: string;
  readonly outfile: string;
  readonly format: Format;
}

export async function makeWorker({ main, streams, outfile, format }: WorkerModule): Promise<void> {
  if (isPackage) {
    const bundled = readFileSync(join(root, PACKED[format]), "utf8");
    return writeFileSync(outfile, withList(bundled, readFileSync(streams, "utf8")));
  }
  const { bundlePage, bundleWorker } = await import("./bundle.ts");
  await bundlePage(root);
  await bundleWorker({ root, main, streams, outfile, format });
}

/** Read as JSON, and not as a script, to which some names would mean something else. */
export function withList(bundled: string, json: string): string {
  return `const ${LIST} = JSON.parse(${JSON.stringify(json)});\n${bundled}`;
}
