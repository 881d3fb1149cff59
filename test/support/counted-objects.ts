/** Objects of one endpoint that a shard counts, and the shard's links to them; what is said on these takes its time. */
import { Census } from "../../edge/endpoint/census.ts";
import { endpointObject } from "../../edge/object-identity.ts";
import { type Link, type Watch, watchOn } from "../../edge/shard/links/links.ts";
import type { Occupancy } from "../../edge/shard/occupancy/occupancy.ts";
import { RoutingReader } from "../../shared/protocol/routing-reader.ts";
import type { FakeClock } from "./fake-clock.ts";
import { FakeSocket } from "./fake-socket.ts";

let number = 0;

/** An endpoint on a link of its own. */
export function watchOf(path: string): Watch {
  number++;
  const peer = new FakeSocket();
  const link = { number, object: endpointObject(path), peer, heads: new RoutingReader(), watches: new Map() };
  return watchOn(link, path);
}

/** One direction of a socket: what is said takes its time, and comes in order. */
export class Line {
  readonly #clock: FakeClock;
  readonly #random: () => number;
  #free = 0;

  constructor(clock: FakeClock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  after(come: () => void): void {
    this.#free = Math.max(this.#free, this.#clock.now() + this.#random() * 20);
    this.#clock.after(this.#free - this.#clock.now(), come);
  }
}

/** An object of the endpoint, whose link may break and which may lose its memory. */
export class Holder {
  subscribers = 0;
  watch: Watch | undefined;
  readonly #path: string;
  readonly #clock: FakeClock;
  readonly #random: () => number;
  #census = new Census();
  #occupancy: Occupancy | undefined;
  #down: Line;
  #up: Line;

  constructor(path: string, clock: FakeClock, random: () => number) {
    this.#path = path;
    this.#clock = clock;
    this.#random = random;
    [this.#down, this.#up] = this.#newLines();
  }

  linked(occupancy: Occupancy): void {
    this.#census.end();
    this.watch = watchOf(this.#path);
    [this.#down, this.#up] = this.#newLines();
    this.#occupancy = occupancy;
    occupancy.begin(this.watch);
  }

  lost(): void {
    if (this.watch !== undefined) this.#occupancy?.end(this.watch);
    this.watch = undefined;
  }

  /** Its memory goes, but for what is kept on the link. */
  sleep(): void {
    this.#census = new Census(this.#census.said);
  }

  /** What the shard says on a link. */
  hear(link: Link, frame: string): void {
    this.#down.after(() => {
      if (this.watch?.link !== link) return;
      if (frame.includes("count")) this.#census.begin();
      else if (frame.includes("enough")) this.#census.end();
      this.#speak();
    });
  }

  change(by: number): void {
    this.subscribers = Math.max(0, this.subscribers + by);
    this.#speak();
  }

  #newLines(): [Line, Line] {
    return [new Line(this.#clock, this.#random), new Line(this.#clock, this.#random)];
  }

  #speak(): void {
    const { watch: on, subscribers } = this;
    if (on === undefined) return;
    const news = this.#census.news(subscribers, this.#clock.now());
    if (news === undefined) return;
    this.#up.after(() => {
      if (this.watch !== on) return;
      if (news === "counted") this.#occupancy?.counted(on, subscribers);
      else this.#occupancy?.later(on);
    });
  }
}
