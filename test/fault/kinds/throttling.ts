/** Quotas by which brokers hold origins back. */
import { setQuotas } from "../../support/kafka-accounts.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import { leaveAlone } from "./alone.ts";
import { type Kind, pause } from "./kind.ts";

type Quotas = Readonly<Record<string, number | undefined>>;

/** A fraction of what origins take: bytes a second, and percent of a thread's time, at each broker. */
const QUOTAS: readonly Quotas[] = [{ consumer_byte_rate: 4_000 }, { request_percentage: 0.05 }];

/** `meanwhile` is the last that happens while the quotas hold. */
async function throttled({ kafka, crews }: Rig, random: Random, meanwhile: () => void): Promise<void> {
  const quotas = oneOf(random, QUOTAS);
  const clients = crews.all.map(({ clientId }) => clientId);
  await setQuotas(kafka.brokers, clients, quotas);
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
    lastsMs: 7_000,
    parts: ["quota"],
    inject: (rig, random) => throttled(rig, random, () => {}),
  },
  {
    name: "origins throttled and cut off while the others are killed",
    perTenMinutes: 5,
    lastsMs: 10_000,
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
