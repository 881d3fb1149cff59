/** `npm run build:client`: what is packed into the package that applications install, in shared/client/dist. */
import { readSettings } from "../../node/settings.ts";
import { buildPackage } from "./bundles.ts";

const command = {
  usage: "npm run build:client",
  does: "Makes what is packed into @distributary/client: scripts and types, in shared/client/dist.",
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
