/** Before tests of real processes, of which several run at once: what they share is fetched, compiled and unpacked once. */
import { join } from "node:path";
import chromium from "@sparticuz/chromium";
import { bundlePage } from "../../edge/local/bundle.ts";
import { kafkaClasspath, OLD_VERSION, OLDER_VERSIONS, OLDEST_VERSION } from "./kafka-classpath.ts";
import { ifLong } from "./long.ts";

export async function setup(): Promise<void> {
  await chromium.executablePath();
  // Whatever bundles the Worker alone needs it.
  await bundlePage(join(import.meta.dirname, "../.."));
  // The tests themselves say what is missing.
  const [oldest, ...older] = OLDER_VERSIONS;
  for (const version of [undefined, OLD_VERSION, oldest, ...ifLong(OLDEST_VERSION, ...older)])
    await kafkaClasspath(version).catch(() => undefined);
}
