/**
 * Pays what is owed on an uplink, in small steps: attaches are answered and their links go live in the same
 * step (U5, U6), and endpoints that fell behind while the uplink was congested are caught up (U10).
 */
import type { AddressedTo } from "../../shared/protocol/addressed.ts";
import { encodeAttached, encodeWaiting, UNASKED } from "../../shared/protocol/attach.ts";
import { NOTHING, reaches } from "../../shared/protocol/position.ts";
import { type Answer, type AnswerPorts, answerRecent, answerRecovered } from "./answer.ts";
import type { BlockedAsks } from "./blocked-asks.ts";
import type { WatchCounts } from "./counts.ts";
import type { Ask, Behind, Interest, Shard } from "./interest.ts";
import { examine, type Gap, gapsIn, prove } from "./proof.ts";
import type { Replayed, Replays } from "./replays.ts";
import { isNotHome } from "./subject.ts";

export interface ServingPorts extends AnswerPorts {
  readonly replays: Replays;
  /** Makes the topic be looked at soon. */
  readonly look: (topic: string) => void;
}

/** Turns of endpoints in one step at most, and of no more bytes than one answer has, so that others get on. */
const TURNS_PER_STEP = 16;

/** The index may drop more while the log is read, but not for ever faster than it is read. */
const REPLAYS_PER_ASK = 10;

/** Returns whether more can be done at once. */
export function serve(ports: ServingPorts, blocked: BlockedAsks, shard: Shard, counts: WatchCounts): boolean {
  let bytes = 0;
  for (let turn = 0; turn < TURNS_PER_STEP && bytes < ports.bounds.bytes; turn++) {
    const [interest] = shard.work;
    if (interest === undefined || shard.congested) break;
    shard.work.delete(interest);
    const mayCatchUp = interest.behind !== undefined && !isHeldBack(ports, interest, interest.behind);
    bytes += mayCatchUp ? catchUp(ports, interest, counts) : answer(ports, blocked, interest, counts);
    if (mayCatchUp ? interest.hasWork : interest.nextAsk !== undefined) shard.work.add(interest);
  }
  shard.outbox.flush();
  return shard.work.size > 0 && !shard.congested;
}

/** Whether what would be told isn't known yet. A partition that can't be read any more holds nobody back. */
function isHeldBack({ partitions }: ServingPorts, { watch }: Interest, { until }: Behind): boolean {
  return until.some((epoch) => {
    const partition = partitions.find(watch.endpoint.topic, epoch);
    return partition !== undefined && !partition.ready && !partition.stopped;
  });
}

/** Answers one ask, or tells it to wait. Returns the bytes sent. */
function answer(ports: ServingPorts, blocked: BlockedAsks, interest: Interest, counts: WatchCounts): number {
  const ask = interest.nextAsk;
  if (ask === undefined) return 0;
  const { watch } = interest;
  const { path } = watch.endpoint;
  const { outbox } = interest.shard;
  const to: AddressedTo = { kind: "links", links: [ask.link] };
  const wait = () => {
    if (!ask.told) {
      outbox.add(to, encodeWaiting(path, ask.id));
      counts.waited++;
    }
    ask.told = true;
    return 0;
  };
  const examined = examine(ports, watch, ask);
  if (examined.kind === "blocked") {
    blocked.add(ask, examined.blocked);
    if (examined.blocked.kind === "look") ports.look(watch.endpoint.topic);
    return wait();
  }
  const { proof } = examined;
  const gaps = proof === "horizon" ? gapsIn(ports, watch, ask.from ?? NOTHING) : [];
  const filled = proof === "horizon" && isFilled(gaps, ask.replayed);
  if (proof === "horizon" && !filled && replay(ports, blocked, ask, gaps)) return wait();
  interest.forget(ask);
  interest.goLive(ask.link);
  const answered =
    proof === "recovered" || filled
      ? answerRecovered(ports, watch, ask.from ?? NOTHING, ask.replayed)
      : answerRecent(ports, watch, ask.from, proof);
  for (const epoch of answered.attached.to.keys()) watch.stands.add(epoch);
  const notHome = isNotHome(ports, watch, ask.from);
  outbox.add(to, encodeAttached({ ...answered.attached, id: ask.id, notHome, log: filled }));
  counts.answered[filled ? "log" : proof]++;
  return send(interest, to, answered, counts);
}

/** Whether what was read again from the log leaves none of the gaps open. */
function isFilled(gaps: readonly Gap[], replayed: Ask["replayed"]): boolean {
  return gaps.every(({ epoch, until }) =>
    replayed?.some(({ gap, whole }) => gap.epoch === epoch && (gap.until >= until || !whole)),
  );
}

/** What of a gap was not read before. */
function leftOf(gap: Gap, before: Ask["replayed"]): Gap {
  const read = before?.find((other) => continues(other, gap));
  return read === undefined ? gap : { ...gap, after: read.gap.until - 1 };
}

/** With what was read before it. */
function joined(more: Replayed, before: Ask["replayed"]): Replayed {
  const read = before?.find(({ gap, whole }) => {
    return whole && gap.epoch === more.gap.epoch && gap.until - 1 === more.gap.after;
  });
  if (read === undefined) return more;
  const previous = read.records.at(-1)?.offset;
  const [first, ...others] = more.records;
  const next = first === undefined ? [] : [{ ...first, previous }, ...others];
  return {
    gap: { ...more.gap, after: read.gap.after },
    records: [...read.records, ...next],
    whole: more.whole,
  };
}

/** Whether what was read is the beginning of this gap, which has grown since. */
function continues({ gap, whole }: Replayed, grown: Gap): boolean {
  return whole && gap.epoch === grown.epoch && gap.after === grown.after && gap.until < grown.until;
}

/** Reads the log again where the stream allows that much (R7); returns whether the ask waits for it. */
function replay(ports: ServingPorts, blocked: BlockedAsks, ask: Ask, gaps: readonly Gap[]): boolean {
  const { interest } = ask;
  const { topic, key, stream } = interest.watch.endpoint;
  const records = gaps.reduce((sum, { after, until }) => sum + until - after - 1, 0);
  if (records > stream.replay || ask.replays >= REPLAYS_PER_ASK) return false;
  ask.replays++;
  blocked.add(ask, { kind: "log", patient: false });
  const before = ask.replayed;
  const left = gaps.map((gap) => leftOf(gap, before));
  void ports.replays.read(topic, key, left).then((replayed) => {
    // Nobody waits for it any more.
    if (ask.blocked?.kind !== "log") return;
    blocked.remove(ask);
    ask.replayed = replayed?.map((more) => joined(more, before));
    if (replayed === undefined) ask.replays = REPLAYS_PER_ASK;
    interest.shard.queue(interest);
  });
  return true;
}

/**
 * Sends a page of what the live links of an endpoint missed, as if it were live; with the last page they are
 * forwarded to again. Where continuity is lost they get an answer that nobody asked for instead. Returns the
 * bytes sent.
 */
function catchUp(ports: AnswerPorts, interest: Interest, counts: WatchCounts): number {
  const { behind, address, watch } = interest;
  if (behind === undefined) return 0;
  const proof = behind.cause ?? prove(ports, watch, behind.from);
  if (proof === "recovered") {
    const page = answerRecovered(ports, watch, behind.from);
    const { to, verdict } = page.attached;
    interest.behind = reaches(to, verdict.head) ? undefined : { from: to, cause: undefined, until: [] };
    return send(interest, address, page, counts);
  }
  interest.behind = undefined;
  const reset = answerRecent(ports, watch, behind.from, proof);
  interest.shard.outbox.add(address, encodeAttached({ ...reset.attached, id: UNASKED }));
  counts.reset++;
  return send(interest, address, reset, counts);
}

function send(interest: Interest, to: AddressedTo, { frames }: Answer, counts: WatchCounts): number {
  let bytes = 0;
  counts.replayed += frames.length;
  for (const frame of frames) {
    bytes += frame.length;
    interest.shard.outbox.add(to, frame);
  }
  return bytes;
}
