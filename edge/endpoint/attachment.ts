/**
 * What survives hibernation on a socket, by the paths that it is about: written by the code of one version, perhaps read by
 * that of another, so everything is checked and what can't be read counts as lost (the origin is asked again).
 *
 * No SQLite row takes part: after an eviction the origin's index refills what is missing, rows would cost
 * more than all else, and an object that is reset loses its subscribers' sockets along with its memory.
 */

import * as v from "valibot";
import { AUDIENCES, type Audience } from "../../shared/config/streams.ts";
import type { LinkHello } from "../../shared/protocol/link.ts";
import { formatPosition } from "../../shared/protocol/position.ts";
import type { HibernatingPeer } from "../peer.ts";
import type { Holder } from "./holder.ts";
import {
  readPosition,
  readState,
  type StateFacts,
  type WrittenState,
  WrittenStateSchema,
  writeState,
} from "./state-facts.ts";
import type { SubscriptionFacts } from "./subscription-states.ts";

/** The platform's limit is 16,384 bytes once serialized; the rest is room for the names of fields. */
export const ATTACHMENT_BYTES = 15_000;

/** Which link a socket is. */
export type LinkIdentity = Omit<LinkHello, "version" | "revocations">;

/** On a link's socket. */
export interface LinkFacts {
  /** undefined until the link's hello has come. */
  readonly hello: LinkIdentity | undefined;
  /** When the shard was last asked to wake the object (L9). */
  readonly wakeAt: number | undefined;
  readonly revocations: RevocationFacts;
  /** Of the rows in which an object of many endpoints keeps how far they are. */
  readonly version: number;
  /** What it carries, by path. */
  readonly states: ReadonlyMap<string, StateFacts>;
}

/** What an object knows of its shard's revocations (L10). */
export interface RevocationFacts {
  /** How many it has. */
  readonly count: number;
  /** Of the last question about tokens. */
  readonly lastId: number;
  /** Whether it is still to say of any token if it counts. */
  readonly isOpen: boolean;
}

export const NO_REVOCATIONS: RevocationFacts = { count: 0, lastId: 0, isOpen: false };

/** What is written of an endpoint state on the link that it is asked on. */
export interface Carried {
  readonly path: string;
  facts(): StateFacts;
}

/** Of a socket that has published, or may by its token. */
export interface PublisherFacts {
  /** By which answers find it. */
  readonly tag: number | undefined;
  /** What the stream said when its token was found to let it; undefined if it doesn't, or there is none. */
  readonly grantedBy: Audience | undefined;
}

const NO_PUBLISHER: PublisherFacts = { tag: undefined, grantedBy: undefined };

/** On a subscriber's socket. */
export interface SubscriberFacts {
  /** By whose token it is there; undefined for "public". */
  readonly holder: Holder | undefined;
  readonly publisher: PublisherFacts;
  /** By the paths that it follows. */
  readonly follows: ReadonlyMap<string, SubscriptionFacts>;
}

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const LinkSchema = v.object({
  kind: v.literal("link"),
  hello: v.optional(v.object({ shard: Whole, generation: Whole, dial: Whole })),
  wakeAt: v.optional(Whole),
  /** Left out if there are none. */
  revocations: v.optional(v.object({ count: Whole, lastId: Whole, isOpen: v.boolean() })),
  version: v.optional(Whole, 0),
  /** Pairs: an object whose fields are paths would be slow to write. */
  states: v.array(v.tuple([v.string(), WrittenStateSchema])),
});

/** Left out if it isn't wanted. */
const occupancy = v.optional(v.literal(true));

const SubscriptionSchema = v.variant("kind", [
  v.object({
    kind: v.picklist(["waiting", "told"]),
    occupancy,
    id: Whole,
    from: v.optional(v.string()),
    since: Whole,
  }),
  v.object({ kind: v.literal("lagging"), occupancy, id: Whole, from: v.string(), since: Whole }),
  v.object({ kind: v.literal("live"), occupancy, id: Whole, beyond: v.optional(v.string()) }),
]);
type WrittenSubscription = v.InferOutput<typeof SubscriptionSchema>;

export const HolderSchema = v.object({
  iss: v.string(),
  sub: v.string(),
  jti: v.optional(v.string()),
  iat: v.number(),
  /** An older version left it out. */
  came: v.optional(v.number(), 0),
  until: Whole,
  /** Left out when it was told. */
  notice: v.optional(v.number()),
  revokedAt: v.optional(v.number()),
});
type WrittenHolder = v.InferOutput<typeof HolderSchema>;

const SubscriberSchema = v.object({
  kind: v.literal("subscriber"),
  paths: v.array(v.tuple([v.string(), SubscriptionSchema])),
  /** Left out for "public". */
  holder: v.optional(HolderSchema),
  publisher: v.optional(
    v.object({
      tag: v.optional(Whole),
      by: v.optional(v.picklist(AUDIENCES)),
    }),
  ),
});
type WrittenPublisher = NonNullable<v.InferOutput<typeof SubscriberSchema>["publisher"]>;

export function saveLink(
  socket: HibernatingPeer,
  hello: LinkIdentity | undefined,
  carried: readonly Carried[],
  wakeAt?: number,
  revocations: RevocationFacts = NO_REVOCATIONS,
  version = 0,
): void {
  // Each has its share, whatever the others need.
  const room = ATTACHMENT_BYTES / carried.length;
  const states = carried.map((state): [string, WrittenState] => [
    state.path,
    writeState(state.facts(), room - state.path.length),
  ]);
  const written: v.InferInput<typeof LinkSchema> = { kind: "link", states };
  if (hello !== undefined) written.hello = hello;
  if (wakeAt !== undefined) written.wakeAt = wakeAt;
  if (revocations.count > 0 || revocations.isOpen) written.revocations = revocations;
  if (version > 0) written.version = version;
  socket.serializeAttachment(written);
}

/** undefined if there is nothing that this version can read. */
export function loadLink(socket: HibernatingPeer): LinkFacts | undefined {
  const result = v.safeParse(LinkSchema, socket.deserializeAttachment());
  if (!result.success) return undefined;
  const { hello, wakeAt, revocations = NO_REVOCATIONS, version, states } = result.output;
  const read = states.map(([path, written]) => [path, readState(written)] as const);
  return { hello, wakeAt, revocations, version, states: new Map(read) };
}

/** `follows`: by the paths that it follows. */
export function saveSubscriber(
  socket: HibernatingPeer,
  holder: Holder | undefined,
  follows: Iterable<readonly [path: string, SubscriptionFacts]>,
  publisher = NO_PUBLISHER,
): void {
  const paths: [string, WrittenSubscription][] = [];
  const written = writePublisher(publisher);
  for (const [path, facts] of follows) paths.push([path, writeSubscription(facts)]);
  socket.serializeAttachment({
    kind: "subscriber",
    paths,
    ...(holder !== undefined && { holder: writeHolder(holder) }),
    ...(written !== undefined && { publisher: written }),
  } satisfies v.InferInput<typeof SubscriberSchema>);
}

/** undefined if there is nothing that this version can read. */
export function loadSubscriber(socket: HibernatingPeer): SubscriberFacts | undefined {
  const result = v.safeParse(SubscriberSchema, socket.deserializeAttachment());
  if (!result.success) return undefined;
  const { holder, publisher } = result.output;
  const follows = new Map<string, SubscriptionFacts>();
  for (const [path, written] of result.output.paths) {
    const facts = readSubscription(written);
    if (facts === undefined) return undefined;
    follows.set(path, facts);
  }
  return { holder: holder && readHolder(holder), publisher: readPublisher(publisher), follows };
}

/** A path of which something is written on one of these sockets. The object of an endpoint has no other. */
export function pathOn(
  links: readonly HibernatingPeer[],
  subscribers: readonly HibernatingPeer[],
): string | undefined {
  for (const socket of links) for (const path of loadLink(socket)?.states.keys() ?? []) return path;
  for (const socket of subscribers)
    for (const path of loadSubscriber(socket)?.follows.keys() ?? []) return path;
  return undefined;
}

/** Fields that are undefined would be written, too. */
function writeSubscription({ id, subscription, occupancy }: SubscriptionFacts): WrittenSubscription {
  const written = writeProgress(id, subscription);
  return occupancy ? { ...written, occupancy } : written;
}

function writeProgress(id: number, subscription: SubscriptionFacts["subscription"]): WrittenSubscription {
  if (subscription.kind === "live") {
    const { kind, beyond } = subscription;
    return beyond === undefined ? { id, kind } : { id, kind, beyond: formatPosition(beyond) };
  }
  if (subscription.kind === "lagging")
    return { id, ...subscription, from: formatPosition(subscription.from) };
  const { kind, from, since } = subscription;
  return from === undefined ? { id, kind, since } : { id, kind, since, from: formatPosition(from) };
}

function readSubscription(written: WrittenSubscription): SubscriptionFacts | undefined {
  const { id, kind } = written;
  const facts = written.occupancy ? { id, occupancy: written.occupancy } : { id };
  if (kind === "live") return { ...facts, subscription: { kind, beyond: readPosition(written.beyond) } };
  const { since } = written;
  const from = readPosition(written.from);
  if (kind !== "lagging") return { ...facts, subscription: { kind, from, since } };
  return from && { ...facts, subscription: { kind, from, since } };
}

function writePublisher({ tag, grantedBy: by }: PublisherFacts): WrittenPublisher | undefined {
  if (tag === undefined && by === undefined) return undefined;
  return { ...(tag !== undefined && { tag }), ...(by !== undefined && { by }) };
}

function readPublisher({ tag, by }: WrittenPublisher = {}): PublisherFacts {
  return { tag, grantedBy: by };
}

export function writeHolder(holder: Holder): WrittenHolder {
  const { issuer, subject, tokenId, issuedAt, cameAt, until, noticeAt, revokedAt } = holder;
  return {
    iss: issuer,
    sub: subject,
    ...(tokenId !== undefined && { jti: tokenId }),
    iat: issuedAt,
    came: cameAt,
    until,
    ...(noticeAt !== undefined && { notice: noticeAt }),
    ...(revokedAt !== undefined && { revokedAt }),
  };
}

export function readHolder({ iss, sub, jti, iat, came, until, notice, revokedAt }: WrittenHolder): Holder {
  const names = { issuer: iss, subject: sub, tokenId: jti, issuedAt: iat };
  return { ...names, cameAt: came, until, noticeAt: notice, ...(revokedAt !== undefined && { revokedAt }) };
}
