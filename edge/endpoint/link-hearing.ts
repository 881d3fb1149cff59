/**
 * What the shard says on the link of the object of one endpoint, frame by frame, and who hears it: L3, L7–L11, O2, O3 and W27 of
 * INTERNALS.md; and what follows from the link's beginning and end.
 */
import { CLOSE } from "../../shared/protocol/codes.ts";
import { decodeLinkDown } from "../../shared/protocol/link.ts";
import { type Message, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { RoutingReader } from "../../shared/protocol/routing-reader.ts";
import { isUpdate } from "../../shared/protocol/subscriber.ts";
import type { HibernatingPeer } from "../peer.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { OwnLink } from "./own-link.ts";
import type { Publishes } from "./publishes.ts";
import type { Tokens } from "./tokens.ts";

export interface LinkHearers {
  readonly state: EndpointState<HibernatingPeer>;
  readonly tokens: Tokens<HibernatingPeer>;
  readonly publishes: Publishes<HibernatingPeer>;
  log(problem: string): void;
}

export class LinkHearing {
  readonly #link: OwnLink;
  readonly #shard: number;
  readonly #hearers: LinkHearers;
  readonly #heads = new RoutingReader();

  constructor(link: OwnLink, shard: number, hearers: LinkHearers) {
    this.#link = link;
    this.#shard = shard;
    this.#hearers = hearers;
  }

  /** Returns whether all of it was heard: not if nobody here listens to the socket, or if it can't be read. */
  message(socket: HibernatingPeer, message: Message): boolean {
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    const link = this.#link.hear(socket, frames?.[0]);
    if (link === undefined) return false;
    if (link.isNew) this.#linked(link.revocations);
    const { state } = this.#hearers;
    if (frames === undefined) state.garbled();
    for (const frame of frames ?? []) {
      if (typeof frame === "string" && !isUpdate(frame)) {
        const problem = this.#control(frame);
        if (problem === undefined) continue;
        this.#giveUp(socket, problem);
        return false;
      }
      const routing = this.#heads.read(frame);
      if (routing === undefined || routing.endpoint === state.path) state.update(frame, routing);
    }
    state.passOn(message, frames?.length);
    return true;
  }

  /** A socket has gone, which may have been the link. */
  closed(socket: HibernatingPeer, code: number): void {
    if (!this.#link.remove(socket)) return;
    const { state, tokens, publishes } = this.#hearers;
    tokens.unlinked();
    publishes.unlinked(this.#shard);
    state.linkLost();
    // After a break the shard dials again by itself; after a detach it has forgotten.
    if (state.subscribers > 0) this.#link.seek(code === CLOSE.detached ? "now" : "later");
  }

  #linked(revocations: number): void {
    const { state, tokens, publishes } = this.#hearers;
    // Before anything is asked there: what comes after the answer to this may go on to those who have tokens.
    tokens.linked(revocations);
    state.linked();
    publishes.linked(this.#shard);
    if (tokens.next !== undefined) state.serveWaiting();
  }

  /** Why it can't be read, if it can't. */
  #control(frame: string): string | undefined {
    const { state, tokens, publishes } = this.#hearers;
    const { path } = state;
    const says = decodeLinkDown(frame);
    if (!says.ok) return says.problem;
    const { value } = says;
    if (value.kind === "wake") this.#link.woken();
    if (value.kind === "revoke") tokens.revoke(value.meant, value.graceMs);
    if (value.kind === "revocations") tokens.lifted(value.count);
    if (value.kind === "checked") {
      tokens.checked(value.checked);
      state.serveWaiting();
    }
    if (value.kind === "published") publishes.answered(value.published);
    if (value.kind === "waiting" && value.endpoint === path) state.waiting(value.id);
    if ((value.kind === "count" || value.kind === "enough") && value.endpoint === path)
      state.count(value.kind === "count");
    if (value.kind === "occupancy" && value.endpoint === path) state.occupancy(value.subscribers);
    if (value.kind === "attached" && value.attached.endpoint === path) state.attached(value.attached);
    return undefined;
  }

  /** What can't be read may have been an answer, whose body must not be taken for live updates: the shard dials anew. */
  #giveUp(socket: HibernatingPeer, problem: string): void {
    const { state, log } = this.#hearers;
    log(`a frame on the link of ${state.path} can't be read: ${problem}`);
    state.passOn();
    this.#link.refuse(socket);
    this.closed(socket, CLOSE.bad_frame);
  }
}
