/**
 * `npm run shapes`: writes what is reckoned and not measured into the documents: the simulated shapes of fan-out, and what
 * attackers cost. Takes a second; nothing is run but the model.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as attacks from "../estimate-attacks.ts";
import * as shapes from "./table.ts";

for (const { DOCUMENT, renewed } of [shapes, attacks]) {
  const path = join(import.meta.dirname, "../../..", DOCUMENT);
  writeFileSync(path, renewed(readFileSync(path, "utf8")));
}
