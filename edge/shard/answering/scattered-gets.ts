/**
 * Several origins share the partitions: a GET asks each of them, and is told the newest record that they know (N8).
 */
import { encodeGet } from "../../../shared/protocol/uplink.ts";
import { Linger } from "../links/linger.ts";
import type { OriginItem } from "../uplinks/origin-items.ts";
import type { AnsweringPorts, Gets } from "./answering.ts";
import { type Get, type GetAnswer, GetAnswers, latestOf, resultOf, UNAVAILABLE } from "./latest.ts";
import { Scatter, SILENT_SLICE_MS } from "./scatter.ts";

interface OpenGet {
  readonly get: Get;
  readonly answers: GetAnswers;
  readonly scatter: Scatter<GetAnswer>;
  /** It is patient once: a slice to which it is put after that isn't waited for. */
  isLate: boolean;
}

export class ScatteredGets implements Gets {
  readonly #ports: AnsweringPorts;
  readonly #count: number;
  /** By id. */
  readonly #open = new Map<number, OpenGet>();
  readonly #patience: Linger<OpenGet>;

  constructor(ports: AnsweringPorts, count: number, open: Iterable<Get>) {
    this.#ports = ports;
    this.#count = count;
    this.#patience = new Linger(ports, SILENT_SLICE_MS, (late) => this.#hurry(late));
    for (const get of open) this.#begin(get);
  }

  put(get: Get): void {
    const present = this.#ports.present();
    if (present.length === 0) {
      get.done(UNAVAILABLE);
      return;
    }
    const open = this.#begin(get);
    for (const slice of present) this.#put(open, slice);
  }

  drop(id: number): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#patience.end(open);
  }

  repeat(slice: number): void {
    for (const open of this.#open.values()) this.#put(open, slice);
  }

  /** What it answered is as good as before: a GET asks for one record, and for none that follow. */
  lost(slice: number): void {
    for (const open of [...this.#open.values()]) {
      open.answers.drop(slice);
      open.scatter.step(slice, { kind: "lost", keeps: true });
      this.#settle(open);
    }
  }

  take(id: number, slice: number, item: OriginItem): void {
    const open = this.#open.get(id);
    const answer = open?.answers.take(slice, item);
    if (open === undefined || answer === undefined) return;
    open.scatter.step(slice, { kind: "answers", answer });
    this.#settle(open);
  }

  end(): void {
    for (const id of [...this.#open.keys()]) this.drop(id);
  }

  #begin(get: Get): OpenGet {
    const scatter = new Scatter<GetAnswer>(this.#count);
    const open = { get, answers: new GetAnswers(get), scatter, isLate: false };
    this.#open.set(get.id, open);
    return open;
  }

  #put(open: OpenGet, slice: number): void {
    open.answers.drop(slice);
    open.scatter.step(slice, { kind: "put" });
    if (open.isLate) open.scatter.step(slice, { kind: "late" });
    else this.#patience.start(open);
    const { path, id, brief } = open.get;
    this.#ports.send([encodeGet(path, id, brief)], slice);
  }

  #hurry(open: OpenGet): void {
    open.isLate = true;
    open.scatter.stepAll({ kind: "late" });
    this.#settle(open);
  }

  #settle({ get, scatter }: OpenGet): void {
    const { progress } = scatter;
    if (progress === "open") return;
    const answers = [...scatter.answers().values()];
    // Nobody who asked was told to wait: they wait for whoever may still know.
    if (progress === "partial" && latestOf(answers) === undefined) return;
    get.done(resultOf(answers, progress === "whole"));
  }
}
