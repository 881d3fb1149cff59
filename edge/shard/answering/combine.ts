/**
 * Makes one answer of those of several slices: N5 and N6 of INTERNALS.md. Pure.
 */
import type { Answer } from "../../../shared/core/answer.ts";
import type { Attach, Attached } from "../../../shared/protocol/attach.ts";
import { type Frame, timestampOf } from "../../../shared/protocol/frame.ts";
import { merge, type Position, raise } from "../../../shared/protocol/position.ts";

export interface Combined {
  readonly attached: Omit<Attached, "count">;
  readonly frames: readonly Frame[];
}

/**
 * @param parts By the number of their slice.
 * @param missing Of slices that have no part: there the answer leads nowhere.
 * @param heads What is known to have come since, or to be due.
 */
export function combine(
  ask: Attach,
  parts: ReadonlyMap<number, Answer<Attached>>,
  missing: Position,
  heads: Position,
): Combined {
  const [position, to, head] = [new Map(missing), new Map(missing), new Map(missing)];
  const horizon = new Map<string, number>();
  for (const { head: attached } of parts.values()) {
    merge(position, attached.verdict.position);
    merge(head, attached.verdict.head);
    merge(to, attached.to);
    merge(horizon, attached.horizon);
  }
  raise(head, heads);
  const all = [...parts.values()];
  const lost = all.find((part) => part.head.verdict.recovered === false)?.head.verdict;
  const isProved = ask.from === undefined ? undefined : true;
  const recovered = lost === undefined ? isProved : false;
  const verdict = { position, head, recovered, cause: lost?.cause };
  const frames = all.toSorted((a, b) => lastAt(a) - lastAt(b)).flatMap((part) => part.frames);
  const { endpoint, id } = ask;
  const log = all.some((part) => part.head.log);
  const withoutHome = !all.some(speaksOfHome);
  return { attached: { endpoint, id, verdict, to, horizon, log, withoutHome }, frames };
}

/** Whether a part says what was in the partition that is the key's home (U5). */
export function speaksOfHome({ head }: Answer<Attached>): boolean {
  return !head.notHome && !head.withoutHome;
}

/** The latest update of an endpoint is its answer's last one, so the part with the newest comes last. */
function lastAt({ frames }: Answer<Attached>): number {
  const last = frames.at(-1);
  return (last === undefined ? undefined : timestampOf(last)) ?? 0;
}
