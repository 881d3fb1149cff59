/**
 * An edge with one connection of many endpoints, by M2–M8, at its most awkward: it answers in any order, late or never, goes
 * on with what was until it has answered, refuses, ends, loses updates and breaks. The other end of a transport.
 */
import type { Socket, SocketEvents, Transport } from "../../shared/client/transport.ts";
import { encodeUpdate } from "../../shared/protocol/frame.ts";
import { type Message, SEPARATOR } from "../../shared/protocol/message.ts";
import type { Chained } from "../../shared/protocol/position.ts";
import { parsePosition } from "../../shared/protocol/position.ts";
import { PING, PONG } from "../../shared/protocol/subscriber.ts";

const EPOCH = "a";
const text = (offset: number | undefined) => (offset === undefined ? "-" : `${EPOCH}:${offset}`);

/** What there is of one endpoint. */
export class ModelLog {
  readonly endpoint: string;
  readonly updates: Chained[] = [];
  /** Nothing up to here can be asked for any more. */
  forgotten = -1;

  constructor(endpoint: string) {
    this.endpoint = endpoint;
  }

  get head(): number | undefined {
    return this.updates.at(-1)?.offset;
  }

  append(sparse: number): Chained {
    const previous = this.head;
    const update = { epoch: EPOCH, offset: (previous ?? -1) + 1 + sparse, previous };
    this.updates.push(update);
    return update;
  }

  frame({ epoch, offset, previous }: Chained): string {
    const value = { kind: "json", text: String(offset) } as const;
    const { endpoint } = this;
    return encodeUpdate({
      endpoint,
      epoch,
      offset,
      previous,
      timestamp: undefined,
      headers: [],
      value,
    }) as string;
  }
}

interface Pending {
  readonly id: number;
  readonly from: string | undefined;
  told: boolean;
}

interface Said {
  readonly id: number;
  readonly sub?: string;
  readonly unsub?: string;
  readonly from?: string;
}

class ModelSocket implements Socket {
  readonly events: SocketEvents;
  readonly up: string[] = [];
  readonly down: string[] = [];
  readonly pending = new Map<string, Pending>();
  readonly live = new Set<string>();
  readonly #heard: (message: string) => void;
  lastId = 0;
  isOpen = false;
  isClosed = false;

  constructor(events: SocketEvents, heard: (message: string) => void) {
    this.events = events;
    this.#heard = heard;
  }

  send(message: Message): void {
    if (this.isClosed) return;
    this.up.push(String(message));
    this.#heard(String(message));
  }

  close(): void {
    this.isClosed = true;
  }
}

export class ModelEdge implements Transport {
  readonly logs: ReadonlyMap<string, ModelLog>;
  readonly #heard: (said: readonly Said[], bytes: number) => void;
  #socket: ModelSocket | undefined;
  dials = 0;

  /** @param heard is told of what the client says when it says it. */
  constructor(endpoints: readonly string[], heard: (said: readonly Said[], bytes: number) => void) {
    this.logs = new Map(endpoints.map((endpoint) => [endpoint, new ModelLog(endpoint)]));
    this.#heard = heard;
  }

  dial(_: string, events: SocketEvents): Socket {
    this.dials++;
    this.#socket = new ModelSocket(events, (message) => {
      if (message !== PING) this.#heard(statementsOf(message), Buffer.byteLength(message));
    });
    return this.#socket;
  }

  async explain(): Promise<undefined> {
    return undefined;
  }

  /** Endpoints that it follows on the present connection, or is asked to. */
  get followed(): string[] {
    const socket = this.#socket;
    return [...new Set([...(socket?.live ?? []), ...(socket?.pending.keys() ?? [])])].sort();
  }

  get isQuiet(): boolean {
    const socket = this.#present();
    return socket !== undefined && socket.up.length + socket.down.length + socket.pending.size === 0;
  }

  open(): void {
    const socket = this.#socket;
    if (socket === undefined || socket.isOpen || socket.isClosed) return;
    socket.isOpen = true;
    socket.events.opened();
  }

  cut(code = 1006): void {
    const socket = this.#socket;
    if (socket === undefined || socket.isClosed) return;
    socket.isClosed = true;
    socket.events.closed(code, "");
  }

  /** The edge reads the next message. */
  hear(): void {
    const socket = this.#present();
    const message = socket?.up.shift();
    if (socket === undefined || message === undefined) return;
    if (message === PING) socket.down.push(PONG);
    else for (const said of statementsOf(message)) this.#do(socket, said);
  }

  /** The client gets so many frames in one message. */
  deliver(frames: number): void {
    const socket = this.#present();
    const message = socket?.down.splice(0, frames).join(SEPARATOR);
    if (socket !== undefined && message) socket.events.message(message);
  }

  append(endpoint: string, sparse: number): void {
    const log = this.logs.get(endpoint);
    const update = log?.append(sparse);
    const socket = this.#present();
    if (log !== undefined && update !== undefined && socket?.live.has(endpoint))
      socket.down.push(log.frame(update));
  }

  /** What there was of it so far can't be asked for any more. */
  forget(endpoint: string): void {
    const log = this.logs.get(endpoint);
    if (log !== undefined) log.forgotten = log.head ?? -1;
  }

  /** One of those that are asked for is answered. */
  answer(which: number, how: "verdict" | "wait" | "rate_limited" | "unavailable" | "forbidden"): void {
    const socket = this.#present();
    const endpoints = [...(socket?.pending.keys() ?? [])];
    const endpoint = endpoints[which % endpoints.length];
    const asked = endpoint === undefined ? undefined : socket?.pending.get(endpoint);
    if (socket === undefined || endpoint === undefined || asked === undefined) return;
    const { id } = asked;
    if (how === "wait") {
      if (!asked.told) socket.down.push(JSON.stringify({ id, wait: errorOf("unavailable") }));
      asked.told = true;
      return;
    }
    socket.pending.delete(endpoint);
    if (how !== "verdict") socket.down.push(JSON.stringify({ id, error: errorOf(how) }));
    else this.#begin(socket, endpoint, asked);
  }

  /** It ends a subscription by itself. */
  end(which: number, code: "unavailable" | "forbidden"): void {
    const socket = this.#present();
    const endpoints = [...(socket?.live ?? [])];
    const end = endpoints[which % endpoints.length];
    if (socket === undefined || end === undefined) return;
    socket.live.delete(end);
    socket.down.push(JSON.stringify({ end, error: errorOf(code) }));
  }

  /** An update gets lost on the way. */
  lose(which: number): void {
    const down = this.#present()?.down ?? [];
    const updates = down.flatMap((frame, i) => (frame.startsWith('{"e":') ? [i] : []));
    const at = updates[which % updates.length];
    if (at !== undefined) down.splice(at, 1);
  }

  #present(): ModelSocket | undefined {
    const socket = this.#socket;
    return socket?.isOpen && !socket.isClosed ? socket : undefined;
  }

  #do(socket: ModelSocket, { id, sub, unsub, from }: Said): void {
    if (id <= socket.lastId) throw new Error(`id ${id} after ${socket.lastId}`);
    socket.lastId = id;
    const endpoint = sub ?? unsub ?? "";
    const before = socket.pending.get(endpoint);
    if (before !== undefined)
      socket.down.push(JSON.stringify({ id: before.id, error: { ...errorOf("superseded"), retry: false } }));
    socket.pending.delete(endpoint);
    if (sub !== undefined) {
      socket.pending.set(sub, { id, from, told: false });
      return;
    }
    socket.live.delete(endpoint);
    socket.down.push(JSON.stringify({ id, ok: { unsub } }));
  }

  #begin(socket: ModelSocket, endpoint: string, { id, from }: Pending): void {
    const log = this.logs.get(endpoint);
    if (log === undefined) throw new Error(`no endpoint ${endpoint}`);
    const at = from === undefined ? undefined : (parsePosition(from)?.get(EPOCH) ?? -1);
    const head = text(log.head);
    const latest = log.updates.at(-1);
    const isProved = at !== undefined && at >= log.forgotten;
    const position = isProved ? from : text(latest?.previous);
    const recovered = at === undefined ? undefined : isProved;
    const cause = recovered === false ? "horizon" : undefined;
    socket.live.add(endpoint);
    socket.down.push(JSON.stringify({ id, ok: { position, head, recovered, cause } }));
    for (const update of log.updates)
      if (isProved ? update.offset > at : update === latest) socket.down.push(log.frame(update));
  }
}

const errorOf = (code: string) => ({ code, message: "", retry: code !== "forbidden" });

export function statementsOf(message: string): readonly Said[] {
  const said = JSON.parse(message) as Said & { readonly subs?: readonly Said[] };
  return said.subs ?? [said];
}
