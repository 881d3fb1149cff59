/**
 * `npm run origin`: see `--help`. Most of a start was compiling the same files anew, so Node keeps what becomes of them.
 * What it can't keep, as where nothing can be written, is compiled each time.
 */
import { enableCompileCache } from "node:module";
import { join } from "node:path";

const CACHE = join(import.meta.dirname, "../node_modules/.cache/distributary");

enableCompileCache(CACHE);
// Threads don't inherit it, but look there.
process.env.NODE_COMPILE_CACHE ??= CACHE;
await import("./command.ts");
