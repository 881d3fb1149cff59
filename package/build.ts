/** `npm run build:package`: what `npm pack` puts into the package `distributary`, in dist/npm. */
import { readSettings } from "../shared/node/settings.ts";
import { buildPackage } from "./contents.ts";

const command = {
  usage: "npm run build:package",
  does: "Makes what is packed into distributary: the commands as JavaScript, and the Worker, in dist/npm.",
  settings: {},
  switches: {},
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") {
  process.stderr.write(`${given.problem}\n`);
  process.exitCode = 2;
} else await buildPackage();
