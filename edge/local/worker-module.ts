/** The Worker as one module for a runtime on this machine. The sources are bundled at each start; the package holds it bundled. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPackage, root } from "../../shared/node/installation.ts";
import { type Format, PACKED, withList } from "./bundled.ts";

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
    const bundle = readFileSync(join(root, PACKED[format]), "utf8");
    return writeFileSync(outfile, withList(bundle, readFileSync(streams, "utf8")));
  }
  const { bundlePage, bundleWorker } = await import("./bundle.ts");
  await bundlePage(root);
  await bundleWorker({ root, main, streams, outfile, format });
}
