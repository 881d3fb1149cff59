/** A shard and the origins on its uplinks, all of whose events a test makes by hand. */
import { endpointObject, type ObjectIdentity } from "../../edge/object-identity.ts";
import { ShardCore } from "../../edge/shard/shard-core.ts";
import { encodeAddressed } from "../../shared/protocol/addressed.ts";
import { encodeAttach, encodeAttached } from "../../shared/protocol/attach.ts";
import { encodeUpdate } from "../../shared/protocol/frame.ts";
import { NOTHING } from "../../shared/protocol/position.ts";
import type { Revocation } from "../../shared/protocol/revocation.ts";
import { parseSlice } from "../../shared/protocol/slice.ts";
import { encodeHello, encodeLeaving, encodeReady } from "../../shared/protocol/uplink.ts";
import { FakeSocket } from "./fake-socket.ts";
import { settled } from "./simulated-edge.ts";
import { Clock } from "./simulated-wires.ts";

export class SmallShard {
  readonly clock = new Clock();
  readonly problems: string[] = [];
  readonly rows = new Set<ObjectIdentity>();
  /** Its rows of revocations, by issuer and id. */
  readonly revocations = new Map<string, Revocation>();
  /** When a socket was last pinged, where it was. */
  readonly pings = new Map<unknown, number>();
  /** The objects' ends, in the order in which they were dialled. */
  readonly dialled: FakeSocket[] = [];
  /** Whose they are, in the same order. */
  readonly objects: ObjectIdentity[] = [];
  /** Whether objects refuse dials, or never answer them. */
  refusing = false;
  hanging = false;
  generation = 0;
  /** Frames of origins that were dropped. */
  disbelieved = 0;
  core: ShardCore;

  constructor() {
    this.core = this.#create([], 1);
  }

  /** The shard's memory is lost; these sockets are not. */
  forget(survivors: FakeSocket[], shards = 1): void {
    this.core = this.#create(survivors, shards);
  }

  /**
   * @param options.key The name that its key gives it, where its hello says another.
   * @param options.scope What its key may speak for; all where it is left out.
   * @param options.slice `k/n`; everything where it is left out, as the hello then leaves it out.
   */
  connect(
    origin: string,
    {
      ready = true,
      slice,
      key = origin,
      scope,
    }: { ready?: boolean; slice?: string; key?: string; scope?: string } = {},
  ): FakeSocket {
    const socket = new FakeSocket();
    this.core.uplinkOpened(socket, key, scope);
    this.core.uplinkMessage(socket, encodeHello({ version: 1, origin, slice: parseSlice(slice ?? "") }));
    if (ready) this.ready(socket);
    return socket;
  }

  ready(socket: FakeSocket, ready = true): void {
    this.#say(socket, encodeReady(ready));
  }

  leave(socket: FakeSocket): void {
    this.#say(socket, encodeLeaving());
  }

  /** Time passes, in which these are heard every second. */
  pass(ms: number, ...heard: FakeSocket[]): void {
    const until = this.clock.now + ms;
    while (this.clock.now < until) {
      this.clock.now = Math.min(until, this.clock.now + 1_000);
      for (const socket of heard) if (socket.closed === undefined) this.ready(socket);
    }
  }

  /** A link to an object that has attached and been answered by this origin, at e:5. */
  async watch(
    uplink: FakeSocket,
    path: string,
    link: number,
    object = endpointObject(path),
  ): Promise<FakeSocket> {
    this.core.attach(object);
    await settled();
    const socket = this.dialled.at(-1);
    if (socket === undefined) throw new Error("nothing was dialled");
    this.core.linkMessage(socket, encodeAttach({ endpoint: path, id: 1, from: undefined }));
    this.say(uplink, link, attachedFrame(path, 5));
    socket.take();
    uplink.take();
    return socket;
  }

  /** An origin says something to a link. */
  say(uplink: FakeSocket, link: number, frame: string): void {
    this.core.uplinkMessage(uplink, encodeAddressed({ kind: "links", links: [link] }, frame));
  }

  #say(socket: FakeSocket, frame: string): void {
    this.core.uplinkMessage(socket, encodeAddressed({ kind: "shard" }, frame));
  }

  #create(uplinks: FakeSocket[], shards: number): ShardCore {
    return new ShardCore(
      {
        now: () => this.clock.now,
        wall: () => this.clock.now,
        random: () => 0.5,
        after: (ms, run) => this.clock.after(ms, run),
        pingedAt: (socket) => this.pings.get(socket),
        dial: async (object) => {
          const socket = new FakeSocket();
          this.dialled.push(socket);
          this.objects.push(object);
          if (this.hanging) await new Promise(() => undefined);
          if (this.refusing) throw new Error("the object answered 503");
          return socket;
        },
        note: (object) => this.rows.add(object),
        forget: (object) => this.rows.delete(object),
        setGeneration: (generation) => {
          this.generation = generation;
        },
        keepRevocation: (revocation) =>
          this.revocations.set(nameOf(revocation.meant.issuer, revocation.id), revocation),
        dropRevocation: (issuer, id) => this.revocations.delete(nameOf(issuer, id)),
        log: (problem) => this.problems.push(problem),
        sent: () => undefined,
        disbelieved: () => this.disbelieved++,
      },
      { shard: 0, shards },
      {
        generation: this.generation,
        noted: [...this.rows],
        revocations: [...this.revocations.values()],
        uplinks,
      },
    );
  }
}

function nameOf(issuer: string, id: string): string {
  return `${issuer} ${id}`;
}

export function updateFrame(path: string, offset: number, previous?: number): string {
  const value = { kind: "json", text: String(offset) } as const;
  const head = { endpoint: path, epoch: "e", offset, previous, timestamp: undefined, headers: [] };
  return String(encodeUpdate({ ...head, value }));
}

/** The answer to the first ask: it is at this offset. */
export function attachedFrame(path: string, offset: number): string {
  const position = new Map([["e", offset]]);
  const verdict = { position, head: position };
  return encodeAttached({ endpoint: path, id: 1, verdict, to: position, horizon: NOTHING, count: 0 });
}
