/**
 * How catching up goes. Before a topic is read the log is told how much there is, and when it is done that it is. While that
 * goes on, one line says how far all topics have come. Its owner calls `tell` now and then.
 */
import type { Log } from "../operate/log.ts";
import { isReady, type Partitions } from "./partitions.ts";

export interface ProgressPorts {
  readonly partitions: Partitions;
  readonly log: Log;
  /** Milliseconds, of a clock that only goes forward. */
  readonly now: () => number;
}

/** Of one topic; a compacted one may hold fewer records than its offsets say. */
interface Reading {
  total: number;
  readonly beganAt: number;
}

/** More topics than these aren't named. */
const NAMED = 8;

export class Progress {
  readonly #ports: ProgressPorts;
  readonly #readings = new Map<string, Reading>();
  /** Of topics that are done while others aren't. */
  #finished = 0;
  #toldAt = 0;
  #toldDone = 0;

  constructor(ports: ProgressPorts) {
    this.#ports = ports;
  }

  /** Partitions of the topic begin, or begin anew, by which there are so many more records to read. */
  begins(topic: string, records: number): void {
    const reading = this.#readings.get(topic);
    if (reading !== undefined) reading.total += records;
    else if (records > 0) {
      if (this.#readings.size === 0) this.#restart();
      this.#readings.set(topic, { total: records, beganAt: this.#ports.now() });
    }
  }

  /** A partition has become ready. */
  check(topic: string): void {
    const reading = this.#readings.get(topic);
    const isRead = this.#ports.partitions.of(topic)?.every(isReady);
    if (reading === undefined || isRead !== true) return;
    this.#finished += reading.total;
    this.#readings.delete(topic);
    const seconds = Math.round((this.#ports.now() - reading.beganAt) / 100) / 10;
    this.#ports.log("topic_caught_up", { topic, records: reading.total, seconds });
  }

  /** The topic has gone. */
  forget(topic: string): void {
    this.#readings.delete(topic);
  }

  /** Says how far it is. Nothing if nothing is being caught up with, or has been read since the last time. */
  tell(): void {
    if (this.#readings.size === 0) return;
    const { partitions, log, now } = this.#ports;
    let total = this.#finished;
    let left = 0;
    for (const [topic, reading] of this.#readings) {
      total += reading.total;
      left += partitions.unread(topic);
    }
    const done = total - left;
    const seconds = (now() - this.#toldAt) / 1_000;
    const perSecond = Math.round((done - this.#toldDone) / seconds);
    this.#toldAt = now();
    this.#toldDone = done;
    if (perSecond <= 0) return;
    const topics = [...this.#readings.keys()].slice(0, NAMED);
    const others = this.#readings.size - topics.length || undefined;
    log("catching_up", { topics, others, done, total, perSecond, secondsLeft: Math.ceil(left / perSecond) });
  }

  #restart(): void {
    this.#finished = 0;
    this.#toldAt = this.#ports.now();
    this.#toldDone = 0;
  }
}
