/** A topic of three partitions in a scripted source, and a consumer that reads it and may be begun anew. */

import { isReady } from "../../origin/reading/partitions.ts";
import type { Stream } from "../../shared/config/streams.ts";
import { Consuming } from "./consuming.ts";
import type { LogModel } from "./log-model.ts";
import { ScriptedSource } from "./scripted-source.ts";
import { SmallOrigin, STREAM } from "./small-origin.ts";

/** What the world writes has this key, in every partition. */
export const KEY = Buffer.from("a");

export class ConsumerWorld {
  readonly source = new ScriptedSource();
  /** The topic, `t`. */
  log: LogModel = this.source.topic("t", 3);
  origin = new SmallOrigin();
  #consuming: Consuming | undefined;

  start(streams: readonly Stream[] = [STREAM]): void {
    this.#consuming = new Consuming(streams, { source: this.source, origin: this.origin });
  }

  async stop(): Promise<void> {
    await this.#consuming?.end();
  }

  /** What reading has ended by, if by a fault. */
  get fatal(): readonly unknown[] {
    return this.#consuming?.fatal ?? [];
  }

  write(partition: number, count: number): void {
    for (let i = 0; i < count; i++) this.log.write(partition, KEY, Buffer.from("1"));
    this.source.changed();
  }

  /** Resolves when every partition but those excepted has been read to its end. */
  async read(except: readonly number[] = []): Promise<void> {
    await this.#consuming?.read("t", except);
  }

  states() {
    return this.origin.partitions
      .all()
      .map((one) => ({ next: one.next, ready: isReady(one), error: one.trouble?.error }));
  }
}
