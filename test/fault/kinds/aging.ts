/** An index that forgets under keys that are watched: somebody comes back to what it no longer holds. */
import { eventually } from "../../support/deadline.ts";
import { oneOf } from "../random.ts";
import type { Rig } from "../rig.ts";
import type { RawResuming } from "../subscriber.ts";
import type { Placed } from "../writer.ts";
import { type Kind, pause } from "./kind.ts";

const TOPIC = "aging";
/** The stream keeps 3 s, and what is older goes with the batch that it came in. */
const AGED_MS = 4_500;
const FORGOTTEN = 4;

let keys = 0;

async function reaches(rig: Rig, subscriber: RawResuming, { partition, offset }: Placed): Promise<void> {
  const epoch = rig.topics.epoch(TOPIC, partition);
  await eventually(
    () => (subscriber.position?.get(epoch) ?? -1) >= offset,
    `${subscriber.name} of ${subscriber.endpoint} is at ${epoch}:${offset}`,
  );
}

export const AGING: readonly Kind[] = [
  {
    name: "index aged out under a watched key and resumed from before",
    perTenMinutes: 12,
    lastsMs: 8_000,
    parts: [],
    inject: async (rig, random) => {
      const key = `aged-${++keys}`;
      const writer = rig.writer(TOPIC);
      const first = await writer.put(key);
      for (let i = 1; i < FORGOTTEN; i++) await writer.put(key);
      await pause(AGED_MS);
      const watcher = rig.population.visit(first.endpoint);
      await eventually(() => watcher.position, `a verdict on ${key}`);
      await reaches(rig, watcher, await writer.put(key));
      const hook = oneOf(random, ["", "", "evict", "crash"]);
      // An edge that is gone just now has forgotten it, too.
      if (hook !== "") await rig.edge.hook(hook, { path: first.endpoint }).catch(() => {});
      const returned = rig.comeBack(TOPIC, first);
      const last = await writer.put(key);
      await Promise.all([reaches(rig, watcher, last), reaches(rig, returned, last)]);
    },
  },
];
