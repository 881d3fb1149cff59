/**
 * Where histories begin, for those who subscribe from `oldest` on a connection: S16 and M2 of PROTOCOL.md. Each endpoint's shard is
 * asked, which is a call and no frame on a link; so while one is open the object can't sleep, and loses none of them.
 *
 * One question of an endpoint serves all who asked for it before it was answered. A few are open at a time, since a shard has room
 * for so many of all relays; the others wait. What nobody waits for any more isn't asked: there are no more askers than
 * subscriptions.
 */
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import type { Position } from "../../shared/protocol/position.ts";

/** Why there is no telling. */
interface NoOldest {
  readonly code: ErrorCode;
  readonly message: string;
}

export type OldestResult = Position | NoOldest;

export interface OldestPorts {
  oldest(path: string): Promise<OldestResult>;
  /** Some are about to have their answers. */
  answered(): void;
  log(problem: string): void;
  /** They have had them, which is an event of its own. */
  settle(): void;
}

/** At a time. */
const OPEN = 50;

const LOST: NoOldest = { code: "unavailable", message: "the source of this endpoint can't be reached" };

export class Oldest<C> {
  readonly #ports: OldestPorts;
  /** Those who wait, by path, in the order in which the questions are put. */
  readonly #askers = new Map<string, Map<C, (result: OldestResult) => void>>();
  /** Of these, those whose question isn't put yet. */
  readonly #waiting = new Set<string>();
  #open = 0;

  constructor(ports: OldestPorts) {
    this.#ports = ports;
  }

  /** `done` isn't called at once, nor if the asker asks again or leaves. */
  ask(path: string, asker: C, done: (result: OldestResult) => void): void {
    const askers = this.#askers.get(path);
    if (askers !== undefined) {
      askers.set(asker, done);
      return;
    }
    this.#askers.set(path, new Map([[asker, done]]));
    this.#waiting.add(path);
    this.#next();
  }

  leave(path: string, asker: C): void {
    const askers = this.#askers.get(path);
    askers?.delete(asker);
    if (askers?.size === 0 && this.#waiting.delete(path)) this.#askers.delete(path);
  }

  #next(): void {
    for (const path of this.#waiting) {
      if (this.#open >= OPEN) return;
      this.#waiting.delete(path);
      this.#open++;
      void this.#put(path);
    }
  }

  async #put(path: string): Promise<void> {
    const result = await this.#answerOf(path);
    this.#open--;
    const askers = this.#askers.get(path) ?? new Map<C, never>();
    this.#askers.delete(path);
    this.#ports.answered();
    for (const done of askers.values()) done(result);
    this.#next();
    this.#ports.settle();
  }

  async #answerOf(path: string): Promise<OldestResult> {
    try {
      return await this.#ports.oldest(path);
    } catch (error) {
      this.#ports.log(`where ${path} begins can't be asked: ${error}`);
      return LOST;
    }
  }
}
