/**
 * How many subscribers endpoints have: O2 and O3 of INTERNALS.md. While somebody wants to know it of an endpoint, all objects
 * that watch it say how many they hold, and say it again when that changes; while nobody does, nothing is said. Pure.
 */
import type { ErrorCode } from "../../../shared/protocol/codes.ts";
import { encodeCount, encodeEnough, encodeLinkOccupancy } from "../../../shared/protocol/link.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { Linger, type LingerPorts } from "./linger.ts";
import type { Link, Watch } from "./links.ts";

/** How many subscribers an endpoint has. */
export type OccupancyResult =
  | { readonly kind: "subscribers"; readonly subscribers: number }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

export interface OccupancyPorts extends LingerPorts {
  /** Says something on a link. */
  send(link: Link, frame: string): void;
}

/** An endpoint of which somebody wants to know. */
interface Wanted {
  /** What its objects have said; undefined until they have. */
  readonly counts: Map<Watch, number | undefined>;
  /** Those of its objects that have subscribers that want to be told. */
  readonly curious: Map<Watch, Curious>;
  /** For those who wait until all of them have. */
  answer: { readonly promise: Promise<number>; readonly resolve: (subscribers: number) => void } | undefined;
}

interface Curious {
  /** What it was told last, and when. */
  told: number | undefined;
  toldAt: number;
  /** It is told again when it may be. */
  isDue: boolean;
}

const ANSWER_MS = TIME_LIMITS.countAnswerMs;
const SPACING_MS = TIME_LIMITS.countSpacingMs;
const WANTED_MS = TIME_LIMITS.countWantedMs;
const TOLD_MS = TIME_LIMITS.occupancyToldMs;

export class Occupancy {
  readonly #ports: OccupancyPorts;
  /** By path. There is rarely more than one of a path. */
  readonly #watches = new Map<string, readonly Watch[]>();
  readonly #wanted = new Map<string, Wanted>();
  readonly #linger: Linger<string>;

  constructor(ports: OccupancyPorts) {
    this.#ports = ports;
    this.#linger = new Linger(ports, WANTED_MS, (path) => this.#unwanted(path));
  }

  /** How many an endpoint has. Objects that don't say so in time count as they did before. */
  ask(path: string): Promise<number> {
    if (!this.#watches.has(path)) return Promise.resolve(0);
    const wanted = this.#want(path);
    return isWhole(wanted) ? Promise.resolve(sumOf(wanted)) : this.#whenWhole(wanted);
  }

  /** An object said how many it holds. */
  counted(watch: Watch, subscribers: number): void {
    const wanted = this.#wanted.get(watch.path);
    if (wanted === undefined) this.#ports.send(watch.link, encodeEnough(watch.path));
    else {
      wanted.counts.set(watch, subscribers);
      this.#changed(wanted);
    }
  }

  /** An object has news, but has just said something: it is asked again. */
  later(watch: Watch): void {
    this.#ports.after(SPACING_MS, () => {
      const isWanted = this.#wanted.get(watch.path)?.counts.has(watch);
      if (isWanted) this.#ports.send(watch.link, encodeCount(watch.path));
    });
  }

  /** An object has subscribers that want to be told how many there are: some more, or the first. Or it hasn't any more. */
  curious(watch: Watch, wants: boolean): void {
    if (!wants) {
      this.#wanted.get(watch.path)?.curious.delete(watch);
      return;
    }
    const wanted = this.#want(watch.path);
    const known = wanted.curious.get(watch);
    if (known !== undefined) known.told = undefined;
    else wanted.curious.set(watch, { told: undefined, toldAt: Number.NEGATIVE_INFINITY, isDue: false });
    this.#tell(wanted);
  }

  /** An endpoint is watched on one more link. */
  begin(watch: Watch): void {
    const { path } = watch;
    this.#watches.set(path, [...(this.#watches.get(path) ?? []), watch]);
    const wanted = this.#wanted.get(path);
    if (wanted !== undefined) this.#count(wanted, watch);
  }

  /** It isn't any more: its object has nobody, or its link is lost, and what it says on the next one counts. */
  end(watch: Watch): void {
    const { path } = watch;
    const left = (this.#watches.get(path) ?? []).filter((other) => other !== watch);
    if (left.length > 0) this.#watches.set(path, left);
    else this.#watches.delete(path);
    const wanted = this.#wanted.get(path);
    if (wanted === undefined) return;
    wanted.counts.delete(watch);
    wanted.curious.delete(watch);
    this.#changed(wanted);
  }

  /** From now on, for a while. */
  #want(path: string): Wanted {
    this.#linger.end(path);
    this.#linger.start(path);
    const known = this.#wanted.get(path);
    if (known !== undefined) return known;
    const wanted: Wanted = { counts: new Map(), curious: new Map(), answer: undefined };
    this.#wanted.set(path, wanted);
    for (const watch of this.#watches.get(path) ?? []) this.#count(wanted, watch);
    return wanted;
  }

  #count({ counts }: Wanted, watch: Watch): void {
    counts.set(watch, undefined);
    this.#ports.send(watch.link, encodeCount(watch.path));
  }

  #whenWhole(wanted: Wanted): Promise<number> {
    if (wanted.answer !== undefined) return wanted.answer.promise;
    const { promise, resolve } = Promise.withResolvers<number>();
    wanted.answer = { promise, resolve };
    this.#ports.after(ANSWER_MS, () => answer(wanted));
    return promise;
  }

  #changed(wanted: Wanted): void {
    if (isWhole(wanted)) answer(wanted);
    this.#tell(wanted);
  }

  /** Each object at most once in a while, and what is right then. */
  #tell(wanted: Wanted): void {
    if (wanted.curious.size === 0 || !isWhole(wanted)) return;
    const subscribers = sumOf(wanted);
    const now = this.#ports.now();
    for (const [watch, one] of wanted.curious) {
      if (one.told === subscribers || one.isDue) continue;
      const left = one.toldAt + TOLD_MS - now;
      if (left > 0) {
        one.isDue = true;
        this.#ports.after(left, () => {
          one.isDue = false;
          if (wanted.curious.get(watch) === one) this.#tell(wanted);
        });
      } else {
        one.told = subscribers;
        one.toldAt = now;
        this.#ports.send(watch.link, encodeLinkOccupancy(watch.path, subscribers));
      }
    }
  }

  #unwanted(path: string): void {
    const wanted = this.#wanted.get(path);
    if (wanted === undefined) return;
    if (wanted.curious.size > 0) {
      this.#linger.start(path);
      return;
    }
    this.#wanted.delete(path);
    for (const { link } of wanted.counts.keys()) this.#ports.send(link, encodeEnough(path));
    answer(wanted);
  }
}

/** Answers those who wait, with what is known by now. */
function answer(wanted: Wanted): void {
  wanted.answer?.resolve(sumOf(wanted));
  wanted.answer = undefined;
}

function isWhole({ counts }: Wanted): boolean {
  for (const count of counts.values()) if (count === undefined) return false;
  return true;
}

function sumOf({ counts }: Wanted): number {
  let sum = 0;
  for (const count of counts.values()) sum += count ?? 0;
  return sum;
}
