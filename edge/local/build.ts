/** `npm run build`: what a deployment of the edge needs beside its sources, the page's script. */
import { join } from "node:path";
import { bundlePage } from "./bundle.ts";

await bundlePage(join(import.meta.dirname, "../.."));
