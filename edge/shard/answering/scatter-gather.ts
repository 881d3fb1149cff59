/**
 * Several origins share the partitions: what objects ask goes to each of them, and one answer comes down (N5–N7). Of each
 * watch for which something is open, scattered-watch.ts says what.
 */
import type { Attach } from "../../../shared/protocol/attach.ts";
import { Linger } from "../links/linger.ts";
import { encodeLeads, type Watch } from "../links/links.ts";
import type { OriginItem } from "../uplinks/origin-items.ts";
import type { AnsweringPorts, Attaches } from "./answering.ts";
import { HeldBytes } from "./held-parts.ts";
import { passUpdate } from "./passing.ts";
import { SILENT_SLICE_MS } from "./scatter.ts";
import type { ScatteredAsk } from "./scattered-ask.ts";
import { ScatteredWatch, type Slicing } from "./scattered-watch.ts";
import { Unheard } from "./unheard.ts";

export class ScatterGather implements Attaches {
  readonly #slicing: Slicing;
  /** Those that aren't idle. */
  readonly #busy = new Map<Watch, ScatteredWatch>();

  constructor(ports: AnsweringPorts, count: number) {
    const patience = new Linger<ScatteredAsk>(ports, SILENT_SLICE_MS, (late) =>
      this.#at(late.watch, (scattered) => scattered.hurry(late)),
    );
    this.#slicing = {
      ports,
      count,
      bytes: new HeldBytes(),
      patience,
      unheard: new Unheard(),
      cutShort: new Set(ports.watches()),
    };
    for (const watch of ports.watches())
      if (watch.asks.size > 0) this.#at(watch, (scattered) => scattered.resume());
  }

  ask(watch: Watch, attach: Attach): void {
    this.#at(watch, (scattered) => scattered.ask(attach));
  }

  cancel(watch: Watch, id: number): void {
    if (this.#busy.has(watch)) this.#at(watch, (scattered) => scattered.cancel(id));
  }

  forget(watch: Watch): void {
    this.#busy.get(watch)?.end();
    this.#busy.delete(watch);
    this.#slicing.unheard.forget(watch);
    this.#slicing.cutShort.delete(watch);
  }

  repeat(slice: number): string[] {
    const frames: string[] = [];
    for (const watch of this.#slicing.ports.watches()) {
      frames.push(...encodeLeads(watch));
      if (this.#busy.has(watch)) frames.push(...this.#at(watch, (scattered) => scattered.repeat(slice)));
    }
    return frames;
  }

  lost(slice: number): void {
    for (const watch of [...this.#busy.keys()]) this.#at(watch, (scattered) => scattered.lost(slice));
  }

  take(watch: Watch, slice: number, item: OriginItem): void {
    if (item.update !== undefined && !this.#busy.has(watch)) {
      passUpdate(this.#slicing.ports.down, watch, item.frame, item.update);
    } else this.#at(watch, (scattered) => scattered.take(slice, item));
  }

  end(): void {
    for (const watch of [...this.#busy.keys()]) this.forget(watch);
  }

  #at<T>(watch: Watch, event: (scattered: ScatteredWatch) => T): T {
    const scattered = this.#busy.get(watch) ?? new ScatteredWatch(watch, this.#slicing);
    this.#busy.set(watch, scattered);
    const result = event(scattered);
    if (scattered.isIdle) this.#busy.delete(watch);
    return result;
  }
}
