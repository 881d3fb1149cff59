/** `npm run shapes`: writes the simulated shapes of fan-out into docs/fan-out.md. Takes a second; nothing is run but the model. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DOCUMENT, renewed } from "./table.ts";

const path = join(import.meta.dirname, "../../..", DOCUMENT);
writeFileSync(path, renewed(readFileSync(path, "utf8")));
