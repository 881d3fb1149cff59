/** `npm run build:package`: what `npm pack` puts into the package `distributary`, in dist/npm. */
import { runScript } from "../shared/node/script.ts";
import { buildPackage } from "./contents.ts";

await runScript(
  "npm run build:package",
  "Makes what is packed into distributary: the commands as JavaScript, and the Worker, in dist/npm.",
  () => buildPackage(),
);
