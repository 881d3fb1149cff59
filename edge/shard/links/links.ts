/**
 * The links of a shard and what is watched on each: L2, L3, L7 and L8 of INTERNALS.md.
 */
import { type Attach, type Attached, encodeAttach, UNASKED } from "../../../shared/protocol/attach.ts";
import type { Routing } from "../../../shared/protocol/frame.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { offsetIn, raiseComponent } from "../../../shared/protocol/position.ts";
import { RoutingReader } from "../../../shared/protocol/routing-reader.ts";
import type { ObjectIdentity } from "../../object-identity.ts";
import type { Peer } from "../../peer.ts";

export interface Link {
  readonly number: number;
  readonly object: ObjectIdentity;
  readonly peer: Peer;
  /** Of the frames that are for it. */
  readonly heads: RoutingReader;
  /** By path. */
  readonly watches: Map<string, Watch>;
}

/** An endpoint on a link. */
export interface Watch {
  readonly link: Link;
  readonly path: string;
  /** The last position sent, or to which what was sent has led; undefined until an answer went down. */
  sent: Map<string, number> | undefined;
  /** The id of its first question, which is asked from where the object is: with its answer an origin goes live (U6). */
  first: number | undefined;
  /** What the object has asked, each until its answer goes down, by id and in this order. */
  readonly asks: Map<number, Attach>;
}

export class Links {
  readonly #byNumber = new Map<number, Link>();
  readonly #byPeer = new Map<Peer, Link>();
  /** The newest link to each object. */
  readonly #newest = new Map<ObjectIdentity, Link>();

  get size(): number {
    return this.#byPeer.size;
  }

  all(): Iterable<Link> {
    return this.#byPeer.values();
  }

  /** What is watched, on each link. */
  *watches(): Iterable<Watch> {
    for (const { watches } of this.all()) yield* watches.values();
  }

  /** How many endpoints are watched, on however many links. */
  watched(): number {
    const paths = new Set<string>();
    for (const { watches } of this.all()) for (const path of watches.keys()) paths.add(path);
    return paths.size;
  }

  of(peer: Peer): Link | undefined {
    return this.#byPeer.get(peer);
  }

  numbered(number: number): Link | undefined {
    return this.#byNumber.get(number);
  }

  to(object: ObjectIdentity): Link | undefined {
    return this.#newest.get(object);
  }

  add(number: number, object: ObjectIdentity, peer: Peer): Link {
    const link = { number, object, peer, heads: new RoutingReader(), watches: new Map() };
    this.#byNumber.set(number, link);
    this.#byPeer.set(peer, link);
    this.#newest.set(object, link);
    return link;
  }

  /** Whether it was the newest link to its object. */
  remove(link: Link): boolean {
    this.#byNumber.delete(link.number);
    this.#byPeer.delete(link.peer);
    const newest = this.#newest.get(link.object) === link;
    if (newest) this.#newest.delete(link.object);
    return newest;
  }
}

/** The watch of an endpoint on a link, a new one if there is none. */
export function watchOn(link: Link, path: string): Watch {
  const watch = link.watches.get(path) ?? { link, path, sent: undefined, first: undefined, asks: new Map() };
  link.watches.set(path, watch);
  return watch;
}

/** What an origin that has just come must be told of a watch: where it is, and what it still wants to know (L7). */
export function encodeRepeats(watch: Watch): string[] {
  const { number } = watch.link;
  return [...encodeLeads(watch), ...[...watch.asks.values()].map((ask) => encodeAttach(ask, number))];
}

/** L7: an attach from where the link is, on behalf of the object. None if nothing was sent yet. */
export function encodeLeads({ sent, path, link }: Watch): string[] {
  return sent === undefined ? [] : [encodeAttach({ endpoint: path, id: UNASKED, from: sent }, link.number)];
}

/** An object asks. Returns the id of an earlier question that is one too many. */
export function noteAsk(watch: Watch, attach: Attach): number | undefined {
  const { asks, sent } = watch;
  if (sent === undefined && asks.size === 0) watch.first = attach.id;
  asks.set(attach.id, attach);
  const [oldest] = asks.keys();
  return asks.size > LIMITS.openAsks ? oldest : undefined;
}

/** An answer goes down. Should its body break off, the object asks for it anew. */
export function noteAnswer(watch: Watch, { id, verdict, to, horizon }: Answered): void {
  watch.asks.delete(id);
  // A recovered answer may be about what lies further back, for those who come back: that takes nothing away.
  if (verdict.recovered !== true || watch.sent === undefined) watch.sent = new Map(verdict.position);
  // It leads on from where the object is, also if nothing was found on the way. What others ask may lie past that.
  for (const epoch of horizon.keys())
    if (offsetIn(watch.sent, epoch) >= offsetIn(verdict.position, epoch))
      raiseComponent(watch.sent, epoch, offsetIn(to, epoch));
}

type Answered = Pick<Attached, "id" | "verdict" | "to" | "horizon">;

/** An update goes down. */
export function noteUpdate({ sent }: Watch, { epoch, offset }: Routing): void {
  if (sent !== undefined) raiseComponent(sent, epoch, offset);
}
