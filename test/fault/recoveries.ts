/** From where subscribers got what they had missed, as the edge itself counts it (`/$/operations`). */

/** `window`: what an object had in memory. `index`: an origin's. `log`: Kafka, read again. `lost`: nothing; a new beginning. */
export const RECOVERIES = ["window", "index", "log", "lost"] as const;

export type Recovery = (typeof RECOVERIES)[number];

/** Since the edge began. Rejects where it doesn't answer. */
export async function readRecoveries(edgeUrl: string): Promise<ReadonlyMap<Recovery, number>> {
  const response = await fetch(`${edgeUrl}/$/operations`, { signal: AbortSignal.timeout(1_000) });
  const counts = (await response.json()) as Readonly<Record<string, number>>;
  return new Map(RECOVERIES.map((recovery) => [recovery, counts[`verdict.${recovery}`] ?? 0]));
}
