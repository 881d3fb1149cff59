/** An index that forgets under keys that are watched: somebody comes back to what it no longer holds. */
import { NotInjected, needed } from "../not-injected.ts";
import { INDEX_BYTES } from "../parts.ts";
import { oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import type { RawResuming } from "../subscriber.ts";
import type { TopicName } from "../topics.ts";
import type { Placed } from "../writer.ts";
import { type Kind, pause } from "./kind.ts";

/** The stream keeps 3 s, and what is older goes with the batch that it came in. */
const AGED_MS = 4_500;
const FORGOTTEN = 4;
/** An index that was deleted meanwhile has been built anew, from all that the log holds. */
const TRIES = 3;

/** The largest partition gives. */
const CROWD_KEY = "crowd";
const CROWD_VALUE_BYTES = 512 * 1024;
/** More than the index holds at first, and then enough to push out what came before. */
const CROWDS = { first: INDEX_BYTES + 4 * CROWD_VALUE_BYTES, next: 8 * CROWD_VALUE_BYTES };
/** Until an origin that has read it has written it, too. */
const WRITTEN_MS = 1_000;

let keys = 0;

/** Rigs whose index is full. */
const crowded = new WeakSet<Rig>();

async function reaches(
  rig: Rig,
  topic: TopicName,
  subscriber: RawResuming,
  { partition, offset }: Placed,
): Promise<void> {
  const epoch = rig.topics.epoch(topic, partition);
  await needed(
    () => (subscriber.position?.get(epoch) ?? -1) >= offset,
    `${subscriber.name} of ${subscriber.endpoint} is at ${epoch}:${offset}`,
  );
}

/** The same with one key after another, until the index had forgotten. */
async function comeBackTo(
  rig: Rig,
  random: Random,
  topic: TopicName,
  key: () => string,
  forget: () => Promise<void>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    const tried = key();
    if (await hadForgotten(rig, random, topic, tried, forget)) return;
    if (tries === TRIES) throw new NotInjected(`the index still held what came before on ${tried}`);
  }
}

/**
 * Somebody watches a key of which the index should have forgotten what came before, and somebody comes back to that. Resolves
 * with whether it had.
 */
async function hadForgotten(
  rig: Rig,
  random: Random,
  topic: TopicName,
  key: string,
  forget: () => Promise<void>,
): Promise<boolean> {
  const writer = rig.writer(topic);
  const first = await writer.put(key);
  for (let i = 1; i < FORGOTTEN; i++) await writer.put(key);
  await forget();
  const watcher = rig.population.visit(first.endpoint);
  await needed(() => watcher.position, `a verdict on ${key}`);
  await reaches(rig, topic, watcher, await writer.put(key));
  const hook = oneOf(random, ["", "", "evict", "crash"]);
  // An edge that is gone just now has forgotten it, too.
  if (hook !== "") await rig.edge.hook(hook, { path: first.endpoint }).catch(() => {});
  const returned = rig.comeBack(topic, first);
  const last = await writer.put(key);
  await Promise.all([reaches(rig, topic, watcher, last), reaches(rig, topic, returned, last)]);
  const verdict = returned.happenings.find(({ kind }) => kind === "verdict");
  return verdict?.kind !== "verdict" || verdict.recovered !== true;
}

export const AGING: readonly Kind[] = [
  {
    name: "index aged out under a watched key and resumed from before",
    perTenMinutes: 12,
    lastsMs: 8_000,
    parts: [],
    inject: (rig, random) =>
      comeBackTo(
        rig,
        random,
        "aging",
        () => `aged-${++keys}`,
        () => pause(AGED_MS),
      ),
  },
  {
    name: "index full of others and resumed from before",
    perTenMinutes: 4,
    lastsMs: 11_000,
    // Megabytes would take their time over what is slow.
    parts: ["crowded", "origin-kafka", "quota", "brokers"],
    inject: (rig, random) =>
      comeBackTo(
        rig,
        random,
        "crowded",
        () => `crowded-${++keys}`,
        async () => {
          const bytes = crowded.has(rig) ? CROWDS.next : CROWDS.first;
          const sizes = Array.from({ length: Math.ceil(bytes / CROWD_VALUE_BYTES) }, () => CROWD_VALUE_BYTES);
          const writer = rig.writer("crowded");
          await writer.burst(CROWD_KEY, sizes);
          crowded.add(rig);
          const end = await writer.put("crowd-end");
          await reaches(rig, "crowded", rig.population.visit(end.endpoint), end);
          await pause(WRITTEN_MS);
        },
      ),
  },
];
