/**
 * How many subscribers endpoints have: O2 and O3 of INTERNALS.md. While somebody wants to know it of an endpoint, all objects
 * that watch it say how many they hold, and say it again when that changes; while nobody does, nothing is said. What there is at
 * other edges is added (elsewhere.ts), and origins are told for these what there is here (told-origins.ts). Pure.
 */
import { Spaced } from "../../../shared/core/spaced.ts";
import type { ErrorCode } from "../../../shared/protocol/codes.ts";
import { encodeCount, encodeEnough } from "../../../shared/protocol/counting.ts";
import { encodeLinkOccupancy } from "../../../shared/protocol/link.ts";
import type { HibernatingPeer } from "../../peer.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { Linger, type LingerPorts } from "../links/linger.ts";
import type { Link, Watch } from "../links/links.ts";
import { Elsewhere } from "./elsewhere.ts";
import { ToldOrigins } from "./told-origins.ts";

/** How many subscribers an endpoint has. */
export type OccupancyResult =
  | { readonly kind: "subscribers"; readonly subscribers: number }
  | { readonly kind: "error"; readonly code: ErrorCode; readonly message: string };

export interface OccupancyPorts extends LingerPorts {
  /** Says something on a link. */
  send(link: Link, frame: string): void;
  /** Origins that lead and may speak of an endpoint. */
  origins(path: string): readonly HibernatingPeer[];
  /** Says something to an origin. */
  tell(uplink: HibernatingPeer, frames: readonly string[]): void;
}

/** An endpoint of which somebody wants to know. */
interface Wanted {
  /** What its objects have said; undefined until they have. */
  readonly counts: Map<Watch, number | undefined>;
  /** Those of its objects that have subscribers that want to be told. */
  readonly curious: Map<Watch, Spaced>;
  /** For those who wait until all of them have. */
  answer: PromiseWithResolvers<number> | undefined;
}

const ANSWER_MS = TIME_LIMITS.countAnswerMs;
const SPACING_MS = TIME_LIMITS.countSpacingMs;
const WANTED_MS = TIME_LIMITS.countWantedMs;
const TOLD_MS = TIME_LIMITS.occupancyToldMs;

export class Occupancy {
  readonly elsewhere: Elsewhere<HibernatingPeer>;
  readonly #origins: ToldOrigins<HibernatingPeer>;
  readonly #ports: OccupancyPorts;
  /** By path. There is rarely more than one of a path. */
  readonly #watches = new Map<string, readonly Watch[]>();
  readonly #wanted = new Map<string, Wanted>();
  readonly #linger: Linger<string>;

  constructor(ports: OccupancyPorts) {
    this.#ports = ports;
    this.#linger = new Linger(ports, WANTED_MS, (path) => this.#unwanted(path));
    this.elsewhere = new Elsewhere({
      ...ports,
      isWanted: (path) => (this.#wanted.get(path)?.curious.size ?? 0) > 0,
      changed: (path) => this.#tellCurious(this.#wanted.get(path), path),
    });
    this.#origins = new ToldOrigins({
      ...ports,
      here: (path) => this.#whenWhole(this.#begin(path)),
      released: (path) => this.#release(path),
    });
  }

  /** How many an endpoint has. Objects that don't say so in time count as they did before, and so do other edges. */
  async ask(path: string): Promise<number> {
    const here = this.#watches.has(path) ? this.#whenWhole(this.#want(path)) : 0;
    const [subscribers, elsewhere] = await Promise.all([here, this.elsewhere.ask(path)]);
    // Anybody can think of as many endpoints that have nobody as they like.
    if (this.#watches.has(path) || elsewhere > 0) this.elsewhere.want(path);
    else this.elsewhere.forget(path);
    return subscribers + elsewhere;
  }

  /** An origin wants to know for other edges how many there are here; or no more. */
  toTell(uplink: HibernatingPeer, path: string, wants: boolean): void {
    if (wants) this.#origins.count(uplink, path);
    else this.#origins.enough(uplink, path);
  }

  /** An uplink is over. */
  uplinkEnded(uplink: HibernatingPeer): void {
    this.#origins.ended(uplink);
  }

  /** An object said how many it holds. */
  counted(watch: Watch, subscribers: number): void {
    const wanted = this.#wanted.get(watch.path);
    if (wanted === undefined) this.#ports.send(watch.link, encodeEnough(watch.path));
    else {
      wanted.counts.set(watch, subscribers);
      this.#changed(wanted, watch.path);
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
    const { path, link } = watch;
    if (!wants) {
      forget(this.#wanted.get(path), watch);
      return;
    }
    const wanted = this.#want(path);
    this.elsewhere.want(path);
    const known = wanted.curious.get(watch);
    if (known !== undefined) known.again();
    else {
      const tell = (subscribers: number) => this.#ports.send(link, encodeLinkOccupancy(path, subscribers));
      wanted.curious.set(watch, new Spaced(this.#ports, TOLD_MS, tell));
    }
    this.#tellCurious(wanted, path);
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
    forget(wanted, watch);
    this.#changed(wanted, path);
  }

  /** From now on, for a while. */
  #want(path: string): Wanted {
    this.#linger.end(path);
    this.#linger.start(path);
    return this.#begin(path);
  }

  #begin(path: string): Wanted {
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
    if (isWhole(wanted)) return Promise.resolve(sumOf(wanted));
    if (wanted.answer !== undefined) return wanted.answer.promise;
    wanted.answer = Promise.withResolvers<number>();
    this.#ports.after(ANSWER_MS, () => answer(wanted));
    return wanted.answer.promise;
  }

  #changed(wanted: Wanted, path: string): void {
    if (!isWhole(wanted)) return;
    answer(wanted);
    this.#origins.changed(path, sumOf(wanted));
    this.#tellCurious(wanted, path);
  }

  /** Each object at most once in a while, and what is right then. */
  #tellCurious(wanted: Wanted | undefined, path: string): void {
    const elsewhere = this.elsewhere.of(path);
    if (wanted === undefined || elsewhere === undefined || !isWhole(wanted)) return;
    const subscribers = sumOf(wanted) + elsewhere;
    for (const spaced of wanted.curious.values()) spaced.set(subscribers);
  }

  #unwanted(path: string): void {
    if ((this.#wanted.get(path)?.curious.size ?? 0) > 0) this.#linger.start(path);
    else this.#release(path);
  }

  /** If nobody wants to know it any more, whoever counts has done enough. */
  #release(path: string): void {
    const wanted = this.#wanted.get(path);
    if (wanted === undefined || this.#linger.has(path) || this.#origins.wants(path)) return;
    this.#wanted.delete(path);
    for (const { link } of wanted.counts.keys()) this.#ports.send(link, encodeEnough(path));
    answer(wanted);
  }
}

/** An object has nobody any more that wants to be told. */
function forget(wanted: Wanted | undefined, watch: Watch): void {
  wanted?.curious.get(watch)?.end();
  wanted?.curious.delete(watch);
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
