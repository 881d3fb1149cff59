/** Clients that publish while something happens to the product. */
import { expect, onTestFinished } from "vitest";
import { eventually } from "./deadline.ts";
import type { Deployment } from "./deployment.ts";
import { PublishingLoad, receivedBy } from "./publishing-load.ts";
import type { SocketLoad } from "./socket-load.ts";

/** Waits until so many more were acknowledged. */
export type Published = (more: number) => Promise<void>;

/**
 * Publishes to these paths while something happens; then compares every acknowledgement with what a subscriber gets. Returns
 * how many there were.
 */
export async function publishWhile(
  deployment: Deployment,
  paths: readonly string[],
  happen: (published: Published) => Promise<void>,
  Load: typeof PublishingLoad | typeof SocketLoad = PublishingLoad,
): Promise<number> {
  const load = new Load(deployment.url, paths);
  const published = async (more: number) => {
    const from = load.count;
    await eventually(() => load.count >= from + more, `${more} publishes`, 60_000);
  };
  await published(50);
  await happen(published);
  await published(20);
  await load.end();
  for (const { path, acknowledged } of load.senders) {
    const subscriber = deployment.subscribe(path, "-");
    onTestFinished(() => subscriber.close());
    await subscriber.until(({ updates }) => updates.length >= acknowledged.length, "all of them");
    expect(receivedBy(subscriber)).toEqual(acknowledged);
  }
  return load.count;
}
