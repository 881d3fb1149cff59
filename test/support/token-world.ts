/**
 * An object with its link and with sockets that are there by tokens, all of whose events a test makes by hand. It can lose its
 * memory and go on, as in a hibernation; its clock is the machine's, which can be set.
 */
import type { ConnectionLimits } from "../../edge/endpoint/connection-limits.ts";
import { type EndpointConfig, EndpointCore } from "../../edge/endpoint/endpoint-core.ts";
import type { Holder } from "../../edge/endpoint/holder.ts";
import type { Verified } from "../../edge/endpoint/renewals.ts";
import { SteadyClock } from "../../edge/surroundings.ts";
import { encodeLinkHello } from "../../shared/protocol/link.ts";
import { answer, PATH, position, update } from "./endpoint-frames.ts";
import { FakeSocket } from "./fake-socket.ts";
import { PUBLISHING, UNLIMITED } from "./holders.ts";
import { settled } from "./simulated-edge.ts";
import { Clock } from "./simulated-wires.ts";

export class TokenWorld {
  readonly clock = new Clock();
  /** How far the machine's clock is off. */
  offMs = 0;
  readonly problems: string[] = [];
  /** How often the machine's clock was read. */
  reads = 0;
  readonly #steady = new SteadyClock(() => this.wall);
  readonly #limits: ConnectionLimits;
  readonly publishing: EndpointConfig["publishing"];
  /** A number that is drawn. */
  random: () => number = () => 0.5;
  /** Tokens that are being looked at, each with what ends that. */
  readonly looking: { readonly token: string; readonly end: (verified: Verified | Error) => void }[] = [];
  /** What was said on links besides questions, as far as it was looked at. */
  readonly saidUp: unknown[] = [];
  core: EndpointCore;
  up: FakeSocket | undefined;
  readonly sockets = new Set<FakeSocket>();
  /** When they last sent a ping, which the runtime keeps over a hibernation. */
  readonly pings = new Map<unknown, number>();
  /** Offsets 1 to this are written. */
  written = 0;
  #dials = 0;

  constructor(limits: ConnectionLimits = UNLIMITED, publishing: EndpointConfig["publishing"] = PUBLISHING) {
    this.#limits = limits;
    this.publishing = publishing;
    this.core = this.#create();
  }

  get wall(): number {
    return this.clock.now + this.offMs;
  }

  /** A link, whose first questions are answered. */
  link(revocations?: number): FakeSocket {
    const up = new FakeSocket();
    this.up = up;
    this.core.linkOpened(up);
    const more = revocations === undefined ? {} : { revocations };
    const hello = { version: 1, shard: 0, generation: 1, dial: ++this.#dials, ...more };
    this.core.linkMessage(up, encodeLinkHello(hello));
    return up;
  }

  cutLink(): void {
    const { up } = this;
    this.up = undefined;
    if (up !== undefined) this.core.linkClosed(up, 1006);
  }

  /** Answers what is asked on the link. Returns what else was said there since. */
  answerAsks(): unknown[] {
    const others: unknown[] = [];
    for (let frames = this.up?.take() ?? []; frames.length > 0; frames = this.up?.take() ?? [])
      for (const frame of frames as { attach?: string; id: number; from?: string }[])
        if (frame.attach === undefined) others.push(frame);
        else this.#answer(frame.id, frame.from);
    this.saidUp.push(...others);
    return others;
  }

  subscribe(holder?: Holder, from?: string, publishes = false): FakeSocket {
    const socket = new FakeSocket();
    this.sockets.add(socket);
    this.core.subscribe(socket, from === undefined ? undefined : position(from), holder, publishes);
    return socket;
  }

  /** A live subscriber. */
  live(holder?: Holder, publishes = false): FakeSocket {
    const socket = this.subscribe(holder, undefined, publishes);
    this.answerAsks();
    socket.take();
    return socket;
  }

  /** An update comes down. */
  append(): number {
    const offset = ++this.written;
    if (this.up !== undefined) this.core.linkMessage(this.up, update(offset, offset - 1));
    this.answerAsks();
    return offset;
  }

  wake(): void {
    this.say(JSON.stringify({ wake: true }));
  }

  /** The shard says something on the link. */
  say(frame: string): void {
    if (this.up !== undefined) this.core.linkMessage(this.up, frame);
  }

  renew(socket: FakeSocket, id: number, token = "a.b.c"): void {
    this.core.clientMessage(socket, JSON.stringify({ id, token }));
  }

  /** The first of the tokens that are being looked at was. */
  async verified(verified: Verified | Error): Promise<void> {
    this.looking.shift()?.end(verified);
    await settled();
  }

  /** The object's memory is lost. */
  hibernate(): void {
    this.core = this.#create();
  }

  pass(ms: number): void {
    const until = this.clock.now + ms;
    while (this.clock.next(until - this.clock.now));
    this.clock.now = until;
  }

  #answer(id: number, from: string | undefined): void {
    if (this.up === undefined) return;
    const end = `e:${this.written}`;
    const begin = from === undefined ? Math.max(0, this.written - 1) : (position(from).get("e") ?? 0);
    const frames: string[] = [];
    for (let offset = begin + 1; offset <= this.written; offset++) frames.push(update(offset, offset - 1));
    const recovered = from === undefined ? {} : { recovered: true };
    this.core.linkMessage(this.up, answer(`e:${begin}`, end, frames, { id, ...recovered }));
  }

  #create(): EndpointCore {
    const ports = {
      now: () => this.#steady.now(),
      wall: () => {
        this.reads++;
        return this.wall;
      },
      pingedAt: (socket: unknown) => this.pings.get(socket),
      random: () => this.random(),
      newKey: () => "made",
      after: (ms: number, run: () => void) => this.clock.after(ms, run),
      log: (problem: string) => this.problems.push(problem),
      attach: async () => undefined,
      sent: () => undefined,
      answered: () => undefined,
      verify: (token: string) =>
        new Promise<Verified>((resolve, reject) => {
          const end = (verified: Verified | Error) =>
            verified instanceof Error ? reject(verified) : resolve(verified);
          this.looking.push({ token, end });
        }),
    };
    const window = { updates: 3, ageMs: 60_000, bytes: 1_000_000 };
    const { publishing } = this;
    const config = { path: PATH, shard: 0, window, replays: false, limits: this.#limits, publishing };
    const open = [...this.sockets].filter(({ closed }) => closed === undefined);
    const links = this.up === undefined ? [] : [this.up];
    return new EndpointCore(ports, config, { links, subscribers: open });
  }
}
