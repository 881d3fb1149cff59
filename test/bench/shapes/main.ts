/**
 * `npm run shapes`: writes what is reckoned and not measured into the documents: the simulated shapes of fan-out, and what
 * attackers cost. Takes a second; nothing is run but the model.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readSettings } from "../../../shared/node/settings.ts";
import * as attacks from "../estimate-attacks.ts";
import * as shapes from "./table.ts";

const command = {
  usage: "npm run shapes",
  does: `Writes what is reckoned into ${shapes.DOCUMENT} and ${attacks.DOCUMENT}.`,
  settings: {},
  switches: {},
  flagsOnly: true,
} as const;

const given = readSettings(command, {}, process.argv.slice(2));
if (given.kind === "help") process.stdout.write(given.text);
else if (given.kind === "misused") {
  process.stderr.write(`${given.problem}\n`);
  process.exitCode = 2;
} else {
  for (const { DOCUMENT, renewed } of [shapes, attacks]) {
    const path = join(import.meta.dirname, "../../..", DOCUMENT);
    writeFileSync(path, renewed(readFileSync(path, "utf8")));
  }
}
