/**
 * Pays what is owed on an uplink, in small steps: attaches are answered and their links go live in the same
 * step (U5, U6), and endpoints that fell behind while the uplink was congested are caught up (U10).
 */
import { NOTHING, reaches } from "../../shared/protocol/position.ts";
import { type AddressedTo, encodeAttached, encodeWaiting } from "../../shared/protocol/uplink.ts";
import { type Answer, type AnswerPorts, answerRecent, answerRecovered, examine, prove } from "./answer.ts";
import type { BlockedAsks } from "./blocked-asks.ts";
import type { WatchCounts } from "./counts.ts";
import type { Interest, Shard } from "./interest.ts";

/** Turns of endpoints in one step at most, and of no more bytes than one answer has, so that others get on. */
const TURNS_PER_STEP = 16;

/** The id of an answer that nobody asked for. */
const UNASKED = 0;

/** Returns whether more can be done at once. */
export function serve(ports: AnswerPorts, blocked: BlockedAsks, shard: Shard, counts: WatchCounts): boolean {
  let bytes = 0;
  for (let turn = 0; turn < TURNS_PER_STEP && bytes < ports.bounds.bytes; turn++) {
    const [interest] = shard.work;
    if (interest === undefined || shard.congested) break;
    shard.work.delete(interest);
    bytes +=
      interest.behind === undefined
        ? answer(ports, blocked, interest, counts)
        : catchUp(ports, interest, counts);
    if (interest.hasWork) shard.work.add(interest);
  }
  shard.outbox.flush();
  return shard.work.size > 0 && !shard.congested;
}

/** Answers one ask, or tells it to wait. Returns the bytes sent. */
function answer(ports: AnswerPorts, blocked: BlockedAsks, interest: Interest, counts: WatchCounts): number {
  const ask = interest.nextAsk;
  if (ask === undefined) return 0;
  const { watch } = interest;
  const { path } = watch.endpoint;
  const { outbox } = interest.shard;
  const to: AddressedTo = { kind: "links", links: [ask.link] };
  const examined = examine(ports, watch, ask.from);
  if (examined.kind === "blocked") {
    blocked.add(ask, examined.blocked);
    if (!ask.told) {
      outbox.add(to, encodeWaiting(path, ask.id));
      counts.waited++;
    }
    ask.told = true;
    return 0;
  }
  interest.forget(ask);
  interest.goLive(ask.link);
  const { proof } = examined;
  const answered =
    proof === "recovered"
      ? answerRecovered(ports, watch, ask.from ?? NOTHING)
      : answerRecent(ports, watch, ask.from, proof);
  outbox.add(to, encodeAttached({ ...answered.attached, id: ask.id }));
  counts.answered[proof]++;
  return send(interest, to, answered, counts);
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
    interest.behind = reaches(to, verdict.head) ? undefined : { from: to, cause: undefined };
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
