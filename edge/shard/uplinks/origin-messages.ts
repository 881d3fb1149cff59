/**
 * What origins say on their uplinks, and who hears it: U3, U16 and U17 of INTERNALS.md. An origin that leads speaks to links
 * and to askers; a standby only about itself, what it writes, what was revoked, and for other edges; one that was fenced is told so. A frame that can't be read
 * ends the uplink if it is for the shard itself, else only the link or the question that it is for: the uplink is that of many
 * others too.
 */
import type { AddressedTo } from "../../../shared/protocol/addressed.ts";
import type { CloseName } from "../../../shared/protocol/codes.ts";
import type { ErrorBody } from "../../../shared/protocol/error-body.ts";
import type { Frame } from "../../../shared/protocol/frame.ts";
import { type Message, splitBinary, splitText } from "../../../shared/protocol/message.ts";
import type { Published, Writing } from "../../../shared/protocol/publish.ts";
import type { Revocation } from "../../../shared/protocol/revocation.ts";
import type { RoutingReader } from "../../../shared/protocol/routing-reader.ts";
import { errorBody } from "../../../shared/protocol/schemas.ts";
import type { SpreadOut } from "../../../shared/protocol/uplink.ts";
import type { HibernatingPeer } from "../../peer.ts";
import { type Disbelief, disbelief } from "./disbelief.ts";
import { type AboutCounts, isAboutCounts, type OriginItem, readItem } from "./origin-items.ts";
import type { Slices } from "./slices.ts";
import { strangersStanding, verifiedName } from "./uplink-attachment.ts";

export interface OriginMessagesPorts {
  /** A frame of an origin was dropped. */
  disbelieved(): void;
  log(problem: string): void;
}

/** Those for whom origins have something. */
export interface Hearers {
  /** What reads the heads of the frames for a link; undefined if there is no such link. */
  headsOf(link: number): RoutingReader | undefined;
  link(link: number, slice: number, item: OriginItem): void;
  /** What a link was to hear can't be read. */
  unreadable(link: number): void;
  question(id: number, slice: number, item: OriginItem): void;
  published(from: HibernatingPeer, id: number, result: Published): void;
  writes(from: HibernatingPeer, writing: Writing): void;
  /** What was revoked or lifted at other edges. */
  revocations(from: HibernatingPeer, id: number, revocations: readonly Revocation[]): void;
  spread(from: HibernatingPeer, id: number, out: SpreadOut): void;
  counts(from: HibernatingPeer, says: AboutCounts): void;
  /** Whether it dials no other edge. */
  alone(from: HibernatingPeer, isAlone: boolean): void;
}

export class OriginMessages {
  readonly #ports: OriginMessagesPorts;
  readonly #slices: Slices;
  readonly #hearers: Hearers;
  readonly #headsOf: Hearers["headsOf"];

  constructor(ports: OriginMessagesPorts, slices: Slices, hearers: Hearers) {
    this.#ports = ports;
    this.#slices = slices;
    this.#hearers = hearers;
    this.#headsOf = (link) => hearers.headsOf(link);
  }

  /** Why the socket must be closed, if it must. What comes before a frame that can't be read is heard all the same (C5). */
  take(socket: HibernatingPeer, message: Message): CloseName | undefined {
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    for (const frame of frames ?? []) {
      const refusal = this.#frame(socket, frame);
      if (refusal !== undefined) return refusal;
    }
    return frames === undefined ? "bad_frame" : undefined;
  }

  #frame(socket: HibernatingPeer, frame: Frame): CloseName | undefined {
    const owner = this.#slices.ownerOf(socket);
    const standing = owner?.uplinks.standing(socket) ?? strangersStanding(socket);
    if (standing === "fenced") return "stale_generation";
    const item = readItem(frame, this.#headsOf);
    if (item === undefined) return "bad_frame";
    const { to, says } = item;
    if (standing === "greeting" || owner === undefined) {
      if (says?.kind !== "hello") return "bad_frame";
      // Before it leads, and is asked.
      this.#hearers.alone(socket, says.hello.alone === true);
      return this.#slices.welcome(socket, says.hello);
    }
    if (to.kind === "shard" && says?.kind === "ready") this.#slices.ready(socket, says.ready);
    if (to.kind === "shard" && says?.kind === "leaving") return "going_away";
    if (to.kind === "shard" && says?.kind === "published")
      this.#hearers.published(socket, says.id, says.result);
    if (to.kind === "shard" && says?.kind === "spread") this.#hearers.spread(socket, says.id, says.out);
    // A key that is bound to some topics says nothing about tokens, which may be for others.
    if (to.kind === "shard" && says?.kind === "revocations" && this.#slices.scopes.of(socket) === undefined)
      this.#hearers.revocations(socket, says.id, says.revocations);
    if (to.kind === "shard" && says?.kind === "alone") this.#hearers.alone(socket, says.alone);
    // What a standby says of endpoints nobody has asked it; but it may write, and count for an edge at which it leads.
    if (standing === "standby" && says?.kind !== "writes" && !isAboutCounts(says)) return undefined;
    const slice = owner.slice.number;
    const why = disbelief(item, this.#slices.scopes.of(socket));
    if (why === undefined && to.kind === "shard" && says?.kind === "writes")
      this.#hearers.writes(socket, says.writing);
    else if (why === undefined && to.kind === "shard" && isAboutCounts(says))
      this.#hearers.counts(socket, says);
    else if (why !== undefined) this.#disbelieve(socket, item, slice, why);
    else if (item.problem !== undefined) this.#unreadable(item, slice, item.problem);
    else if (to.kind === "links") for (const link of to.links) this.#hearers.link(link, slice, item);
    else if (to.kind === "question") this.#hearers.question(to.id, slice, item);
    return undefined;
  }

  /** U16: nobody below hears it. That it happens is told once for each uplink and reason: it may go on for long. */
  #disbelieve(socket: HibernatingPeer, { to }: OriginItem, slice: number, why: Disbelief): void {
    this.#ports.disbelieved();
    if (this.#slices.scopes.isNews(socket, why))
      this.#ports.log(`what ${verifiedName(socket) ?? "nobody"} says isn't passed on: ${why}`);
    if (to.kind === "question")
      this.#fail(to, slice, errorBody("unavailable", "the source of this endpoint may not speak for it"));
  }

  #unreadable({ to }: OriginItem, slice: number, problem: string): void {
    this.#ports.log(`an origin sent what can't be read: ${problem}`);
    if (to.kind === "question")
      this.#fail(to, slice, errorBody("internal", "what the source answered can't be read"));
    if (to.kind === "links") for (const link of to.links) this.#hearers.unreadable(link);
  }

  /** The asker of a question is told this in place of what the origin said. */
  #fail(to: Extract<AddressedTo, { kind: "question" }>, slice: number, error: ErrorBody): void {
    const item: OriginItem = { to, frame: "", says: { kind: "error", error }, update: undefined };
    this.#hearers.question(to.id, slice, item);
  }
}
