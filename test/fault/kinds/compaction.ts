/** Kafka compacts what origins have not seen: a tombstone, and values in between. */
import { eventually } from "../../support/deadline.ts";
import { latestOf } from "../latest.ts";
import { doneByOthers, NotInjected, needed } from "../not-injected.ts";
import type { OriginProcess } from "../origin-process.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import type { Placed } from "../writer.ts";
import { type Kind, pause } from "./kind.ts";

const TOPIC = "compacted";
const REMOVED_MS = 30_000;
const READY_MS = 60_000;
const GONE_MS = 20_000;
const LOOK_MS = 500;

let keys = 0;

/** A key that somebody watches, and that is deleted where no origin sees it. */
async function doomed(rig: Rig): Promise<{ readonly key: string; readonly first: Placed }> {
  const key = `doomed-${++keys}`;
  const first = await rig.writer(TOPIC).put(key);
  const visitor = rig.population.visit(first.endpoint);
  const epoch = rig.topics.epoch(TOPIC, first.partition);
  await needed(() => visitor.position?.get(epoch) === first.offset, `a visitor of ${key} has its record`);
  return { key, first };
}

/** Resolves once Kafka holds neither the key's tombstone nor what was before it. */
async function deleteUnseen(rig: Rig, key: string): Promise<void> {
  const { endpoint, partition } = await rig.writer(TOPIC).put(key, "tombstone");
  await needed(
    async () => {
      await pause(LOOK_MS);
      return !(await rig.topics.held(TOPIC)).get(partition)?.has(endpoint);
    },
    `Kafka has compacted ${key} away`,
    REMOVED_MS,
  );
}

/** Else nothing can be asked; origins that never are again fail the run in the end. */
const healthy = (rig: Rig) => doneByOthers(rig.healthy());

/** As soon as origins know what Kafka holds. Whoever comes back to the key's value must hear of it, too. */
async function mustBeGone(rig: Rig, first: Placed, when: string): Promise<void> {
  const { endpoint } = first;
  rig.comeBack(TOPIC, first);
  const isGone = async () => (await latestOf(rig.edge.url, endpoint)) === "gone";
  await eventually(isGone, `GET ${endpoint} finds nothing ${when}`, GONE_MS).catch(async (error: Error) => {
    // A replica that was off while the tombstone came and went has what that deleted, and may lead now.
    const held = await rig.topics.held(TOPIC);
    if (Array.from(held.values()).some((records) => records.has(endpoint)))
      throw new NotInjected(`Kafka has ${endpoint} again`);
    rig.wrong.push(`${error.message}: it was deleted`);
  });
}

/** Those that read a partition as one of them does. */
function others({ crews }: Rig, one: OriginProcess): OriginProcess[] {
  const { origins, slices } = crews.atWork;
  const slice = origins.indexOf(one) % slices;
  return origins.filter((other, i) => other !== one && i % slices === slice);
}

function oneOfPartition({ crews }: Rig, random: Random, partition: number): OriginProcess {
  const { origins, slices } = crews.atWork;
  return oneOf(
    random,
    origins.filter((_, i) => i % slices === partition % slices),
  );
}

export const COMPACTION: readonly Kind[] = [
  {
    name: "compaction while all origins are off",
    perTenMinutes: 4,
    lastsMs: 14_000,
    parts: ["origin", "pause", "disk", "compacted"],
    inject: async (rig, _, gone) => {
      const { key, first } = await doomed(rig);
      const { origins } = rig;
      await Promise.all(origins.map((origin) => origin.kill()));
      try {
        await deleteUnseen(rig, key);
      } finally {
        for (const origin of origins) origin.start();
      }
      gone();
      await healthy(rig);
      await mustBeGone(rig, first, "when all origins are back");
    },
  },
  {
    name: "compaction while the origin is off that then takes over",
    perTenMinutes: 4,
    lastsMs: 19_000,
    parts: ["origin", "pause", "disk", "compacted"],
    missing: ({ settings }) =>
      settings.origins === 1 ? "there is one origin: none could take over" : undefined,
    inject: async (rig, random, gone) => {
      const { key, first } = await doomed(rig);
      const stale = oneOfPartition(rig, random, first.partition);
      const fresh = others(rig, stale);
      await stale.kill();
      try {
        await deleteUnseen(rig, key);
      } finally {
        stale.start();
      }
      await rig.crews.ready(stale, READY_MS);
      await Promise.all(fresh.map((origin) => origin.kill()));
      gone();
      try {
        await mustBeGone(rig, first, "when the one that was off has taken over");
      } finally {
        for (const origin of fresh) origin.start();
      }
    },
  },
  {
    name: "compaction while origins are cut off from Kafka",
    perTenMinutes: 4,
    lastsMs: 13_000,
    parts: ["origin-kafka", "compacted"],
    inject: async (rig, random, gone) => {
      const { key, first } = await doomed(rig);
      const { brokers } = rig.links;
      for (const proxy of brokers) proxy.silence();
      try {
        await deleteUnseen(rig, key);
        await pause(between(random, 0, 1_000));
      } finally {
        for (const proxy of brokers) proxy.speak();
      }
      gone();
      await healthy(rig);
      await mustBeGone(rig, first, "when origins reach Kafka again");
    },
  },
];
