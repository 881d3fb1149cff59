/** Reads one partition, from where it was left, and hands its records on. */

import { isAvailable, SourceError } from "../source/source.ts";
import {
  isPassing,
  partitionFailed,
  partitionName,
  partitionStalled,
  type ReadContext,
  reasonOf,
  retryDelay,
  sleep,
} from "./context.ts";
import { isReady } from "./partitions.ts";
import { Rereads } from "./rereads.ts";
import { turns } from "./turns.ts";
import { StalledError, watchedRead } from "./watched-read.ts";

/** Why reading can't go on where it ended. */
type Torn = "hole" | "truncated" | "removed";

/** Records of a partition that are handled before others get their turn, if nothing else made it wait. */
const TURN_RECORDS = 100;

/**
 * Until it is stopped, or stops for good, or its topic must be described anew: then it says that it was `replaced`.
 * @param signal Aborts at the latest when all reading ends.
 */
export async function readPartition(
  reading: ReadContext,
  which: { readonly topic: string; readonly partition: number; readonly epoch: string },
  replaced: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { forwarder, partitions, log, troubles } = reading;
  const { topic, partition, epoch } = which;
  const name = partitionName(topic, partition);
  let failures = 0;
  // It may have been awaited.
  let failing = true;
  let torn: Torn | undefined;
  const rereads = new Rereads();
  let inTurn = 0;
  let anew = false;
  while (!signal.aborted) {
    try {
      if (torn !== undefined) await rejoin(reading, topic, epoch, torn);
      if (torn === "removed") rereads.begins(performance.now());
      torn = undefined;
      const from = partitions.find(topic, epoch)?.next ?? 0;
      await watchedRead(reading, { topic, partition, epoch, from, signal, anew }, (batch) => {
        if (batch.nextOffset > from) failures = 0;
        forwarder.batch(topic, partition, epoch, batch);
        const read = partitions.find(topic, epoch);
        if (rereads.isOn && read !== undefined && isReady(read)) rereads.ends(performance.now());
        if (failing) troubles.over(name);
        failing = false;
        // A backlog must not keep sockets from their turn. A trickle waits for its next record anyway.
        inTurn += batch.records.length;
        if (inTurn < TURN_RECORDS && !turns.isSpent()) return;
        inTurn = 0;
        return turns.later();
      });
      return;
    } catch (error) {
      if (signal.aborted) return;
      anew = error instanceof StalledError;
      if (!(error instanceof StalledError || isPassing(error))) throw error;
      const reason = reasonOf(error);
      const why = `${reason.code}: ${reason.message}`;
      partitions.fail(topic, epoch, why);
      if (reason.code === "corrupt") {
        partitions.stop(topic, epoch, why);
        return log("partition_stopped", { topic, partition, ...reason });
      }
      if (reason.code === "epoch_changed" || reason.code === "unknown_topic") {
        troubles.over(name);
        return replaced();
      }
      if (reason.code === "truncated" || reason.code === "removed") torn = reason.code;
      else if (reason.code === "offset_out_of_range") torn ??= "hole";
      const putOffMs = torn === "removed" ? rereads.waitMs(performance.now()) : 0;
      const retryMs = Math.ceil(Math.max(putOffMs, retryDelay(reading, failures++, reason.code)));
      failing = true;
      if (anew) partitionStalled(reading, which, reason, retryMs);
      else partitionFailed(reading, which, reason, retryMs);
      await sleep(retryMs, signal);
    }
  }
}

/** Begins anew if the log no longer holds what comes next, or all of it, or lost what was read. */
async function rejoin(
  { source, forwarder }: ReadContext,
  topic: string,
  epoch: string,
  torn: Torn,
): Promise<void> {
  const info = (await source.describe(topic))?.find((described) => described.epoch === epoch);
  if (info === undefined) throw new SourceError("epoch_changed", `${topic} is no longer the same topic`);
  if (!isAvailable(info)) throw new SourceError("unavailable", info.unavailable);
  forwarder.rejoin(topic, info, torn);
}
