/**
 * What a receiver has lost without being told: held against everything that was ever written, whoever has forgotten it.
 */
import { hasPartition } from "../../shared/protocol/range.ts";
import type { ModelReceiver } from "./model-receiver.ts";
import { homeOf, type SimulatedEdge } from "./simulated-edge.ts";
import type { Written } from "./written-log.ts";

/**
 * Records between two updates that a receiver took one after the other and, if it is still there, those after its
 * position, when nothing is under way any more.
 */
export function lossesOf(edge: SimulatedEdge, receiver: ModelReceiver): string[] {
  const losses: string[] = [];
  const judge = (epoch: string, after: number, before: number) => {
    for (const written of edge.log.of(epoch).slice(after + 1, before))
      if (written.path === receiver.path && !isNotCovered(edge, receiver, written, after))
        losses.push(`${epoch}:${written.offset} of ${receiver.path}, after ${after}`);
  };
  for (const { epoch, after, before } of receiver.skipped) judge(epoch, after, before);
  if (receiver.left) return losses;
  for (const epoch of edge.log.epochs)
    judge(epoch, receiver.position?.get(epoch) ?? -1, Number.POSITIVE_INFINITY);
  return losses;
}

/**
 * R6: it was dropped, and whoever missed it had received nothing of that epoch, in which the key is not at home, or is known
 * elsewhere, too.
 */
function isNotCovered(
  { log, origins }: SimulatedEdge,
  { madeUp }: ModelReceiver,
  { path, epoch, offset }: Written,
  after: number,
): boolean {
  const partition = log.epochs.indexOf(epoch);
  const isElsewhere = log.records(path).some((other) => other.epoch !== epoch);
  const had = log.of(epoch).some((written) => written.path === path && written.offset <= after);
  const hasReceived = had && !madeUp.has(epoch);
  if (hasReceived || (partition === homeOf(path, log.epochs.length) && !isElsewhere)) return false;
  const readers = origins.filter(({ range }) => hasPartition(range, partition));
  return readers.some(({ index }) => index.horizonOf(epoch) > offset);
}
