/** One origin reads all partitions: what it says is passed on as it is. */
import { type Attach, encodeAttach, encodeWaiting } from "../../../shared/protocol/attach.ts";
import { WHOLE } from "../../../shared/protocol/slice.ts";
import { encodeGet } from "../../../shared/protocol/uplink.ts";
import { encodeRepeats, noteAnswer, noteUpdate, type Watch } from "../links/links.ts";
import type { OriginItem } from "../uplinks/origin-items.ts";
import type { AnsweringPorts, Attaches, Gets } from "./answering.ts";
import { type Get, GetAnswers, resultOf, UNAVAILABLE } from "./latest.ts";

export class DirectAttaches implements Attaches {
  readonly #ports: AnsweringPorts;
  readonly #down: AnsweringPorts["down"];

  constructor(ports: AnsweringPorts) {
    this.#ports = ports;
    this.#down = ports.down;
  }

  ask(watch: Watch, attach: Attach): void {
    if (this.#ports.present().length === 0) this.#tellToWait(watch, [attach.id]);
    else this.#ports.send([encodeAttach(attach, watch.link.number)], WHOLE.number);
  }

  /** Nothing is kept here of what was asked: the origin is told, and forgets it. */
  cancel(): void {}

  forget(): void {}

  repeat(): string[] {
    const frames: string[] = [];
    for (const watch of this.#ports.watches()) frames.push(...encodeRepeats(watch));
    return frames;
  }

  lost(): void {
    for (const watch of [...this.#ports.watches()]) this.#tellToWait(watch, [...watch.asks.keys()]);
  }

  take(watch: Watch, _slice: number, { frame, says, update }: OriginItem): void {
    if (update !== undefined) noteUpdate(watch, update);
    if (says?.kind === "attached") noteAnswer(watch, says.attached);
    this.#down.add(watch.link, frame);
  }

  end(): void {}

  #tellToWait({ link, path }: Watch, ids: readonly number[]): void {
    if (ids.length > 0)
      this.#down.addAll(
        link,
        ids.map((id) => encodeWaiting(path, id)),
      );
  }
}

export class DirectGets implements Gets {
  readonly #ports: AnsweringPorts;
  /** By id. */
  readonly #open = new Map<number, { readonly get: Get; readonly answers: GetAnswers }>();

  constructor(ports: AnsweringPorts, open: Iterable<Get>) {
    this.#ports = ports;
    for (const get of open) this.#begin(get);
  }

  put(get: Get): void {
    if (this.#ports.present().length === 0) {
      get.done(UNAVAILABLE);
      return;
    }
    this.#begin(get);
    this.#send(get);
  }

  drop(id: number): void {
    this.#open.delete(id);
  }

  repeat(slice: number): void {
    for (const { get, answers } of this.#open.values()) {
      answers.drop(slice);
      this.#send(get);
    }
  }

  lost(): void {
    for (const { get } of [...this.#open.values()]) get.done(UNAVAILABLE);
  }

  take(id: number, slice: number, item: OriginItem): void {
    const open = this.#open.get(id);
    const answer = open?.answers.take(slice, item);
    if (open !== undefined && answer !== undefined) open.get.done(resultOf([answer], true));
  }

  end(): void {}

  #begin(get: Get): void {
    this.#open.set(get.id, { get, answers: new GetAnswers(get) });
  }

  #send({ path, id, brief }: Get): void {
    this.#ports.send([encodeGet(path, id, brief)], WHOLE.number);
  }
}
