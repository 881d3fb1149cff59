/** `npm run build`: what a deployment of the edge needs beside its sources, the scripts that it serves. */
import { join } from "node:path";
import { runScript } from "../../shared/node/script.ts";
import { bundlePage } from "./bundle.ts";

await runScript(
  "npm run build",
  "Makes the scripts that the edge serves, its page's and the client, which a deployment takes along.",
  () => bundlePage(join(import.meta.dirname, "../..")),
);
