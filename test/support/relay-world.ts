/** A relay by itself: its clients and its shards are sockets that a test reads and writes by hand. */
import { expect } from "vitest";
import type { Holder } from "../../edge/endpoint/holder.ts";
import type { Granted, Verified } from "../../edge/endpoint/renewals.ts";
import { type SenderLimits, SenderSpending } from "../../edge/endpoint/sender-spending.ts";
import type { OldestResult } from "../../edge/relay/oldest.ts";
import { RelayCore } from "../../edge/relay/relay-core.ts";
import type { RelayConfig } from "../../edge/relay/relay-ports.ts";
import type { Judgement, Right } from "../../edge/relay/right.ts";
import { encodeAttached } from "../../shared/protocol/attach.ts";
import { encodeUpdate } from "../../shared/protocol/frame.ts";
import { encodeLinkHello } from "../../shared/protocol/link.ts";
import { SEPARATOR } from "../../shared/protocol/message.ts";
import { parsePosition } from "../../shared/protocol/position.ts";
import { FakeSocket } from "./fake-socket.ts";
import { BY_SENDER, UNLIMITED } from "./holders.ts";
import { settled } from "./simulated-edge.ts";
import { RowsInMemory } from "./simulated-relay.ts";
import { Clock } from "./simulated-wires.ts";

type Config = Omit<RelayConfig, "bySender"> & { readonly bySender: SenderLimits };

const CONFIG: Config = {
  limits: { ...UNLIMITED, subscriptions: 1_000 },
  bySender: BY_SENDER,
  endpoints: 1_000,
  subscriptions: 10_000,
  windowBytes: 1_000_000,
  gatherMs: 0,
  publishBytes: 100_000,
};
const PUBLIC_RIGHT: Right = { grants: undefined, tokensCount: false };

interface Asked {
  readonly attach: string;
  readonly id: number;
  readonly from?: string;
}

export class RelayWorld {
  readonly clock = new Clock();
  readonly rows = new RowsInMemory();
  readonly problems: string[] = [];
  /** Shards that were asked for a link. */
  readonly sought: number[] = [];
  /** How far the log is, by path. */
  readonly written = new Map<string, number>();
  readonly links = new Map<number, FakeSocket>();
  readonly sockets: FakeSocket[] = [];
  /** When a client last sent a ping. */
  readonly pings = new Map<unknown, number>();
  /** Where histories begin is asked. */
  readonly seeking: {
    readonly path: string;
    resolve(result: OldestResult): void;
    reject(error: Error): void;
  }[] = [];
  readonly looking: ((verified: Verified<Granted>) => void)[] = [];
  sent = 0;
  /** What may be subscribed to, and what is exposed. */
  judge: (path: string, right: Right) => Judgement = () => ({ ok: true });
  judgePublish: (path: string, right: Right) => Judgement = () => ({ ok: true });
  mayPublish = true;
  exposes: (path: string) => boolean = () => true;
  shardOf: (path: string) => number = (path) => (path.endsWith("1") ? 1 : 0);
  random: () => number = () => 0.5;
  core: RelayCore;
  readonly #config: Config;
  #dials = 0;

  constructor(config: Partial<Config> = {}) {
    this.#config = { ...CONFIG, ...config };
    this.core = this.#create();
  }

  connect(right: Right = PUBLIC_RIGHT, holder?: Holder, sender?: string): FakeSocket {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    this.core.open(socket, right, holder, sender);
    return socket;
  }

  /** A socket of one endpoint, as in a room. */
  alone(
    path: string,
    right: Right = PUBLIC_RIGHT,
    holder?: Holder,
    sender?: string,
    from?: string,
  ): FakeSocket {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    const position = from === undefined ? undefined : parsePosition(from);
    this.core.subscribe(socket, { path, from: position, sender }, right, holder);
    return socket;
  }

  say(socket: FakeSocket, ...frames: object[]): void {
    this.core.clientMessage(socket, frames.map((frame) => JSON.stringify(frame)).join(SEPARATOR));
  }

  /** A shard dials. */
  link(shard: number, revocations = 0): FakeSocket {
    const socket = new FakeSocket();
    this.core.linkOpened(socket);
    const hello = { version: 1, shard, generation: 1, dial: ++this.#dials };
    this.links.set(shard, socket);
    const more = revocations > 0 ? { revocations } : {};
    this.core.linkMessage(socket, encodeLinkHello({ ...hello, ...more }));
    return socket;
  }

  cutLink(shard: number, code = 1006): void {
    const socket = this.links.get(shard);
    this.links.delete(shard);
    if (socket !== undefined) this.core.linkClosed(socket, code);
  }

  /** What a shard was told since this was last asked. */
  told(shard: number): unknown[] {
    return this.links.get(shard)?.take() ?? [];
  }

  /** A shard says something. */
  down(shard: number, ...frames: string[]): void {
    const socket = this.links.get(shard);
    if (socket === undefined) throw new Error(`no link to shard ${shard}`);
    this.core.linkMessage(socket, frames.join(SEPARATOR));
  }

  /** Answers all that is asked on a link, in one message. Returns which paths, and what else was said. */
  answer(shard: number): { readonly asked: readonly string[]; readonly others: readonly unknown[] } {
    const asked: string[] = [];
    const others: unknown[] = [];
    for (let said = this.told(shard); said.length > 0; said = this.told(shard)) {
      const attaches = said.filter(isAttach);
      others.push(...said.filter((one) => !isAttach(one)));
      asked.push(...attaches.map(({ attach }) => attach));
      const frames = attaches.flatMap((attach) => this.#answers(attach));
      if (frames.length > 0) this.down(shard, ...frames);
    }
    return { asked, others };
  }

  /** A record of a path; its frame. */
  append(path: string, value: unknown = 1): string {
    const offset = (this.written.get(path) ?? 0) + 1;
    this.written.set(path, offset);
    return frameOf(path, offset, value);
  }

  /** A record that comes down live. */
  live(path: string, value: unknown = 1): string {
    const frame = this.append(path, value);
    this.down(this.shardOf(path), frame);
    return frame;
  }

  /** A client that follows these, and has its verdicts. */
  following(...paths: string[]): FakeSocket {
    const socket = this.connect();
    this.say(socket, { subs: paths.map((sub, i) => ({ id: i + 1, sub })) });
    for (const shard of new Set(paths.map((path) => this.shardOf(path)))) {
      if (!this.links.has(shard)) this.link(shard);
      this.answer(shard);
    }
    socket.take();
    return socket;
  }

  /** The shard's clock says that it is time, again and again as it is asked to; then nothing is pending. */
  rest(): void {
    const first = Math.min(...this.links.keys());
    for (let i = 0; i < 5; i++) {
      const asked = this.told(first).some((one) => typeof one === "object" && one !== null && "wake" in one);
      this.clock.now += 6_000;
      if (asked || i === 0) this.down(first, '{"wake":true}');
    }
  }

  /** The memory is lost, and the sockets are not; neither are those of `closing`, whose clients haven't heard of their close. */
  hibernate(...closing: readonly FakeSocket[]): void {
    this.core = this.#create(closing);
  }

  pass(ms: number): void {
    const until = this.clock.now + ms;
    while (this.clock.next(until - this.clock.now));
    this.clock.now = until;
  }

  async verified(verified: Verified<Granted>): Promise<void> {
    this.looking.shift()?.(verified);
    await settled();
  }

  #answers({ attach: path, id, from }: Asked): string[] {
    const last = this.written.get(path) ?? 0;
    const begin = from === undefined ? Math.max(0, last - 1) : (parsePosition(from)?.get("e") ?? 0);
    const [position, to] = [new Map([["e", begin]]), new Map([["e", Math.max(begin, last)]])];
    const frames: string[] = [];
    for (let offset = begin + 1; offset <= last; offset++) frames.push(frameOf(path, offset, 1));
    const recovered = from === undefined ? {} : { recovered: true };
    const verdict = { position, head: to, ...recovered };
    const horizon = new Map([["e", 0]]);
    return [encodeAttached({ endpoint: path, id, verdict, to, horizon, count: frames.length }), ...frames];
  }

  #create(closing: readonly FakeSocket[] = []): RelayCore {
    const open = this.sockets.filter((socket) => socket.closed === undefined || closing.includes(socket));
    return new RelayCore(
      {
        now: () => this.clock.now,
        wall: () => this.clock.now,
        random: () => this.random(),
        after: (ms, run) => this.clock.after(ms, run),
        attach: async (shard) => void this.sought.push(shard),
        log: (problem) => this.problems.push(problem),
        verify: () => new Promise((resolve) => this.looking.push(resolve)),
        pingedAt: (socket) => this.pings.get(socket),
        configOf: (path) =>
          this.exposes(path)
            ? { path, window: { updates: 3, ageMs: 60_000, bytes: 1_000_000 }, replays: false }
            : undefined,
        shardOf: (path) => this.shardOf(path),
        judge: (path, right) => this.judge(path, right),
        oldest: (path) => new Promise((resolve, reject) => this.seeking.push({ path, resolve, reject })),
        judgePublish: (path, right) => this.judgePublish(path, right),
        mayPublishSomewhere: () => this.mayPublish,
        newKey: () => "made",
        sent: (messages) => {
          this.sent += messages;
        },
        answered: () => undefined,
        rows: this.rows,
      },
      { ...this.#config, bySender: new SenderSpending(this.#config.bySender, () => this.clock.now) },
      { links: [...this.links.values()], connections: open },
    );
  }
}

/** As a client hears it. */
export function verdict(id: number): unknown {
  return expect.objectContaining({ id, ok: expect.objectContaining({ head: expect.any(String) }) });
}

export function error(id: number, code: string): unknown {
  return expect.objectContaining({ id, error: expect.objectContaining({ code }) });
}

function isAttach(frame: unknown): frame is Asked {
  return typeof frame === "object" && frame !== null && "attach" in frame;
}

export function frameOf(path: string, offset: number, value: unknown): string {
  const json = { kind: "json", text: JSON.stringify(value) } as const;
  const chain = { endpoint: path, epoch: "e", offset, previous: offset - 1, timestamp: undefined };
  return String(encodeUpdate({ ...chain, headers: [], value: json }));
}
