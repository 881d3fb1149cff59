/** `npm run build:client`: what is packed into the package that applications install, in shared/client/dist. */
import { buildPackage } from "./bundles.ts";

await buildPackage();
