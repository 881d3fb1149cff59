/** `npm run build:client`: what is packed into the package that applications install, in shared/client/dist. */
import { runScript } from "../../node/script.ts";
import { buildPackage } from "./bundles.ts";

await runScript(
  "npm run build:client",
  "Makes what is packed into @distributary/client: scripts and types, in shared/client/dist.",
  () => buildPackage(),
);
