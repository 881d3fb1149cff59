/**
 * How it is written what an object of many endpoints must know after a hibernation: by the code of one version, perhaps read
 * by that of another, so everything is checked. Pure; where it is kept is in keeping.ts.
 */
import * as v from "valibot";
import { formatPosition, OLDEST, type Position, parseLongPosition } from "../../shared/protocol/position.ts";
import { ATTACHMENT_BYTES, HolderSchema, readHolder, writeHolder } from "../endpoint/attachment.ts";
import type { Holder } from "../endpoint/holder.ts";
import { readState, type StateFacts, WrittenStateSchema, writeState } from "../endpoint/state-facts.ts";
import type { Subscription } from "../endpoint/subscription-states.ts";
import type { Followed, Row } from "./connection.ts";
import type { Right } from "./right.ts";

export interface KeptConnection {
  readonly right: Right;
  /** By whose token it is there; undefined for "public". */
  readonly holder: Holder | undefined;
  /** The one path that it may follow; undefined: any. */
  readonly only: string | undefined;
  /** From whom it came; undefined if that doesn't count. */
  readonly sender: string | undefined;
  readonly lastId: number;
  /** By which answers to what it has published find it; undefined until it has published something. */
  readonly tag: number | undefined;
  /** What it follows, or in which row that stands. */
  readonly follows: ReadonlyMap<string, Followed> | Row;
}

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Patterns = v.array(v.string());
const ConnectionSchema = v.object({
  kind: v.literal("connection"),
  /** Left out for "public". */
  grants: v.optional(
    v.object({ subscribe: Patterns, publish: Patterns, discover: Patterns, admin: v.boolean() }),
  ),
  tokensCount: v.boolean(),
  holder: v.optional(HolderSchema),
  only: v.optional(v.string()),
  sender: v.optional(v.string()),
  lastId: Whole,
  tag: v.optional(Whole),
  follows: v.union([v.string(), v.object({ id: v.string(), version: Whole })]),
});

/** What names of fields, numbers and hashes take at most. */
const REST_BYTES = 1_000;
/** What a pattern takes besides its characters. */
const PATTERN_BYTES = 5;

/** How much room an attachment has for what is followed, in characters, all of which are ASCII. */
export function roomFor({ grants }: Right, only = ""): number {
  const patterns = grants === undefined ? [] : [...grants.subscribe, ...grants.publish, ...grants.discover];
  const bytes = patterns.reduce((sum, pattern) => sum + pattern.length + PATTERN_BYTES, REST_BYTES);
  return ATTACHMENT_BYTES - bytes - only.length;
}

export function writeConnection(
  { right, holder, only, sender, lastId, tag }: Omit<KeptConnection, "follows">,
  follows: string | Row,
): unknown {
  const { grants, tokensCount } = right;
  return {
    kind: "connection",
    ...(grants !== undefined && { grants }),
    tokensCount,
    ...(holder !== undefined && { holder: writeHolder(holder) }),
    ...(only !== undefined && { only }),
    ...(sender !== undefined && { sender }),
    lastId,
    ...(tag !== undefined && { tag }),
    follows,
  } satisfies v.InferInput<typeof ConnectionSchema>;
}

/** undefined if there is nothing that this version can read. */
export function readConnection(attachment: unknown): KeptConnection | undefined {
  const read = v.safeParse(ConnectionSchema, attachment);
  if (!read.success) return undefined;
  const { grants, tokensCount, holder: written, only, sender, lastId, tag, ...rest } = read.output;
  const follows = typeof rest.follows === "string" ? readFollows(rest.follows) : rest.follows;
  if (follows === undefined) return undefined;
  const holder = written && readHolder(written);
  return { right: { grants, tokensCount }, holder, only, sender, lastId, tag, follows };
}

/** Behind the state of a subscription that wants to be told how many there are. */
const CURIOUS = "?";

/** A line for each: path, id, state (`oldest`: it must ask where it begins), and what that has. None of them holds a space. */
export function writeFollows(follows: Iterable<readonly [path: string, Followed]>): string {
  const lines: string[] = [];
  for (const [path, { id, subscription, occupancy, seeks }] of follows) {
    const kind = seeks ?? subscription.kind;
    const state = occupancy ? kind + CURIOUS : kind;
    lines.push([path, id, state, ...detailsOf(subscription)].join(" "));
  }
  return lines.join("\n");
}

function detailsOf(subscription: Subscription): (string | number)[] {
  if (subscription.kind === "live") return textOf(subscription.beyond);
  return [subscription.since, ...textOf(subscription.from)];
}

function textOf(position: Position | undefined): string[] {
  return position === undefined ? [] : [formatPosition(position)];
}

export function readFollows(text: string): Map<string, Followed> | undefined {
  const follows = new Map<string, Followed>();
  for (const line of text === "" ? [] : text.split("\n")) {
    const [path = "", id = "", state = "", ...details] = line.split(" ");
    const isCurious = state.endsWith(CURIOUS);
    const kind = isCurious ? state.slice(0, -CURIOUS.length) : state;
    const seeks = kind === OLDEST;
    const subscription = readSubscription(seeks ? "waiting" : kind, details);
    if (path[0] !== "/" || !isWhole(id) || subscription === undefined) return undefined;
    follows.set(path, {
      id: Number(id),
      subscription,
      ...(isCurious && { occupancy: true }),
      ...(seeks && { seeks: OLDEST }),
    });
  }
  return follows;
}

function readSubscription(kind: string, details: readonly string[]): Subscription | undefined {
  const [since = "", written] = kind === "live" ? ["0", ...details] : details;
  const position = written === undefined ? undefined : parseLongPosition(written);
  if (!isWhole(since) || (written !== undefined && position === undefined)) return undefined;
  if (kind === "live") return { kind, beyond: position };
  if (kind === "waiting" || kind === "told") return { kind, from: position, since: Number(since) };
  return kind === "lagging" && position !== undefined
    ? { kind, from: position, since: Number(since) }
    : undefined;
}

function isWhole(text: string): boolean {
  return /^[0-9]{1,16}$/.test(text);
}

/** What a row has at most: the platform takes 2 MB. */
export const CHUNK_CHARACTERS = 1_000_000;
/** A state that needs more keeps less: what is missing is asked again. */
const STATE_BYTES = 8_000;

const StatesSchema = v.array(v.tuple([v.string(), WrittenStateSchema]));

/** In pieces of a row each. */
export function writeStates(states: Iterable<readonly [path: string, StateFacts]>): string[] {
  const chunks: string[] = [];
  let texts: string[] = [];
  let size = 0;
  for (const [path, facts] of states) {
    // An update is asked for again when somebody needs it: bytes have no place in a text.
    const latest = facts.latest === "none" ? facts.latest : undefined;
    const text = JSON.stringify([path, writeState({ ...facts, latest }, STATE_BYTES)]);
    if (size + text.length > CHUNK_CHARACTERS) {
      chunks.push(`[${texts.join()}]`);
      [texts, size] = [[], 0];
    }
    texts.push(text);
    size += text.length + 1;
  }
  if (texts.length > 0) chunks.push(`[${texts.join()}]`);
  return chunks;
}

/** What this version can read of it. */
export function readStates(chunks: Iterable<string>): Map<string, StateFacts> {
  const states = new Map<string, StateFacts>();
  for (const chunk of chunks) {
    const read = v.safeParse(StatesSchema, parseJson(chunk));
    if (read.success) for (const [path, written] of read.output) states.set(path, readState(written));
  }
  return states;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
