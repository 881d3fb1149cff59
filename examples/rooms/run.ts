/** A board of meeting rooms that everybody sees change, and changes: see README.md here. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { run } from "../running.ts";
import { serveSite } from "./site.ts";

const { values } = parseArgs({
  options: { port: { type: "string", default: "8787" }, site: { type: "string", default: "8788" } },
});
const stopped = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
const dataDir = mkdtempSync(join(tmpdir(), "rooms-"));
const streams = join(import.meta.dirname, "streams.json");
const flags = ["--streams", streams, "--port", values.port, "--data-dir", dataDir, "--no-feed"];
const product = await run("start.ts", flags, /^ready /);
const site = await serveSite(`http://127.0.0.1:${values.port}`, Number(values.site));

console.log(`The board is at http://127.0.0.1:${values.site}. Open it twice. Ctrl-C ends all.`);

await stopped;
site.close();
site.closeAllConnections();
await product.stop();
rmSync(dataDir, { recursive: true, force: true });
