/**
 * A stand-in for Kafscale, a log on object storage, as far as its source and docs/protocol.md tell (github.com/KafScale/platform):
 * Metadata 0–12, Produce 0–9, Fetch 11–13, ListOffsets 0–4, DescribeConfigs 4, and nothing for transactions. A topic's id is made
 * of its name. What it answers begins where its index knows a place, and is cut where the bytes that were asked for end. Of each
 * partition of a Fetch it waits for records, one after the other. Of a time it tells the log's end. It asks
 * nobody who they are. What it holds is in memory.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { ApiReader } from "../../origin/kafka/api-reader.ts";
import { ApiWriter } from "../../origin/kafka/api-writer.ts";

const POLL_MS = 10;
const ERROR = { none: 0, offsetOutOfRange: 1, unknownTopic: 3, unknownTopicId: 100 } as const;
const EARLIEST = -2;

/** What it tells that it has; it has one more that it doesn't need to tell of (-1). */
const TOLD = [
  [0, 0, 9],
  [1, 11, 13],
  [2, 0, 4],
  [3, 0, 12],
  [10, 3, 3],
  [18, 0, 4],
  [32, 4, 4],
  ...[21, 22, 24, 25, 26].map((key) => [key, -1, -1] as const),
] as const;
/** From which version on a request is flexible. */
const FLEXIBLE: Readonly<Record<number, number>> = { 0: 9, 1: 12, 2: 6, 3: 9, 10: 3, 18: 3, 32: 4 };

interface Partition {
  readonly batches: { readonly first: number; readonly next: number; readonly bytes: Buffer }[];
  start: number;
  end: number;
}

export class Kafscale {
  readonly port: number;
  /** What was asked that it doesn't have: a connection ends by that. */
  readonly strangers: string[] = [];
  /** For how long at most it was asked to hold one Fetch, all of its partitions together. */
  longestHeldMs = 0;
  /** Unlike Kafscale itself it can have none, as Kafka of old. */
  hasIds = true;
  /** Of the leader of every partition, as Kafka counts them. */
  leaderEpoch = 0;
  readonly #topics = new Map<string, Partition[]>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(): Promise<Kafscale> {
    const server = createServer({ noDelay: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new Kafscale(server, address.port);
  }

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on("connection", (socket) => this.#accept(socket));
  }

  get broker(): string {
    return `127.0.0.1:${this.port}`;
  }

  createTopic(topic: string, partitions: number): void {
    const empty = () => ({ batches: [], start: 0, end: 0 });
    this.#topics.set(topic, Array.from({ length: partitions }, empty));
  }

  deleteTopic(topic: string): void {
    this.#topics.delete(topic);
  }

  /** Retention takes whole batches. Returns where the partition begins then. */
  trim(topic: string, partition: number, beforeOffset: number): number {
    const log = this.#topics.get(topic)?.[partition];
    if (log === undefined) throw new Error(`there is no ${topic}/${partition}`);
    while (log.batches[0] !== undefined && log.batches[0].next <= beforeOffset) log.batches.shift();
    log.start = log.batches[0]?.first ?? log.end;
    return log.start;
  }

  /** Takes a record batch as a producer made it; returns its first offset. */
  append(topic: string, partition: number, batch: Buffer): number {
    const log = this.#topics.get(topic)?.[partition];
    if (log === undefined) throw new Error(`there is no ${topic}/${partition}`);
    const bytes = Buffer.from(batch);
    const first = log.end;
    bytes.writeBigInt64BE(BigInt(first), 0);
    bytes.writeInt32BE(this.leaderEpoch, 12);
    log.end += bytes.readInt32BE(57);
    log.batches.push({ first, next: log.end, bytes });
    return first;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    let bytes = Buffer.alloc(0);
    let last = Promise.resolve();
    socket.on("data", (more: Buffer) => {
      bytes = Buffer.concat([bytes, more]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const request = bytes.subarray(4, 4 + bytes.readInt32BE(0));
        bytes = bytes.subarray(4 + request.length);
        last = last.then(() => this.#answer(socket, request)).catch(() => void socket.destroy());
      }
    });
  }

  async #answer(socket: Socket, request: Buffer): Promise<void> {
    const [key, version] = [request.readInt16BE(0), request.readInt16BE(2)];
    const [, oldest, newest] = TOLD.find(([one]) => one === key) ?? [key, 0, -1];
    if (version < oldest || version > newest) {
      this.strangers.push(`${key} of version ${version}`);
      throw new Error("unsupported api");
    }
    const isFlexible = version >= (FLEXIBLE[key] ?? 0);
    const body = 10 + Math.max(0, request.readInt16BE(8));
    const reader = new ApiReader(request.subarray(body), version, isFlexible);
    reader.tags();
    const writer = new ApiWriter(version, isFlexible);
    // As all do, so that it can be read whatever a client knows.
    if (key !== 18) writer.tags();
    const answers: Readonly<Record<number, () => void | Promise<void>>> = {
      0: () => this.#produce(reader, writer),
      1: () => this.#fetch(reader, writer, socket),
      2: () => this.#listOffsets(reader, writer),
      3: () => this.#metadata(reader, writer),
      18: () => apiVersions(writer),
      32: () => configs(reader, writer),
    };
    await answers[key]?.();
    writer.tags();
    const head = Buffer.alloc(8);
    head.writeInt32BE(4 + writer.bytes.length, 0);
    request.copy(head, 4, 4, 8);
    socket.write(Buffer.concat([head, writer.bytes]));
  }

  #metadata(reader: ApiReader, writer: ApiWriter): void {
    const { version } = writer;
    const asked = reader.array(() => {
      if (version >= 10) reader.uuid();
      const name = reader.string() ?? "";
      reader.tags();
      return name;
    });
    if (version >= 3) writer.int32(0);
    writer.array([this.port], (port) => {
      writer.int32(0).string("127.0.0.1").int32(port);
      if (version >= 1) writer.string(null);
      writer.tags();
    });
    if (version >= 2) writer.string("kafscale-cluster");
    if (version >= 1) writer.int32(0);
    writer.array(asked.length > 0 ? asked : [...this.#topics.keys()], (name) => {
      const partitions = this.#topics.get(name);
      writer.int16(partitions === undefined ? ERROR.unknownTopic : ERROR.none).string(name);
      if (version >= 10) writer.uuid(this.hasIds ? idOf(name) : Buffer.alloc(16));
      if (version >= 1) writer.boolean(false);
      writer.array([...(partitions ?? []).keys()], (partition) => {
        writer.int16(ERROR.none).int32(partition).int32(0);
        if (version >= 7) writer.int32(this.leaderEpoch);
        for (const from of [0, 0, 5])
          if (version >= from) writer.array(from === 0 ? [0] : [], (id) => writer.int32(id));
        writer.tags();
      });
      if (version >= 8) writer.int32(0);
      writer.tags();
    });
    if (version >= 8 && version <= 10) writer.int32(0);
  }

  #listOffsets(reader: ApiReader, writer: ApiWriter): void {
    const { version } = reader;
    reader.int32();
    if (version >= 2) reader.int8();
    const topics = reader.array(() => ({
      topic: reader.string() ?? "",
      asked: reader.array(() => {
        const partition = reader.int32();
        if (version >= 4) reader.int32();
        return { partition, time: reader.int64() };
      }),
    }));
    if (version >= 2) writer.int32(0);
    writer.array(topics, ({ topic, asked }) =>
      writer.string(topic).array(asked, ({ partition, time }) => {
        const log = this.#topics.get(topic)?.[partition];
        const offset = time === EARLIEST ? log?.start : log?.end;
        writer.int32(partition).int16(log === undefined ? -1 : ERROR.none);
        writer.int64(time).int64(offset ?? 0);
        if (version >= 4) writer.int32(-1);
      }),
    );
  }

  async #fetch(reader: ApiReader, writer: ApiWriter, socket: Socket): Promise<void> {
    const { version } = reader;
    reader.int32();
    const waitMs = reader.int32();
    reader.skip(4 + 4 + 1 + 4 + 4);
    const topics = reader.array(() => {
      const id = version >= 13 ? reader.uuid() : undefined;
      const topic = id ? [...this.#topics.keys()].find((name) => idOf(name).equals(id)) : reader.string();
      const asked = reader.array(() => {
        const partition = reader.int32();
        reader.int32();
        const offset = Number(reader.long());
        reader.skip(version >= 12 ? 12 : 8);
        const maxBytes = reader.int32();
        reader.tags();
        return { partition, offset, maxBytes };
      });
      reader.tags();
      return { id, topic: topic ?? undefined, asked };
    });
    const partitions = topics.reduce((sum, { asked }) => sum + asked.length, 0);
    this.longestHeldMs = Math.max(this.longestHeldMs, waitMs * partitions);
    for (const { topic, asked } of topics)
      for (const { partition, offset } of asked)
        await this.#untilMore(() => this.#topics.get(topic ?? "")?.[partition], offset, waitMs, socket);
    writer.int32(0).int16(ERROR.none).int32(0);
    writer.array(topics, ({ id, topic, asked }) => {
      if (id !== undefined) writer.uuid(id);
      else writer.string(topic ?? "");
      writer.array(asked, ({ partition, offset, maxBytes }) => {
        const log = this.#topics.get(topic ?? "")?.[partition];
        const absent = topic === undefined ? ERROR.unknownTopicId : ERROR.unknownTopic;
        const outside = log !== undefined && (offset < log.start || offset > log.end);
        const error = log === undefined ? absent : outside ? ERROR.offsetOutOfRange : ERROR.none;
        writer.int32(partition).int16(error);
        for (const at of [log?.end ?? -1, log?.end ?? -1, 0]) writer.int64(at);
        writer.array([], () => {}).int32(-1);
        writer.bytesField(log === undefined || outside ? null : batchesFrom(log, offset, maxBytes)).tags();
      });
      writer.tags();
    });
  }

  async #untilMore(
    log: () => Partition | undefined,
    offset: number,
    waitMs: number,
    socket: Socket,
  ): Promise<void> {
    const until = performance.now() + waitMs;
    while (log()?.end === offset && performance.now() < until && !socket.destroyed) await wait(POLL_MS);
  }

  #produce(reader: ApiReader, writer: ApiWriter): void {
    const { version } = reader;
    if (version >= 3) reader.string();
    reader.skip(2 + 4);
    const topics = reader.array(() => {
      const topic = reader.string() ?? "";
      const batches = reader.array(() => {
        const batch = { partition: reader.int32(), bytes: reader.bytesField() ?? Buffer.alloc(0) };
        reader.tags();
        return batch;
      });
      reader.tags();
      return { topic, batches };
    });
    writer.array(topics, ({ topic, batches }) => {
      writer.string(topic);
      writer.array(batches, ({ partition, bytes }) => {
        const isThere = this.#topics.get(topic)?.[partition] !== undefined;
        writer.int32(partition).int16(isThere ? ERROR.none : ERROR.unknownTopic);
        writer.int64(isThere ? this.append(topic, partition, bytes) : -1);
        if (version >= 2) writer.int64(-1);
        if (version >= 5) writer.int64(0);
        if (version >= 8) writer.array([], () => {}).string(null);
        writer.tags();
      });
      writer.tags();
    });
    if (version >= 1) writer.int32(0);
  }
}

const idOf = (topic: string) => createHash("sha256").update(topic).digest().subarray(0, 16);

/** Of so many batches its index knows one place. */
const INDEX_EVERY = 3;

/** From a place that its index knows, at or before the offset, and cut where the bytes that were asked for end. */
function batchesFrom({ batches }: Partition, offset: number, maxBytes: number): Buffer {
  let low = 0;
  for (let high = batches.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((batches[middle]?.next ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  // What is at its end is still in its buffer, batch by batch.
  const from = low === batches.length ? low : low - (low % INDEX_EVERY);
  const found: Buffer[] = [];
  let size = 0;
  for (const { bytes } of batches.slice(from)) {
    if (size >= maxBytes) break;
    found.push(bytes);
    size += bytes.length;
  }
  return Buffer.concat(found).subarray(0, maxBytes);
}

function apiVersions(writer: ApiWriter): void {
  writer.int16(ERROR.none);
  writer.array(TOLD, ([key, oldest, newest]) => writer.int16(key).int16(oldest).int16(newest).tags());
  if (writer.version >= 1) writer.int32(0);
}

function configs(reader: ApiReader, writer: ApiWriter): void {
  const topics = reader.array(() => {
    reader.int8();
    const topic = reader.string() ?? "";
    reader.array(() => reader.string());
    reader.tags();
    return topic;
  });
  writer.int32(0);
  writer.array(topics, (topic) => {
    writer.int16(ERROR.none).string(null).int8(2).string(topic);
    writer.array(["delete"], (policy) => {
      writer.string("cleanup.policy").string(policy).boolean(false).int8(5).boolean(false);
      writer
        .array([], () => {})
        .int8(2)
        .string(null)
        .tags();
    });
    writer.tags();
  });
}
