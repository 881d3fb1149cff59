/**
 * What a receiver has lost without being told: held against everything that was ever written, whoever has forgotten it.
 */
import { hasPartition } from "../../shared/protocol/slice.ts";
import type { ModelReceiver, Skipped } from "./model-receiver.ts";
import { homeOf, type SimulatedEdge } from "./simulated-edge.ts";
import type { Written } from "./written-log.ts";

/**
 * Records between two updates that a receiver took one after the other and, if it is still there, those after its
 * position, when nothing is under way any more.
 */
export function lossesOf(edge: SimulatedEdge, receiver: ModelReceiver): string[] {
  const losses: string[] = [];
  const judge = ({ epoch, after, before, claimedAt }: Skipped) => {
    const isClaimed = ({ at }: Written) => claimedAt !== undefined && (after < 0 || at >= claimedAt);
    for (const written of edge.log.of(epoch).slice(after + 1, before))
      if (written.path === receiver.path && !(isClaimed(written) && isNotCovered(edge, written)))
        losses.push(`${epoch}:${written.offset} of ${receiver.path}, after ${after}`);
  };
  for (const skipped of receiver.skipped) judge(skipped);
  if (receiver.left) return losses;
  for (const epoch of edge.log.epochs)
    judge({ ...receiver.standing(epoch), before: Number.POSITIVE_INFINITY });
  return losses;
}

/** R6: it was dropped, of a partition in which its key is not at home, or not alone. */
function isNotCovered({ log, origins }: SimulatedEdge, { path, epoch, offset }: Written): boolean {
  const partition = log.epochs.indexOf(epoch);
  const isAtHome = partition === homeOf(path, log.epochs.length);
  if (isAtHome && log.records(path).every((other) => other.epoch === epoch)) return false;
  const readers = origins.filter(({ slice }) => hasPartition(slice, partition));
  return readers.some(({ index }) => index.forgottenTo(epoch) > offset);
}
