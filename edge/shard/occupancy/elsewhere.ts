/**
 * How many subscribers endpoints have at other edges: D6 of INTERNALS.md. While somebody wants to know it here, an origin that
 * dials the others is asked, which says it and says it again when it changes. Nobody waits for it for long. Pure.
 */
import { encodeCount, encodeEnough } from "../../../shared/protocol/counting.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { TIME_LIMITS } from "../../time-limits.ts";
import { Linger, type LingerPorts } from "../links/linger.ts";

export interface ElsewherePorts<Uplink> extends LingerPorts {
  /** Those that lead and may speak of an endpoint. */
  origins(path: string): readonly Uplink[];
  tell(uplink: Uplink, frames: readonly string[]): void;
  /** Whether it is still to be known, though nobody has asked for a while. */
  isWanted(path: string): boolean;
  changed(path: string): void;
}

interface Asked<Uplink> {
  /** Who is asked; undefined if nobody can be. */
  uplink: Uplink | undefined;
  /** What was said last; undefined while the first word is waited for. */
  subscribers: number | undefined;
  /** Whoever has said it was lost then, and nobody has said anything since. */
  lostAt: number | undefined;
  /** For those who wait for the first word. */
  answer: PromiseWithResolvers<number> | undefined;
}

export class Elsewhere<Uplink extends object> {
  readonly #ports: ElsewherePorts<Uplink>;
  /** By path. */
  readonly #asked = new Map<string, Asked<Uplink>>();
  /** Uplinks of origins that dial no other edge. */
  readonly #alone = new WeakSet<Uplink>();
  readonly #linger: Linger<string>;
  /** Set while those who are asked are to be asked again. */
  #cancelRenewal: (() => void) | undefined;

  constructor(ports: ElsewherePorts<Uplink>) {
    this.#ports = ports;
    this.#linger = new Linger(ports, TIME_LIMITS.countWantedMs, (path) => {
      if (ports.isWanted(path)) this.#linger.start(path);
      else this.forget(path);
    });
  }

  /** How many there are, or what is known of it after a second. It is wanted until `forget`, or for a while after `want`. */
  ask(path: string): Promise<number> {
    const asked = this.#begin(path);
    if (asked === undefined || asked.subscribers !== undefined)
      return Promise.resolve(asked?.subscribers ?? 0);
    asked.answer ??= Promise.withResolvers<number>();
    return asked.answer.promise;
  }

  /** What is known; undefined while the first word is waited for. */
  of(path: string): number | undefined {
    const asked = this.#asked.get(path);
    return asked === undefined ? 0 : asked.subscribers;
  }

  /** From now on, for a while. */
  want(path: string): void {
    if (this.#begin(path) === undefined) return;
    this.#linger.end(path);
    this.#linger.start(path);
    this.#renewLater();
  }

  /** Nobody wants to know it any more. */
  forget(path: string): void {
    const asked = this.#asked.get(path);
    if (asked === undefined) return;
    this.#asked.delete(path);
    this.#linger.end(path);
    if (asked.uplink !== undefined) this.#ports.tell(asked.uplink, [encodeEnough(path)]);
    this.#settle(path, asked);
    if (this.#asked.size > 0) return;
    this.#cancelRenewal?.();
    this.#cancelRenewal = undefined;
  }

  /** An origin says how many there are. */
  heard(uplink: Uplink, path: string, subscribers: number): void {
    const asked = this.#asked.get(path);
    if (asked?.uplink !== uplink) this.#ports.tell(uplink, [encodeEnough(path)]);
    else {
      asked.lostAt = undefined;
      this.#set(path, asked, subscribers);
    }
  }

  /** An origin says whether it dials no other edge. */
  alone(uplink: Uplink, isAlone: boolean): void {
    if (isAlone) this.#alone.add(uplink);
    else this.#alone.delete(uplink);
    this.look();
  }

  /** It may be others that lead now. */
  look(): void {
    for (const [path, asked] of this.#asked) this.#choose(path, asked);
  }

  /** undefined if there are too many. */
  #begin(path: string): Asked<Uplink> | undefined {
    const known = this.#asked.get(path);
    if (known !== undefined || this.#asked.size >= LIMITS.countsElsewhere) return known;
    const asked = { uplink: undefined, subscribers: undefined, lostAt: undefined, answer: undefined };
    this.#asked.set(path, asked);
    this.#choose(path, asked);
    return asked;
  }

  #choose(path: string, asked: Asked<Uplink>): void {
    const origins = this.#ports.origins(path);
    const uplink = origins.find((origin) => !this.#alone.has(origin));
    const before = asked.uplink;
    if (uplink !== before) {
      asked.uplink = uplink;
      if (before !== undefined) this.#leave(path, asked, before);
      if (uplink !== undefined) this.#ask(path, asked, uplink);
    }
    if (uplink !== undefined) return;
    // Those that are there dial no other edge, so there is nobody; or none is there, and nobody can say.
    if (origins.length > 0) this.#set(path, asked, 0);
    else this.#settle(path, asked);
  }

  /**
   * Whoever has gone hears nothing of it; whoever leads no more need not go on. It was right, and other origins dial the same
   * edges: so what it has said counts until one of these has said something.
   */
  #leave(path: string, asked: Asked<Uplink>, uplink: Uplink): void {
    this.#ports.tell(uplink, [encodeEnough(path)]);
    if (asked.lostAt !== undefined || asked.subscribers === undefined) return;
    const lostAt = this.#ports.now();
    asked.lostAt = lostAt;
    this.#ports.after(TIME_LIMITS.countElsewhereKeptMs, () => {
      if (asked.lostAt === lostAt) this.#set(path, asked, 0);
    });
  }

  #ask(path: string, asked: Asked<Uplink>, uplink: Uplink): void {
    this.#ports.tell(uplink, [encodeCount(path)]);
    if (asked.subscribers === undefined)
      this.#ports.after(TIME_LIMITS.countElsewhereMs, () => this.#settle(path, asked));
  }

  /** Nobody waits any longer: without a word there is nobody. */
  #settle(path: string, asked: Asked<Uplink>): void {
    if (asked.subscribers === undefined) this.#set(path, asked, 0);
  }

  #set(path: string, asked: Asked<Uplink>, subscribers: number): void {
    const isNews = asked.subscribers !== subscribers;
    asked.subscribers = subscribers;
    asked.answer?.resolve(subscribers);
    asked.answer = undefined;
    if (isNews && this.#asked.get(path) === asked) this.#ports.changed(path);
  }

  /** So that an origin, and those that it has asked, know that it is still wanted. */
  #renewLater(): void {
    this.#cancelRenewal ??= this.#ports.after(TIME_LIMITS.countElsewhereAgainMs, () => {
      this.#cancelRenewal = undefined;
      const frames = new Map<Uplink, string[]>();
      for (const [path, { uplink }] of this.#asked) {
        if (uplink === undefined) continue;
        const of = frames.get(uplink) ?? [];
        frames.set(uplink, of);
        of.push(encodeCount(path));
      }
      for (const [uplink, of] of frames) this.#ports.tell(uplink, of);
      if (this.#asked.size > 0) this.#renewLater();
    });
  }
}
