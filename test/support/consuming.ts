/** A consumer of a scripted source over a small origin, with short waits. */

import { Consumer } from "../../origin/reading/consumer.ts";
import { isReady } from "../../origin/reading/partitions.ts";
import type { Stream } from "../../shared/config/streams.ts";
import { Streams } from "../../shared/config/streams.ts";
import { hasPartition, type Slice, WHOLE } from "../../shared/protocol/slice.ts";
import { eventually } from "./deadline.ts";
import type { MemoryHistory } from "./memory-history.ts";
import { ScriptedSource } from "./scripted-source.ts";
import { NOW, SmallOrigin } from "./small-origin.ts";

export const TIMING = { retry: { baseMs: 4, maxMs: 16 }, absentMs: 5, describeMs: 20, forgetMs: 60 };

export interface ConsumingOptions {
  readonly source?: ScriptedSource;
  /** What was read before. */
  readonly history?: MemoryHistory;
  /** Instead of one of its own. */
  readonly origin?: SmallOrigin;
  readonly maxMatched?: number;
  readonly slice?: Slice;
}

export class Consuming {
  readonly source: ScriptedSource;
  readonly origin: SmallOrigin;
  readonly fatal: unknown[] = [];
  readonly #slice: Slice;
  readonly #consumer: Consumer;

  /** Starts at once. */
  constructor(streams: readonly Stream[], options: ConsumingOptions = {}) {
    const { source = new ScriptedSource(), history, maxMatched, slice = WHOLE } = options;
    this.source = source;
    this.origin = options.origin ?? new SmallOrigin(streams, history, slice);
    this.#slice = slice;
    this.#consumer = new Consumer({
      source,
      streams: new Streams(streams),
      slice,
      forwarder: this.origin.forwarder,
      partitions: this.origin.partitions,
      log: this.origin.recorded.log,
      random: () => 1,
      now: () => NOW,
      fatal: (error) => this.fatal.push(error),
      timing: TIMING,
      ...(maxMatched !== undefined && { maxMatched }),
    });
    this.#consumer.start();
  }

  /** Resolves when every partition of the topic that is in its slice, but those excepted, has been read to its end. */
  async read(topic: string, except: readonly number[] = []): Promise<void> {
    await eventually(() => {
      const infos = this.source.logs.get(topic)?.describe() ?? [];
      return infos.every(({ partition, epoch, endOffset }) => {
        if (!hasPartition(this.#slice, partition) || except.includes(partition)) return true;
        const state = this.origin.partitions.find(topic, epoch);
        return state !== undefined && isReady(state) && state.next === endOffset;
      });
    }, `${topic} is read to its end`);
  }

  /** Resolves after the source was asked for its topics, and begun to be asked again: what it said has had its effect. */
  async listed(): Promise<void> {
    const { listings } = this.source;
    await eventually(() => this.source.listings >= listings + 2, "two more listings");
  }

  /** However reading has gone. */
  end(): Promise<void> {
    return this.#consumer.stop();
  }

  /** Reading can't have ended by a fault. */
  async stop(): Promise<void> {
    await this.end();
    if (this.fatal.length > 0) throw new AggregateError(this.fatal, "reading ended");
  }
}
