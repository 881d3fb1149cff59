/** Quotas by which brokers hold origins back. */
import { setQuotas } from "../../support/kafka-accounts.ts";
import { doneByOthers } from "../not-injected.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import { leaveAlone } from "./alone.ts";
import { type Kind, pause } from "./kind.ts";

type Quotas = Readonly<Record<string, number | undefined>>;

/** For each origin about half of what is written, at all brokers together. */
const BYTES_PER_SECOND = 40_000;
/** Of a thread's time, at each broker: a fraction of what asking takes. */
const PERCENT = 0.05;

const quotasOf = (brokers: number): Quotas[] => [
  { consumer_byte_rate: Math.floor(BYTES_PER_SECOND / brokers) },
  { request_percentage: PERCENT },
];

/** `meanwhile` is the last that happens while the quotas hold. */
async function throttled(
  { kafka, crews, settings }: Rig,
  random: Random,
  meanwhile: () => void,
): Promise<void> {
  const quotas = oneOf(random, quotasOf(settings.brokers));
  const clients = crews.all.map(({ clientId }) => clientId);
  await doneByOthers(setQuotas(kafka.brokers, clients, quotas));
  try {
    await pause(between(random, 4_000, 7_000));
    meanwhile();
  } finally {
    const freed = Object.keys(quotas).map((name) => [name, undefined] as const);
    await setQuotas(kafka.brokers, clients, Object.fromEntries(freed));
  }
}

export const THROTTLING: readonly Kind[] = [
  {
    name: "origins throttled by a quota",
    perTenMinutes: 8,
    lastsMs: 7_300,
    parts: ["quota"],
    inject: (rig, random) => throttled(rig, random, () => {}),
  },
  {
    name: "origins throttled and cut off while the others are killed",
    perTenMinutes: 5,
    lastsMs: 10_500,
    parts: ["quota", "origin", "origin-kafka"],
    inject: async (rig, random, gone) => {
      await throttled(rig, random, () => {
        for (const proxy of rig.links.brokers) proxy.cut();
      });
      // An account would have to be proved anew, which shows what the connection has come to.
      await leaveAlone(rig, ({ hasAccount }) => !hasAccount, gone);
    },
  },
];
