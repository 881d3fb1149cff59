/**
 * What of an endpoint state outlives the memory, and how it is written: by the code of one version, perhaps read by that
 * of another, so everything is checked. Where it is kept is for the object to say.
 */
import * as v from "valibot";
import { ownedFrame } from "../../shared/core/owned.ts";
import type { Frame } from "../../shared/protocol/frame.ts";
import { formatPosition, NOTHING, type Position, parseLongPosition } from "../../shared/protocol/position.ts";
import type { Own } from "./question-states.ts";

/** Room for the positions of open questions; those that don't fit are asked again after a hibernation. */
const ASKS_BYTES = 4_000;
/** What a question takes beside its position. */
const ASK_BYTES = 40;
const NO_ASKS: FittingAsks = { asks: [], forgotten: [], bytes: 0 };

/** A question for those who wait, where the answer is still due. */
export interface OpenAsk {
  readonly id: number;
  readonly from: Position | undefined;
  /** The source said that its answer will take time. */
  readonly held: boolean;
}

export interface StateFacts {
  readonly position: Position | undefined;
  readonly latest: Frame | "none" | undefined;
  /** An answer led up to here, of which only a part has come. */
  readonly due: Position;
  readonly nextAsk: number;
  readonly own: Own;
  readonly asks: readonly OpenAsk[];
  /** Ids of questions of which nothing else was kept. */
  readonly forgotten: readonly number[];
  /** How many subscribers the shard was told of last; undefined if it doesn't want to know. */
  readonly counted: number | undefined;
  /** Whether the shard tells it how many there are altogether (O2). */
  readonly curious: boolean;
}

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const OptionalPosition = v.optional(v.string());
const FrameSchema = v.union([v.string(), v.instance(Uint8Array<ArrayBuffer>)]);

const SETTLED = { kind: "settled" } as const;
const OwnSchema = v.variant("kind", [
  v.object({ kind: v.picklist(["settled", "due"]) }),
  v.object({ kind: v.picklist(["asked", "held"]), id: Whole, from: OptionalPosition }),
]);

/** Usual values are left out: this is written after every message of a link. */
export const WrittenStateSchema = v.object({
  position: OptionalPosition,
  due: OptionalPosition,
  /** false: there is none. */
  latest: v.optional(v.union([FrameSchema, v.literal(false)])),
  nextAsk: Whole,
  own: v.optional(OwnSchema, SETTLED),
  asks: v.optional(v.array(v.object({ id: Whole, from: OptionalPosition, held: v.boolean() })), []),
  forgotten: v.optional(v.array(Whole), []),
  counted: v.optional(v.pipe(v.number(), v.safeInteger())),
  curious: v.optional(v.boolean(), false),
});

export type WrittenState = v.InferInput<typeof WrittenStateSchema>;

interface FittingAsks {
  readonly asks: NonNullable<WrittenState["asks"]>;
  readonly forgotten: NonNullable<WrittenState["forgotten"]>;
  /** What both take. */
  readonly bytes: number;
}

/**
 * @param room In bytes. The latest update is left out where it doesn't fit; its position is kept all the same. Of a key that
 * lives in so many partitions that not even that fits, nothing is kept: the next memory asks where it is, and says so.
 */
export function writeState(facts: StateFacts, room: number): WrittenState {
  const position = facts.position && formatPosition(facts.position);
  const { own } = facts;
  const from = "from" in own ? own.from && formatPosition(own.from) : undefined;
  const { asks, forgotten, bytes } = fittingAsks(facts);
  const due = facts.due.size === 0 ? undefined : formatPosition(facts.due);
  const positions = (position?.length ?? 0) + (from?.length ?? 0) + (due?.length ?? 0);
  if (positions + bytes > room) return forgetful(facts);
  const latest = facts.latest === "none" ? false : fitting(facts.latest, room - positions - bytes);
  const written: WrittenState = { nextAsk: facts.nextAsk };
  if (position !== undefined) written.position = position;
  if (due !== undefined) written.due = due;
  if (latest !== undefined) written.latest = latest;
  if (own.kind !== "settled") written.own = "id" in own ? { kind: own.kind, id: own.id, ...at(from) } : own;
  if (asks.length > 0) written.asks = asks;
  if (forgotten.length > 0) written.forgotten = forgotten;
  if (facts.counted !== undefined) written.counted = facts.counted;
  if (facts.curious) written.curious = true;
  return written;
}

/** Fields that are undefined would be written, too. */
function at(from: string | undefined): { readonly from?: string } {
  return from === undefined ? {} : { from };
}

function ofOccupancy({ counted, curious }: StateFacts): Pick<WrittenState, "counted" | "curious"> {
  return { ...(counted !== undefined && { counted }), ...(curious && { curious }) };
}

function forgetful(facts: StateFacts): WrittenState {
  const { nextAsk, own, asks, forgotten } = facts;
  const open = "id" in own ? [...asks, own] : asks;
  const ids = [...forgotten, ...open.map(({ id }) => id)];
  return { nextAsk, own: { kind: "due" }, forgotten: ids, ...ofOccupancy(facts) };
}

export function readState(written: v.InferOutput<typeof WrittenStateSchema>): StateFacts {
  const { position, due, latest, own, asks, nextAsk, forgotten, counted, curious } = written;
  return {
    position: readPosition(position),
    due: readPosition(due) ?? NOTHING,
    latest: latest === false ? "none" : latest,
    nextAsk,
    own: "id" in own ? { ...own, from: readPosition(own.from) } : own,
    asks: asks.map((ask) => ({ ...ask, from: readPosition(ask.from) })),
    forgotten,
    counted,
    curious,
  };
}

export function readPosition(text: string | undefined): Position | undefined {
  return text === undefined ? undefined : parseLongPosition(text);
}

/** undefined if there isn't so much room. */
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
function fittingAsks({ asks, forgotten }: StateFacts): FittingAsks {
  // Nearly always.
  if (asks.length === 0 && forgotten.length === 0) return NO_ASKS;
  const fitting: NonNullable<WrittenState["asks"]> = [];
  const ids = [...forgotten];
  let bytes = ids.length * ASK_BYTES;
  for (const { id, from, held } of asks) {
    const text = from && formatPosition(from);
    const size = (text?.length ?? 0) + ASK_BYTES;
    const fits = bytes + size <= ASKS_BYTES;
    bytes += fits ? size : ASK_BYTES;
    if (fits) fitting.push({ id, ...at(text), held });
    else ids.push(id);
  }
  return { asks: fitting, forgotten: ids, bytes };
}
