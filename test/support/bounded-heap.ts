/**
 * A workerd whose heaps are as small as an isolate's is on the platform, or smaller: garbage doesn't pile up there, and whoever keeps
 * what should have gone runs out of memory.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface BoundedHeap {
  /** For an edge, to run this one. */
  readonly env: Readonly<Record<string, string>>;
  /** No edge runs it any more. */
  remove(): void;
}

/** @param megabytes Of each isolate, what outlived a moment. */
export function boundedHeap(megabytes: number): BoundedHeap {
  const workerd = createRequire(import.meta.url)("workerd") as { readonly default: string };
  const folder = mkdtempSync(join(tmpdir(), "distributary-heap-"));
  const script = join(folder, "workerd");
  // The configuration is the last argument.
  writeFileSync(
    script,
    `#!/bin/sh
for config; do :; done
sed -i 's/^const config :Workerd.Config = (/&v8Flags = ["--max-old-space-size=${megabytes}"], /' "$config"
exec ${workerd.default} "$@"
`,
  );
  chmodSync(script, 0o755);
  return {
    env: { MINIFLARE_WORKERD_PATH: script },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
