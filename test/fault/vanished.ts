/** What a topic held over all its time, from which records vanish: what was acknowledged, and what was read back. Pure. */
import type { Logged, LoggedEpoch } from "./history.ts";
import type { Contents } from "./read-back.ts";
import type { Placed } from "./writer.ts";

export type Kept = Pick<LoggedEpoch, "records" | "forgetful">;

export interface Acknowledged {
  readonly placed: readonly Placed[];
  /** endpoint → ids of all that was sent */
  readonly sent: ReadonlyMap<string, ReadonlySet<number>>;
}

/** By partition. */
export function withVanished(contents: Contents, { placed, sent }: Acknowledged): Map<number, Kept> {
  return new Map(
    Array.from(contents, ([partition, held]) => {
      const isHeld = new Set([...held.values()].flat().map(({ offset }) => offset));
      const vanished = placed
        .filter((one) => one.partition === partition && !isHeld.has(one.offset))
        .map(({ endpoint, offset, id, isTombstone }) => {
          const record: Logged = { offset, id, vanished: true, ...(isTombstone && { isTombstone }) };
          return { endpoint, record };
        });
      const records = new Map<string, Logged[]>();
      for (const [endpoint, list] of held) records.set(endpoint, [...list]);
      for (const { endpoint, record } of vanished)
        records.set(endpoint, [...(records.get(endpoint) ?? []), record]);
      for (const list of records.values()) list.sort(byOffset);
      const all = vanished.map(({ record }) => record).sort(byOffset);
      return [partition, { records, forgetful: { vanished: all, sent } }] as const;
    }),
  );
}

/** Of a topic that loses nothing. */
export function whole(contents: Contents): Map<number, Kept> {
  return new Map(Array.from(contents, ([partition, records]) => [partition, { records }]));
}

const byOffset = (a: Logged, b: Logged) => a.offset - b.offset;
