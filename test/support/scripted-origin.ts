/**
 * An origin without a log: it keeps what a test appends in memory, answers attaches and questions by the rules,
 * and forwards what is watched. It does what it is told, faults included.
 */
import { SignJWT } from "jose";
import WebSocket from "ws";
import { shardOf } from "../../shared/protocol/address.ts";
import { encodeAddressed } from "../../shared/protocol/addressed.ts";
import { type Attach, encodeAttached, encodeWaiting } from "../../shared/protocol/attach.ts";
import {
  decodeUpdate,
  encodeUpdate,
  type Frame,
  type Update,
  type Value,
} from "../../shared/protocol/frame.ts";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { packMessages, splitBinary, splitText } from "../../shared/protocol/message.ts";
import { formatPosition } from "../../shared/protocol/position.ts";
import {
  decodePublish,
  encodePublished,
  encodeWriting,
  type Published,
  type PublishRequest,
  type Writing,
} from "../../shared/protocol/publish.ts";
import { PING, PONG } from "../../shared/protocol/subscriber.ts";
import {
  decodeShardSays,
  encodeHello,
  encodeLatest,
  encodeReady,
  encodeSpreadOut,
  type LatestValue,
  type ShardHello,
} from "../../shared/protocol/uplink.ts";
import { UPLINK_PROTOCOL, VERSION } from "../../shared/protocol/version.ts";
import { edgeKeyOf } from "./edge-harness.ts";
import { type Kept, ModelLog } from "./model-log.ts";

interface Uplink {
  readonly socket: WebSocket;
  hello: ShardHello | undefined;
  closed: { code: number; reason: string } | undefined;
  /** link → paths that are live on it. */
  readonly live: Map<number, Set<string>>;
}

export interface ScriptedOriginOptions {
  readonly url: string;
  readonly shards?: number;
  readonly name?: string;
  /** How many updates a fresh answer holds. */
  readonly window?: number;
  /** How many updates an answer holds at most. */
  readonly page?: number;
  /** What it reads; one of its own where none is given. */
  readonly log?: ModelLog;
}

export class ScriptedOrigin {
  readonly #options: Required<Omit<ScriptedOriginOptions, "log">>;
  readonly uplinks: Uplink[] = [];
  /** What the shards asked, in order. */
  readonly attaches: (Attach & { link: number; shard: number })[] = [];
  readonly detaches: { endpoint: string; link: number }[] = [];
  /** The paths of the questions that the shards put, in order. */
  readonly gets: string[] = [];
  /** What the shards want published, in order. */
  readonly publishes: (PublishRequest & { readonly shard: number })[] = [];
  /** What publishes are answered with; undefined: nothing. */
  published: (request: PublishRequest) => Published | undefined = () => ({ position: "e.0:7" });
  /** How much the answers' frames had, in all. */
  told = 0;
  readonly log: ModelLog;
  /** While false, attaches are answered with `waiting` and remembered, and questions only remembered. */
  answering = true;
  #heldGets: (() => void)[] = [];
  #held: { uplink: Uplink; link: number; attach: Attach }[] = [];

  constructor({ log, ...options }: ScriptedOriginOptions) {
    this.#options = { shards: 2, name: "scripted", window: 100, page: 1_000, ...options };
    this.log = log ?? new ModelLog({ ...this.#options, isHome: () => false });
  }

  static async token(
    claims: { life?: number; kid?: string; secret?: string; name?: string } = {},
  ): Promise<string> {
    const { life = 60, name = "scripted" } = claims;
    const { kid, secret } = { ...edgeKeyOf(name), ...claims };
    const now = Math.floor(Date.now() / 1_000);
    return new SignJWT()
      .setProtectedHeader({ alg: "HS256", kid })
      .setAudience("distributary-uplink")
      .setSubject(name)
      .setIssuedAt(now)
      .setExpirationTime(now + life)
      .sign(new TextEncoder().encode(secret));
  }

  /** Dials every shard and says that it is ready; resolves when all have answered the hello. */
  async connect({ ready = true } = {}): Promise<this> {
    const token = await ScriptedOrigin.token({ name: this.#options.name });
    const uplinks = Array.from({ length: this.#options.shards }, (_, shard) => this.#dial(shard, token));
    this.uplinks.splice(0, this.uplinks.length, ...(await Promise.all(uplinks)));
    if (ready) this.beat();
    return this;
  }

  /** What an uplink that stands by says every second (U9). */
  beat(): void {
    for (const uplink of this.uplinks)
      this.#send(uplink, [encodeAddressed({ kind: "shard" }, encodeReady(true))]);
  }

  ping(): void {
    for (const { socket } of this.uplinks) socket.send(PING);
  }

  /** Goes without a word. */
  cut(): void {
    for (const { socket } of this.uplinks) socket.terminate();
  }

  /** Writes a record and forwards it to whoever watches its endpoint. */
  append(path: string, value: unknown, epoch = "e.0", more: Partial<Update> = {}): Kept {
    const kept = this.log.append(path, value, epoch, more);
    for (const uplink of this.uplinks) this.#forward(uplink, path, [kept]);
    return kept;
  }

  /** Writes records that the shards hear of only when somebody asks, or when a later one leaves a gap. */
  appendSilently(path: string, values: readonly unknown[], epoch = "e.0"): Kept[] {
    return values.map((value) => this.log.append(path, value, epoch));
  }

  /** Writes several and forwards them in as few messages as can be. */
  appendBatch(paths: readonly string[], values: readonly unknown[], epoch = "e.0"): void {
    const items = new Map<Uplink, Frame[]>();
    for (const [i, value] of values.entries()) {
      const path = paths[i % paths.length] ?? "";
      const kept = this.log.append(path, value, epoch);
      for (const uplink of this.uplinks) {
        const links = this.#linksOf(uplink, path);
        if (links.length === 0) continue;
        items.set(uplink, [
          ...(items.get(uplink) ?? []),
          encodeAddressed({ kind: "links", links }, kept.frame),
        ]);
      }
    }
    for (const [uplink, frames] of items) this.#send(uplink, frames);
  }

  /** Answers what was held back while `answering` was false. */
  answerHeld(): void {
    this.answering = true;
    for (const { uplink, link, attach } of this.#held.splice(0)) this.#answer(uplink, link, attach);
    for (const answer of this.#heldGets.splice(0)) answer();
  }

  /** The uplink that carries an endpoint. */
  uplinkOf(path: string): Uplink {
    const uplink = this.uplinks[shardOf(path, this.#options.shards)];
    if (uplink === undefined) throw new Error("not connected");
    return uplink;
  }

  linksOf(path: string): number[] {
    return this.#linksOf(this.uplinkOf(path), path);
  }

  headOf(path: string): string {
    return formatPosition(this.log.head(path));
  }

  /** Sends what the test says, as it stands. */
  raw(path: string, message: string | Uint8Array): void {
    this.uplinkOf(path).socket.send(message);
  }

  async #dial(shard: number, token: string): Promise<Uplink> {
    const url = `${this.#options.url.replace("http", "ws")}/$/uplink?shard=${shard}`;
    const socket = new WebSocket(url, [UPLINK_PROTOCOL], {
      headers: { Authorization: `Bearer ${token}` },
      maxPayload: 64 * 1024 * 1024,
    });
    const uplink: Uplink = { socket, hello: undefined, closed: undefined, live: new Map() };
    socket.on("close", (code, reason) => {
      uplink.closed = { code, reason: reason.toString() };
    });
    await new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("open", () => socket.send(encodeHello({ version: VERSION, origin: this.#options.name })));
      socket.on("message", (data: Buffer, isBinary: boolean) => {
        if (isBinary) return this.#publish(uplink, shard, data);
        if (data.toString() === PONG) return;
        for (const frame of splitText(data.toString())) this.#hear(uplink, shard, frame);
        if (uplink.hello !== undefined) resolve();
      });
      socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
    });
    return uplink;
  }

  /** Says of a partition that it writes it, or no longer does. */
  writes(writing: Writing): void {
    for (const uplink of this.uplinks)
      this.#send(uplink, [encodeAddressed({ kind: "shard" }, encodeWriting(writing))]);
  }

  /** Answers a publish that was left without an answer. */
  answerPublish(path: string, id: number, result: Published): void {
    this.#send(this.uplinkOf(path), [encodeAddressed({ kind: "shard" }, encodePublished(id, result))]);
  }

  #publish(uplink: Uplink, shard: number, data: Buffer): void {
    for (const frame of splitBinary(new Uint8Array(data)) ?? []) {
      const read = decodePublish(frame);
      if (!read.ok) throw new Error(read.problem);
      this.publishes.push({ ...read.value, shard });
      const result = this.published(read.value);
      if (result === undefined) continue;
      const answer = encodePublished(read.value.id, result);
      this.#send(uplink, [encodeAddressed({ kind: "shard" }, answer)]);
    }
  }

  #hear(uplink: Uplink, shard: number, frame: string): void {
    const says = decodeShardSays(frame);
    if (!says.ok) throw new Error(says.problem);
    switch (says.value.kind) {
      case "hello":
        uplink.hello = says.value.hello;
        return;
      case "attach": {
        const { link, attach } = says.value;
        this.attaches.push({ ...attach, link, shard });
        if (this.answering) this.#answer(uplink, link, attach);
        else {
          this.#held.push({ uplink, link, attach });
          this.#send(uplink, [
            encodeAddressed({ kind: "links", links: [link] }, encodeWaiting(attach.endpoint, attach.id)),
          ]);
        }
        return;
      }
      case "spread": {
        const out = { isKept: true, stored: [], missing: [] };
        this.#send(uplink, [encodeAddressed({ kind: "shard" }, encodeSpreadOut(says.value.id, out))]);
        return;
      }
      case "detach":
        this.detaches.push({ endpoint: says.value.endpoint, link: says.value.link });
        uplink.live.get(says.value.link)?.delete(says.value.endpoint);
        return;
      case "get": {
        const { id, endpoint, brief = false } = says.value;
        this.gets.push(endpoint);
        if (this.answering) this.#tellLatest(uplink, endpoint, id, brief);
        else this.#heldGets.push(() => this.#tellLatest(uplink, endpoint, id, brief));
        return;
      }
    }
  }

  #answer(uplink: Uplink, link: number, { endpoint, id, from }: Attach): void {
    const { attached, frames } = this.log.answer(endpoint, from);
    uplink.live.set(link, (uplink.live.get(link) ?? new Set()).add(endpoint));
    this.#send(
      uplink,
      [encodeAttached({ ...attached, id }), ...frames].map((frame) =>
        encodeAddressed({ kind: "links", links: [link] }, frame),
      ),
    );
  }

  #tellLatest(uplink: Uplink, endpoint: string, id: number, brief: boolean): void {
    const last = this.log.latest(endpoint);
    const to = { kind: "question", id } as const;
    const { frame, value } = last ? latestFrame(last.frame, brief) : {};
    const head = encodeLatest(endpoint, this.log.head(endpoint), frame === undefined ? 0 : 1, { value });
    this.#send(
      uplink,
      [head, ...(frame === undefined ? [] : [frame])].map((said) => encodeAddressed(to, said)),
    );
    this.told += frame?.length ?? 0;
  }

  #linksOf(uplink: Uplink, path: string): number[] {
    return [...uplink.live].filter(([, paths]) => paths.has(path)).map(([link]) => link);
  }

  #forward(uplink: Uplink, path: string, records: readonly Kept[]): void {
    const links = this.#linksOf(uplink, path);
    if (links.length === 0) return;
    this.#send(
      uplink,
      records.map(({ frame }) => encodeAddressed({ kind: "links", links }, frame)),
    );
  }

  #send(uplink: Uplink, items: readonly Frame[]): void {
    for (const message of packMessages(items, 256 * 1024)) uplink.socket.send(message);
  }
}

/** As a question is told of it (U8). */
function latestFrame(
  frame: Frame,
  brief: boolean,
): { readonly frame: Frame; readonly value?: LatestValue | undefined } {
  const decoded = decodeUpdate(frame);
  if (!decoded.ok) return { frame };
  const { value } = decoded.value;
  if (value.kind === "tombstone" || value.kind === "omitted") return { frame };
  const bytes = value.kind === "bytes" ? value.bytes : new TextEncoder().encode(value.text);
  if (bytes.length <= LIMITS.questionValueBytes) return { frame };
  const told: Value = brief ? { kind: "omitted", size: bytes.length } : { kind: "bytes", bytes };
  return { frame: encodeUpdate({ ...decoded.value, headers: [], value: told }), value: value.kind };
}
