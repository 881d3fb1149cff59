/**
 * The command `origin`: see `--help`. Most of a start was compiling the same files anew, so Node keeps what becomes of them.
 * What it can't keep, as where nothing can be written, is compiled each time.
 */
import { enableCompileCache } from "node:module";
import { compileCache } from "../shared/node/installation.ts";
import "./hangup.ts";

enableCompileCache(compileCache);
// Threads don't inherit it, but look there.
process.env.NODE_COMPILE_CACHE ??= compileCache;
await import("./command.ts");
