/**
 * What survives hibernation on a socket: written by the code of one version, perhaps read by that of another,
 * so everything is checked and what can't be read counts as lost (the origin is asked again).
 *
 * No SQLite row takes part: after an eviction the origin's index refills what is missing, rows would cost
 * more than all else, and an object that is reset loses its subscribers' sockets along with its memory.
 */

import * as v from "valibot";
import { ownedFrame } from "../../shared/core/owned.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { formatPosition, NOTHING, type Position, parsePosition } from "../../shared/protocol/position.ts";
import type { HibernatingPeer } from "../peer.ts";
import type { Own } from "./question-states.ts";

/** The platform's limit is 16,384 bytes once serialized; the rest is room for the names of fields. */
const ATTACHMENT_BYTES = 15_000;

/** Of this the positions of open questions; those that don't fit are asked for again after a hibernation. */
const ASKS_BYTES = 4_000;
/** What a question takes beside its position. */
const ASK_BYTES = 40;

/** A question for those who wait, where the answer is still due. */
export interface OpenAsk {
  readonly id: number;
  readonly from: Position | undefined;
  /** The source said that its answer will take time. */
  readonly held: boolean;
}

/** On the link's socket: how far the object is. `dial` is 0 until the link's hello has come. */
export interface LinkFacts {
  readonly path: string;
  readonly shard: number;
  readonly generation: number;
  readonly dial: number;
  readonly position: Position | undefined;
  readonly latest: Frame | "none" | undefined;
  /** An answer led up to here, of which only a part has come. */
  readonly due: Position;
  readonly nextAsk: number;
  readonly own: Own;
  readonly asks: readonly OpenAsk[];
  /** Ids of questions of which nothing else was kept. */
  readonly forgotten: readonly number[];
}

/** On a subscriber's socket. Without `waiting` it is live. */
export interface SubscriberFacts {
  /** Of the last subscribe. */
  readonly id: number;
  readonly waiting: Waiting | undefined;
  /** Of one that is live: where it stands in epochs of which its object has nothing. */
  readonly beyond: Position | undefined;
}

/** A subscriber whose verdict is due, or that is still catching up. */
export interface Waiting {
  readonly from: Position | undefined;
  /** The verdict was sent: it stands at `from` and wants what follows. */
  readonly answered: boolean;
  /** It was told to wait (S4). */
  readonly told: boolean;
  /** When it subscribed, in milliseconds since 1970. */
  readonly since: number;
}

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const OptionalPosition = v.optional(v.string());
const FrameSchema = v.union([v.string(), v.instance(Uint8Array<ArrayBuffer>)]);

const OwnSchema = v.variant("kind", [
  v.object({ kind: v.picklist(["settled", "due"]) }),
  v.object({ kind: v.picklist(["asked", "held"]), id: Whole, from: OptionalPosition }),
]);

const LinkSchema = v.object({
  kind: v.literal("link"),
  path: v.string(),
  shard: Whole,
  generation: Whole,
  dial: Whole,
  position: OptionalPosition,
  due: OptionalPosition,
  latest: v.optional(FrameSchema),
  noLatest: v.boolean(),
  nextAsk: Whole,
  own: OwnSchema,
  asks: v.array(v.object({ id: Whole, from: OptionalPosition, held: v.boolean() })),
  forgotten: v.array(Whole),
});

const SubscriberSchema = v.object({
  kind: v.literal("subscriber"),
  id: Whole,
  waiting: v.optional(
    v.object({ from: OptionalPosition, answered: v.boolean(), told: v.boolean(), since: Whole }),
  ),
  beyond: OptionalPosition,
});

/** undefined where the platform would not take the frame; its position is kept all the same. */
function fitting(frame: Frame | undefined, room: number): Frame | undefined {
  if (frame === undefined || frame.length > room) return undefined;
  // Of a view all that lies behind it would be written.
  if (typeof frame !== "string") return ownedFrame(frame);
  // A string with any character past Latin-1 takes two bytes for each.
  if (frame.length * 2 <= room) return frame;
  const bytes = /^[\0-\xff]*$/.test(frame) ? frame.length : frame.length * 2;
  return bytes <= room ? frame : undefined;
}

/** Questions whose positions fit; of the others what it takes to take them back. */
function fittingAsks({ asks, forgotten }: LinkFacts) {
  const fitting: v.InferInput<typeof LinkSchema>["asks"] = [];
  const ids = [...forgotten];
  let bytes = ids.length * ASK_BYTES;
  for (const { id, from, held } of asks) {
    const text = from && formatPosition(from);
    const size = (text?.length ?? 0) + ASK_BYTES;
    const fits = bytes + size <= ASKS_BYTES;
    bytes += fits ? size : ASK_BYTES;
    if (fits) fitting.push({ id, from: text, held });
    else ids.push(id);
  }
  return { asks: fitting, forgotten: ids, bytes };
}

export function saveLink(socket: HibernatingPeer, facts: LinkFacts): void {
  const position = facts.position && formatPosition(facts.position);
  const { own } = facts;
  const from = "from" in own ? own.from && formatPosition(own.from) : undefined;
  const { asks, forgotten, bytes } = fittingAsks(facts);
  const due = facts.due.size === 0 ? undefined : formatPosition(facts.due);
  const positions = (position?.length ?? 0) + (from?.length ?? 0) + (due?.length ?? 0);
  const room = ATTACHMENT_BYTES - facts.path.length - positions - bytes;
  const latest = facts.latest === "none" ? undefined : fitting(facts.latest, room);
  socket.serializeAttachment({
    kind: "link",
    path: facts.path,
    shard: facts.shard,
    generation: facts.generation,
    dial: facts.dial,
    position,
    due,
    latest,
    noLatest: facts.latest === "none",
    nextAsk: facts.nextAsk,
    own: "id" in own ? { kind: own.kind, id: own.id, from } : own,
    asks,
    forgotten,
  } satisfies v.InferInput<typeof LinkSchema>);
}

/** undefined where there is nothing that this version can read. */
export function loadLink(socket: HibernatingPeer): LinkFacts | undefined {
  const result = v.safeParse(LinkSchema, socket.deserializeAttachment());
  if (!result.success) return undefined;
  const { kind: _, position, due, noLatest, latest, own, asks, ...facts } = result.output;
  return {
    ...facts,
    position: optionalPosition(position),
    due: optionalPosition(due) ?? NOTHING,
    latest: noLatest ? "none" : latest,
    own: "id" in own ? { ...own, from: optionalPosition(own.from) } : own,
    asks: asks.map((ask) => ({ ...ask, from: optionalPosition(ask.from) })),
  };
}

export function saveSubscriber(socket: HibernatingPeer, facts: SubscriberFacts): void {
  const { id, waiting, beyond } = facts;
  socket.serializeAttachment({
    kind: "subscriber",
    id,
    waiting: waiting && { ...waiting, from: waiting.from && formatPosition(waiting.from) },
    beyond: beyond && formatPosition(beyond),
  } satisfies v.InferInput<typeof SubscriberSchema>);
}

/** undefined where there is nothing that this version can read. */
export function loadSubscriber(socket: HibernatingPeer): SubscriberFacts | undefined {
  const result = v.safeParse(SubscriberSchema, socket.deserializeAttachment());
  if (!result.success) return undefined;
  const { id, waiting, beyond } = result.output;
  return {
    id,
    waiting: waiting && { ...waiting, from: optionalPosition(waiting.from) },
    beyond: optionalPosition(beyond),
  };
}

function optionalPosition(text: string | undefined): Position | undefined {
  return text === undefined ? undefined : parsePosition(text);
}
