/**
 * `npm run shapes`: writes what is reckoned and not measured into the documents: the simulated shapes of fan-out, and what
 * attackers cost. Takes a second; nothing is run but the model.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runScript } from "../../../shared/node/script.ts";
import * as attacks from "../estimate-attacks.ts";
import * as shapes from "./table.ts";

await runScript(
  "npm run shapes",
  `Writes what is reckoned into ${shapes.DOCUMENT} and ${attacks.DOCUMENT}.`,
  () => {
    for (const { DOCUMENT, renewed } of [shapes, attacks]) {
      const path = join(import.meta.dirname, "../../..", DOCUMENT);
      writeFileSync(path, renewed(readFileSync(path, "utf8")));
    }
  },
);
