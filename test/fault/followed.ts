/** One endpoint of a connection of many: whether it is to be followed, and what the edge knows of that. */
import { Follower, type FollowerSettings } from "./follower.ts";
import type { Happening, PositionText } from "./history.ts";
import type { Subscriber } from "./subscriber.ts";

export interface Followed extends Subscriber {
  /** Whether it comes and goes. */
  readonly isWanderer: boolean;
}

export interface FollowedSettings extends FollowerSettings {
  readonly name: string;
  readonly endpoint: string;
  readonly isWanderer: boolean;
  /** Of its connection. */
  readonly closes: ReadonlyMap<number, number>;
}

export class FollowedEndpoint implements Followed {
  readonly name: string;
  readonly endpoint: string;
  readonly isWanderer: boolean;
  readonly closes: ReadonlyMap<number, number>;
  readonly follower: Follower;
  /** Whether it is to be followed. */
  isWanted = true;
  /** On this socket. `apart`: there is no subscription, and nothing was asked for. `leaving`: until its `unsub` is answered. */
  stands: "apart" | "followed" | "leaving" = "apart";
  /** Whether something of what was before may still be under way. */
  #hasPast = false;
  /** Of its last `unsub`. */
  #leftBy = 0;

  constructor(settings: FollowedSettings) {
    this.name = settings.name;
    this.endpoint = settings.endpoint;
    this.isWanderer = settings.isWanderer;
    this.closes = settings.closes;
    const { isWanderer, heard } = settings;
    // What one that was away is told is late by itself.
    this.follower = new Follower({ ...settings, heard: isWanderer ? () => {} : heard });
  }

  get happenings(): readonly Happening[] {
    return this.follower.happenings;
  }

  get position(): ReadonlyMap<string, number> | undefined {
    return this.follower.position;
  }

  /** With its connection. */
  async close(): Promise<void> {}

  /** Returns whether it wasn't wanted until now. */
  comes(): boolean {
    if (this.isWanted) return false;
    this.isWanted = true;
    return true;
  }

  /** Returns whether that is to be said, by an `unsub` of this id. */
  leaves(id: number): boolean {
    this.isWanted = false;
    if (this.stands !== "followed") return false;
    this.stands = "leaving";
    this.#leftBy = id;
    return true;
  }

  /** Its subscribe has this id; returns from where. */
  asks(id: number): PositionText | undefined {
    const from = this.follower.asks(id, !this.#hasPast);
    this.stands = "followed";
    this.#hasPast = true;
    return from;
  }

  /** An `unsub` was answered; by then it may have come back. */
  hasLeft(id: number): void {
    if (this.stands === "leaving" && id === this.#leftBy) this.lost();
  }

  /** A subscribe was: what was before it goes on (M3), and isn't listened to until the next is answered. */
  isRefused(id: number): void {
    if (this.follower.askedId === id && this.follower.isFirst) this.lost();
  }

  /** There is no subscription any more. */
  lost(): void {
    this.stands = "apart";
    this.#hasPast = false;
  }
}
