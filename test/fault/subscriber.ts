/**
 * A subscriber by PROTOCOL.md alone, with a socket of its own: it resumes by position after every close (S10), asks again
 * where what comes doesn't continue its position (P5), and writes down all that it was told.
 */
import { Follower, type FollowerSettings, type Said } from "./follower.ts";
import type { Happening, PositionText } from "./history.ts";
import type { Random } from "./random.ts";
import { ResumingSocket } from "./resuming-socket.ts";
import type { Patience } from "./scale.ts";

export interface Subscriber {
  readonly name: string;
  /** Path of its endpoint. */
  readonly endpoint: string;
  /** Where it stood before its first verdict; undefined for one without a past. */
  readonly from?: PositionText | undefined;
  readonly happenings: readonly Happening[];
  /** epoch → offset; undefined until the first verdict. */
  readonly position: ReadonlyMap<string, number> | undefined;
  /** Close code → how often. */
  readonly closes: ReadonlyMap<number, number>;
  /** Whether it is to be followed just now, if it comes and goes. */
  readonly isWanted?: boolean;
  /** For good; resolves when no socket of its own is left. */
  close(): Promise<void>;
}

export interface SubscriberSettings extends FollowerSettings {
  readonly name: string;
  /** `ws://host:port` */
  readonly edge: string;
  readonly endpoint: string;
  readonly random: Random;
  readonly patience: Patience;
}

export class RawResuming implements Subscriber {
  readonly name: string;
  readonly endpoint: string;
  readonly from: PositionText | undefined;
  readonly #follower: Follower;
  readonly #socket: ResumingSocket;
  #nextId = 1;
  #askedAt = 0;
  /** That its answer takes longer. */
  #told = false;

  constructor(settings: SubscriberSettings) {
    const { name, edge, endpoint, from, random, patience } = settings;
    this.name = name;
    this.endpoint = endpoint;
    this.from = from;
    this.#follower = new Follower(settings);
    this.#socket = new ResumingSocket({
      random,
      patience,
      url: () => {
        this.#nextId = 1;
        const from = this.#asks(0, true);
        return `${edge}${endpoint}${from === undefined ? "" : `?from=${encodeURIComponent(from)}`}`;
      },
      opened: () => {
        this.#askedAt = performance.now();
      },
      frame: (frame) => this.#take(frame),
      lost: () => {},
      isOverdue: () =>
        this.#follower.askedId !== undefined &&
        !this.#told &&
        performance.now() - this.#askedAt > patience.answerMs,
    });
  }

  get happenings(): readonly Happening[] {
    return this.#follower.happenings;
  }

  get position(): ReadonlyMap<string, number> | undefined {
    return this.#follower.position;
  }

  get closes(): ReadonlyMap<number, number> {
    return this.#socket.closes;
  }

  /** Reads nothing, so that what is sent piles up; or reads again. */
  pause(paused: boolean): void {
    this.#socket.pause(paused);
  }

  /** Has no connection from now on; or comes back, and resumes from where it was. */
  stayAway(away: boolean): void {
    this.#socket.stayAway(away);
  }

  close(): Promise<void> {
    return this.#socket.close();
  }

  #take(frame: Said): void {
    if (typeof frame.e === "string") this.#update(frame);
    else if (frame.ok !== undefined) {
      if (this.#follower.verdict(frame.id as number, frame.ok as Said)) this.#socket.served();
    } else if (typeof frame.reset === "string") this.#follower.reset(frame);
    else if (frame.wait !== undefined) this.#told = true;
    else if (frame.error !== undefined) throw new Error(`the edge says ${JSON.stringify(frame.error)}`);
  }

  #update(frame: Said): void {
    if (!this.#follower.update(frame)) return;
    const id = this.#nextId++;
    this.#socket.send(JSON.stringify({ id, sub: this.endpoint, from: this.#asks(id, false) }));
  }

  #asks(id: number, isFirst: boolean): PositionText | undefined {
    this.#askedAt = performance.now();
    this.#told = false;
    return this.#follower.asks(id, isFirst);
  }
}
