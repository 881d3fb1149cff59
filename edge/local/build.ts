/** `npm run build`: what a deployment of the edge needs beside its sources, the scripts that it serves. */
import { join } from "node:path";
import { readSettings } from "../../shared/node/settings.ts";
import { bundlePage } from "./bundle.ts";

const command = {
  usage: "npm run build",
  does: "Makes the scripts that the edge serves, its page's and the client, which a deployment takes along.",
  settings: {},
  switches: {},
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") {
  process.stderr.write(`${given.problem}\n`);
  process.exitCode = 2;
} else await bundlePage(join(import.meta.dirname, "../.."));
