/**
 * What concerns no endpoint is asked of one shard: which tokens count (L10), and to be woken in time (L9). Of the shards to
 * which there is a link it is the one with the lowest number, so that an object that wakes asks the same one. Its attachment
 * holds what must outlive the memory of that.
 */
import { encodeWakeAt } from "../../shared/protocol/link.ts";
import { loadLink, saveLink } from "../endpoint/attachment.ts";
import type { ObjectLink } from "../endpoint/object-links.ts";
import type { Tokens } from "../endpoint/tokens.ts";
import type { SaidByShard } from "./endpoints.ts";
import type { ShardLinks } from "./shard-links.ts";

export interface FirstLinkPorts {
  /** Milliseconds since 1970, as the machine has it. */
  wall(): number;
  links(): Pick<ShardLinks, "all" | "of" | "on" | "say">;
  /** The shard's clock has spoken. */
  woken(): void;
  /** Of the rows that are kept beside. */
  version(): number;
}

type OfTokens =
  | "linked"
  | "unlinked"
  | "woken"
  | "revoke"
  | "lifted"
  | "checked"
  | "revocations"
  | "hasChanged";

export class FirstLink<S, M extends object> {
  readonly #ports: FirstLinkPorts;
  readonly #tokens: Pick<Tokens<S, M>, OfTokens>;
  /** How many revocations each shard has to which there is a link. */
  readonly #revocations = new Map<number, number>();
  /** Links of which something must be kept anew. */
  readonly #due = new Set<ObjectLink>();
  /** The shard that is asked. */
  #shard: number | undefined;
  /** When it was last asked to wake the object. */
  #wakeAt: number | undefined;

  constructor(ports: FirstLinkPorts, tokens: Pick<Tokens<S, M>, OfTokens>) {
    this.#ports = ports;
    this.#tokens = tokens;
  }

  /** The links of a life before are there. */
  resume(): void {
    for (const { hello, revocations } of this.#ports.links().all())
      this.#revocations.set(hello.shard, revocations);
    const first = this.#first();
    const facts = first && loadLink(first.socket);
    this.#shard = first?.hello.shard;
    this.#wakeAt = facts?.wakeAt;
    if (facts !== undefined) this.#tokens.woken(facts.revocations);
  }

  /** Says something that concerns no endpoint. */
  say(frame: string): void {
    if (this.#shard !== undefined) this.#ports.links().say(this.#shard, frame);
  }

  /** A link has begun. Returns whether tokens may count by now that didn't. */
  linked(link: ObjectLink): boolean {
    const { shard } = link.hello;
    this.#revocations.set(shard, link.revocations);
    this.#due.add(link);
    if (this.#first() !== link) return false;
    this.#ask(link);
    return true;
  }

  /** The same as `linked`, of the next one that is asked. */
  unlinked(shard: number): boolean {
    this.#revocations.delete(shard);
    if (shard !== this.#shard) return false;
    this.#shard = undefined;
    this.#tokens.unlinked();
    const next = this.#first();
    if (next !== undefined) this.#ask(next);
    return next !== undefined;
  }

  /** The same as `linked`. */
  said(shard: number, says: SaidByShard): boolean {
    const isAsked = shard === this.#shard;
    switch (says.kind) {
      case "wake":
        if (!isAsked) return false;
        this.#wakeAt = undefined;
        this.changed();
        this.#ports.woken();
        return false;
      case "revoke":
        this.#note(shard, Math.max(1, this.#revocations.get(shard) ?? 0));
        this.#tokens.revoke(says.meant, says.graceMs);
        return false;
      case "revocations":
        this.#note(shard, says.count);
        if (isAsked) this.#tokens.lifted(says.count);
        return false;
      case "checked":
        this.#note(shard, says.checked.revocations);
        // What another one was asked is asked anew of this one.
        if (isAsked) this.#tokens.checked(says.checked);
        return isAsked;
    }
  }

  /** To be woken then; sooner than that costs less than asking anew. */
  wakeAt(next: number): void {
    const first = this.#first();
    // One that is past has come, or a clock was set.
    const asked = this.#wakeAt !== undefined && this.#wakeAt > this.#ports.wall() ? this.#wakeAt : undefined;
    if (first === undefined || next >= (asked ?? Number.POSITIVE_INFINITY)) return;
    this.#wakeAt = Math.ceil(next);
    this.changed();
    this.say(encodeWakeAt(this.#wakeAt));
  }

  /** What stands on the link that is asked has changed. */
  changed(): void {
    const first = this.#first();
    if (first !== undefined) this.#due.add(first);
  }

  /** At the end of an event. */
  save(): void {
    if (this.#tokens.hasChanged) this.changed();
    const first = this.#first();
    for (const link of this.#due) {
      const { socket, hello } = link;
      if (this.#ports.links().on(socket) !== link) continue;
      const count = this.#revocations.get(hello.shard) ?? 0;
      if (link === first)
        saveLink(socket, hello, [], this.#wakeAt, this.#tokens.revocations(), this.#ports.version());
      else saveLink(socket, hello, [], undefined, { count, lastId: 0, isOpen: false });
    }
    this.#due.clear();
  }

  #first(): ObjectLink | undefined {
    let first: ObjectLink | undefined;
    for (const link of this.#ports.links().all())
      if (first === undefined || link.hello.shard < first.hello.shard) first = link;
    return first;
  }

  #ask(link: ObjectLink): void {
    const { shard } = link.hello;
    this.#shard = shard;
    this.#wakeAt = undefined;
    // It may have been asked before, and owe answers from then.
    const { lastId } = this.#tokens.revocations();
    this.#due.add(link);
    this.#tokens.linked(this.#revocations.get(shard) ?? 0, lastId);
  }

  #note(shard: number, revocations: number): void {
    this.#revocations.set(shard, revocations);
    const link = this.#ports.links().of(shard);
    if (link !== undefined) this.#due.add(link);
  }
}
