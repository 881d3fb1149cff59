/**
 * Kafka's own Java producers: whatever a record may be, and every codec and transaction, as others write them.
 * (kafkajs can't write headers in any order, nor null ones.)
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { ContractRecord } from "./contract-records.ts";
import type { KafkaBroker } from "./kafka-broker.ts";

/** In test/kafka. */
const PROGRAM = "Producer";

export interface ProducedRecord extends Omit<ContractRecord, "timestamp"> {
  /** Any that Java has. */
  readonly timestamp: number | bigint;
}

export interface JavaProducer {
  /** Resolves once the brokers have acknowledged them, to their offsets in the order given. */
  send(topic: string, records: readonly ProducedRecord[]): Promise<number[]>;
  begin(): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

interface Answer {
  readonly offsets?: number[];
  readonly error?: string;
}

/** One Java process that holds any number of producers. */
export class JavaProducers {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterableIterator<string>;
  #last: Promise<unknown> = Promise.resolve();
  #opened = 0;

  constructor(kafka: KafkaBroker) {
    const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
    this.#child = spawn(
      "java",
      [
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        quiet,
        "-cp",
        kafka.programs,
        PROGRAM,
        kafka.bootstrap,
      ],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** @param config Of the producer, by Kafka's names. With a `transactional.id` it can begin transactions. */
  async open(config: Readonly<Record<string, string | number>> = {}): Promise<JavaProducer> {
    const producer = String(this.#opened++);
    await this.#ask({ do: "open", producer, config });
    const plainly = (what: string) => async () => void (await this.#ask({ do: what, producer }));
    return {
      send: async (topic, records) => {
        const { offsets } = await this.#ask({ do: "send", producer, topic, records: records.map(jsonOf) });
        return offsets ?? [];
      },
      begin: plainly("begin"),
      commit: plainly("commit"),
      abort: plainly("abort"),
    };
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #ask(command: object): Promise<Answer> {
    const answer = this.#last.then(async () => {
      this.#child.stdin.write(`${JSON.stringify(command)}\n`);
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error("the producers' process ended");
      const parsed: Answer = JSON.parse(value);
      if (parsed.error !== undefined) throw new Error(parsed.error);
      return parsed;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }
}

function jsonOf({ partition, timestamp, key, value, headers }: ProducedRecord) {
  const base64 = (bytes: Uint8Array | null) =>
    bytes === null ? null : Buffer.from(bytes).toString("base64");
  return {
    partition,
    // As text, since JSON's numbers are read as Java's are, and written as JavaScript's.
    timestamp: String(timestamp),
    key: base64(key),
    value: base64(value),
    headers: headers.map(([name, bytes]) => [name, base64(bytes)]),
  };
}
