/**
 * What survives hibernation on a socket: written by the code of one version, perhaps read by that of another,
 * so everything is checked and what can't be read counts as lost (the origin is asked again).
 *
 * No SQLite row takes part: after an eviction the origin's index refills what is missing, rows would cost
 * more than all else, and an object that is reset loses its subscribers' sockets along with its memory.
 */
import * as v from "valibot";
import type { Frame } from "../../shared/protocol/frame.ts";
import { formatPosition, type Position, parsePosition } from "../../shared/protocol/position.ts";
import type { HibernatingPeer } from "../peer.ts";

/** The platform's limit is 16,384 bytes once serialized; the rest is room for the names of fields. */
const ATTACHMENT_BYTES = 15_000;

/** What the object asked its shard last, where the answer is still due. */
export interface Ask {
  readonly id: number;
  /** Asked for the object itself, from its own position; else for subscribers that wait. */
  readonly own: boolean;
  readonly from: Position | undefined;
}

/** On the link's socket: how far the object is. `dial` is 0 until the link's hello has come. */
export interface LinkFacts {
  readonly path: string;
  readonly shard: number;
  readonly generation: number;
  readonly dial: number;
  readonly position: Position | undefined;
  readonly latest: Frame | "none" | undefined;
  readonly nextAsk: number;
  readonly ask: Ask | undefined;
  /** The object must ask from its own position, now or when it has a subscriber again. */
  readonly behind: boolean;
  /** The source said that its answer will take time. */
  readonly held: boolean;
}

/** On a subscriber's socket. Without `waiting` it is live. */
export interface SubscriberFacts {
  /** Of the last subscribe. */
  readonly id: number;
  readonly waiting: Waiting | undefined;
}

/** A subscriber whose verdict is due, or that is still catching up. */
export interface Waiting {
  readonly from: Position | undefined;
  /** The verdict was sent: it stands at `from` and wants what follows. */
  readonly answered: boolean;
  /** It was told to wait (S4). */
  readonly told: boolean;
}

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const OptionalPosition = v.optional(v.string());
const FrameSchema = v.union([v.string(), v.instance(Uint8Array<ArrayBuffer>)]);

const LinkSchema = v.object({
  kind: v.literal("link"),
  path: v.string(),
  shard: Whole,
  generation: Whole,
  dial: Whole,
  position: OptionalPosition,
  latest: v.optional(FrameSchema),
  noLatest: v.boolean(),
  nextAsk: Whole,
  ask: v.optional(v.object({ id: Whole, own: v.boolean(), from: OptionalPosition })),
  behind: v.boolean(),
  held: v.boolean(),
});

const SubscriberSchema = v.object({
  kind: v.literal("subscriber"),
  id: Whole,
  waiting: v.optional(v.object({ from: OptionalPosition, answered: v.boolean(), told: v.boolean() })),
});

/** undefined where the platform would not take the frame; its position is kept all the same. */
function fitting(frame: Frame | undefined, room: number): Frame | undefined {
  if (frame === undefined || frame.length > room) return undefined;
  // Of a view all that lies behind it would be written.
  if (typeof frame !== "string") return frame.length === frame.buffer.byteLength ? frame : frame.slice();
  // A string with any character past Latin-1 takes two bytes for each.
  if (frame.length * 2 <= room) return frame;
  const bytes = /^[\0-\xff]*$/.test(frame) ? frame.length : frame.length * 2;
  return bytes <= room ? frame : undefined;
}

export function saveLink(socket: HibernatingPeer, facts: LinkFacts): void {
  const position = facts.position && formatPosition(facts.position);
  const from = facts.ask?.from && formatPosition(facts.ask.from);
  const room = ATTACHMENT_BYTES - facts.path.length - (position?.length ?? 0) - (from?.length ?? 0);
  const latest = facts.latest === "none" ? undefined : fitting(facts.latest, room);
  socket.serializeAttachment({
    kind: "link",
    path: facts.path,
    shard: facts.shard,
    generation: facts.generation,
    dial: facts.dial,
    position,
    latest,
    noLatest: facts.latest === "none",
    nextAsk: facts.nextAsk,
    ask: facts.ask && { id: facts.ask.id, own: facts.ask.own, from },
    behind: facts.behind,
    held: facts.held,
  } satisfies v.InferInput<typeof LinkSchema>);
}

/** undefined where there is nothing that this version can read. */
export function loadLink(socket: HibernatingPeer): LinkFacts | undefined {
  const result = v.safeParse(LinkSchema, socket.deserializeAttachment());
  if (!result.success) return undefined;
  const { kind: _, position, noLatest, latest, ask, ...facts } = result.output;
  return {
    ...facts,
    position: optionalPosition(position),
    latest: noLatest ? "none" : latest,
    ask: ask && { id: ask.id, own: ask.own, from: optionalPosition(ask.from) },
  };
}

export function saveSubscriber(socket: HibernatingPeer, facts: SubscriberFacts): void {
  const { id, waiting } = facts;
  socket.serializeAttachment({
    kind: "subscriber",
    id,
    waiting: waiting && { ...waiting, from: waiting.from && formatPosition(waiting.from) },
  } satisfies v.InferInput<typeof SubscriberSchema>);
}

/** undefined where there is nothing that this version can read. */
export function loadSubscriber(socket: HibernatingPeer): SubscriberFacts | undefined {
  const result = v.safeParse(SubscriberSchema, socket.deserializeAttachment());
  if (!result.success) return undefined;
  const { id, waiting } = result.output;
  return { id, waiting: waiting && { ...waiting, from: optionalPosition(waiting.from) } };
}

function optionalPosition(text: string | undefined): Position | undefined {
  return text === undefined ? undefined : parsePosition(text);
}
