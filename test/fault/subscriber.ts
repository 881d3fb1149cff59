/**
 * A subscriber by PROTOCOL.md alone, which shares no code with the product: it resumes by position after every
 * close (S10), asks again where what comes doesn't continue its position (P5), and writes down all that it was told.
 */
import WebSocket from "ws";
import { formatPosition, type Happening, type PositionText, parsePosition, type Written } from "./history.ts";
import type { Random } from "./random.ts";
import { idOfUpdate } from "./record.ts";

/** Shorter than people would have it, so that a run sees many. */
const BACKOFF = { baseMs: 100, maxMs: 2_000 };
const LOOK_MS = 500;
/** Asks whether the other end is there when nothing was heard for so long, and gives it up after that. */
const QUIET_MS = 1_500;
const DEAD_MS = 4_000;
const CONNECT_MS = 3_000;
const VERDICT_MS = 10_000;

export interface Subscriber {
  readonly name: string;
  /** Path of its endpoint. */
  readonly endpoint: string;
  /** Where it stood before its first verdict; undefined for one without a past. */
  readonly from?: PositionText | undefined;
  readonly happenings: readonly Happening[];
  /** epoch → offset; undefined until the first verdict. */
  readonly position: ReadonlyMap<string, number> | undefined;
  /** Close code → how often. */
  readonly closes: ReadonlyMap<number, number>;
  /** For good; resolves when no socket is left. */
  close(): Promise<void>;
}

/** Hears of each thing as it is written down. */
export type Heard = (happening: Happening) => void;

export interface SubscriberSettings {
  readonly name: string;
  /** `ws://host:port` */
  readonly edge: string;
  readonly endpoint: string;
  readonly random: Random;
  readonly heard: Heard;
  /** How many records were produced so far. */
  readonly written: () => Written;
  readonly from?: PositionText | undefined;
}

export class RawResuming implements Subscriber {
  readonly name: string;
  readonly endpoint: string;
  readonly happenings: Happening[] = [];
  readonly closes = new Map<number, number>();
  readonly #settings: SubscriberSettings;
  #at: Map<string, number> | undefined;
  #socket: WebSocket | undefined;
  /** Of the subscribe whose verdict is due; undefined when it has come. */
  #asked: { readonly id: number; readonly from: string | undefined } | undefined;
  #nextId = 1;
  #attempt = 0;
  #heardAt = 0;
  #openedAt = 0;
  #told = false;
  #retry: NodeJS.Timeout | undefined;
  readonly #look: NodeJS.Timeout;
  #closed = false;
  #isAway = false;

  constructor(settings: SubscriberSettings) {
    this.#settings = settings;
    this.name = settings.name;
    this.endpoint = settings.endpoint;
    if (settings.from !== undefined) this.#at = parsePosition(settings.from);
    this.#look = setInterval(() => this.#watch(), LOOK_MS);
    this.#dial();
  }

  get from(): PositionText | undefined {
    return this.#settings.from;
  }

  get position(): ReadonlyMap<string, number> | undefined {
    return this.#at;
  }

  /** Reads nothing, so that what is sent piles up; or reads again. */
  pause(paused: boolean): void {
    if (paused) this.#socket?.pause();
    else if (this.#socket?.isPaused) this.#socket.resume();
  }

  /** Has no connection from now on; or comes back, and resumes from where it was. */
  stayAway(away: boolean): void {
    if (this.#isAway === away || this.#closed) return;
    this.#isAway = away;
    clearTimeout(this.#retry);
    if (away) this.#socket?.terminate();
    else if (this.#socket === undefined) this.#dial();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#look);
    clearTimeout(this.#retry);
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.close();
    const force = setTimeout(() => socket.terminate(), 1_000);
    await closed;
    clearTimeout(force);
  }

  #dial(): void {
    const from = this.#at && formatPosition(this.#at);
    const query = from === undefined ? "" : `?from=${encodeURIComponent(from)}`;
    const socket = new WebSocket(`${this.#settings.edge}${this.endpoint}${query}`, ["distributary.v1"], {
      perMessageDeflate: false,
      handshakeTimeout: CONNECT_MS,
    });
    this.#socket = socket;
    this.#asked = { id: 0, from };
    this.#nextId = 1;
    this.#told = false;
    socket.on("open", () => {
      this.#openedAt = performance.now();
      this.#heardAt = this.#openedAt;
      socket.send('{"ping":1}');
    });
    socket.on("message", (data: Buffer) => {
      if (socket !== this.#socket) return;
      this.#heardAt = performance.now();
      for (const frame of data.toString("utf8").split("\u001e")) this.#take(JSON.parse(frame));
    });
    socket.on("error", () => {});
    socket.on("close", (code) => {
      if (socket === this.#socket) this.#lost(code);
    });
  }

  #lost(code: number): void {
    this.closes.set(code, (this.closes.get(code) ?? 0) + 1);
    this.#socket = undefined;
    if (this.#closed || this.#isAway) return;
    const bound = Math.min(BACKOFF.maxMs, BACKOFF.baseMs * 2 ** this.#attempt++);
    this.#retry = setTimeout(() => this.#dial(), this.#settings.random() * bound);
  }

  #watch(): void {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN || socket.isPaused) return;
    const now = performance.now();
    const unanswered = this.#asked !== undefined && !this.#told && now - this.#openedAt > VERDICT_MS;
    if (now - this.#heardAt > DEAD_MS || unanswered) socket.terminate();
    else if (now - this.#heardAt > QUIET_MS) socket.send('{"ping":1}');
  }

  #take(frame: Record<string, unknown>): void {
    if (typeof frame.e === "string") this.#update(frame);
    else if (frame.ok !== undefined) this.#verdict(frame.id as number, frame.ok as Verdict);
    else if (typeof frame.reset === "string") this.#reset(frame as unknown as Verdict);
    else if (frame.wait !== undefined) this.#told = true;
    else if (frame.error !== undefined) throw new Error(`the edge says ${JSON.stringify(frame.error)}`);
  }

  #verdict(id: number, { position, recovered, cause }: Verdict): void {
    if (id !== this.#asked?.id) return;
    const { from } = this.#asked;
    this.#asked = undefined;
    this.#attempt = 0;
    this.#at = parsePosition(position);
    this.#note({ kind: "verdict", from, position, recovered, cause, written: this.#settings.written() });
  }

  #reset({ position, cause }: Verdict): void {
    // Before a verdict it is about what was before: the verdict will say.
    if (this.#asked !== undefined) return;
    this.#at = parsePosition(position);
    this.#note({ kind: "reset", position, cause: cause ?? "none", written: this.#settings.written() });
  }

  #update({ p, q, v, h = [] }: Record<string, unknown>): void {
    const [, epoch = "", offset = ""] = /^(.*):(\d+)$/.exec(String(p)) ?? [];
    const previous = q as number | undefined;
    const id = idOfUpdate(v, h as readonly (readonly unknown[])[]);
    const at = this.#at?.get(epoch) ?? -1;
    // While it asks again, what comes belongs to what was before.
    if (this.#asked !== undefined && this.#asked.id > 0) return;
    if ((previous ?? -1) > at && this.#at !== undefined) {
      this.#note({ kind: "hole", epoch, offset: Number(offset), previous });
      this.#askAgain();
      return;
    }
    this.#at?.set(epoch, Math.max(at, Number(offset)));
    this.#note({ kind: "update", epoch, offset: Number(offset), previous, id });
  }

  #askAgain(): void {
    const from = formatPosition(this.#at ?? new Map());
    const id = this.#nextId++;
    this.#asked = { id, from };
    this.#openedAt = performance.now();
    this.#told = false;
    this.#socket?.send(JSON.stringify({ id, sub: this.endpoint, from }));
  }

  #note(happening: Happening): void {
    this.happenings.push(happening);
    this.#settings.heard(happening);
  }
}

interface Verdict {
  readonly position: string;
  readonly recovered?: boolean;
  readonly cause?: string;
}
