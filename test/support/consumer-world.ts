/** A topic of three partitions in a scripted source, and a consumer that reads it and may be begun anew. */

import { Consumer } from "../../origin/reading/consumer.ts";
import { isReady } from "../../origin/reading/partitions.ts";
import { type Stream, Streams } from "../../shared/config/streams.ts";
import { eventually } from "./deadline.ts";
import type { LogModel } from "./log-model.ts";
import { ScriptedSource } from "./scripted-source.ts";
import { NOW, SmallOrigin, STREAM } from "./small-origin.ts";

export const TIMING = { retry: { baseMs: 4, maxMs: 16 }, absentMs: 5, describeMs: 20, forgetMs: 60 };

/** What the world writes has this key, in every partition. */
export const KEY = Buffer.from("a");

export class ConsumerWorld {
  readonly source = new ScriptedSource();
  /** The topic, `t`. */
  log: LogModel = this.source.topic("t", 3);
  origin = new SmallOrigin();
  readonly fatal: unknown[] = [];
  #consumer: Consumer | undefined;

  start(streams: readonly Stream[] = [STREAM]): void {
    this.#consumer = new Consumer({
      source: this.source,
      streams: new Streams(streams),
      forwarder: this.origin.forwarder,
      partitions: this.origin.partitions,
      log: this.origin.recorded.log,
      random: () => 1,
      now: () => NOW,
      fatal: (error) => this.fatal.push(error),
      timing: TIMING,
    });
    this.#consumer.start();
  }

  async stop(): Promise<void> {
    await this.#consumer?.stop();
  }

  write(partition: number, count: number): void {
    for (let i = 0; i < count; i++) this.log.write(partition, KEY, Buffer.from("1"));
    this.source.changed();
  }

  /** Resolves when every partition but those excepted has been read to its end. */
  async read(except: readonly number[] = []): Promise<void> {
    const isRead = () =>
      this.log.describe().every(({ partition, epoch, endOffset }) => {
        const state = this.origin.partitions.find("t", epoch);
        return (
          except.includes(partition) || (state !== undefined && isReady(state) && state.next === endOffset)
        );
      });
    await eventually(isRead, "every partition is read to its end");
  }

  states() {
    return this.origin.partitions
      .all()
      .map((one) => ({ next: one.next, ready: isReady(one), error: one.trouble?.error }));
  }
}
