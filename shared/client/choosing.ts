/**
 * Which way a connection takes: a WebSocket if one gets through, else requests (fallback/), which are loaded only then. What did is
 * remembered for a while, by the session of a page beyond its reload, so that a proxy that lets no WebSocket pass costs its time once.
 */
import { type Clock, systemClock, Timer } from "./clock.ts";
import type { Socket, SocketEvents, Transport, Way } from "./transport.ts";

/** A WebSocket that takes longer to open may be one that never will: requests are tried beside it. */
const PATIENCE_MS = 3_000;
/** The first ping on one that opened isn't answered for so long: something takes it, and passes nothing on. */
const MUTE_MS = 5_000;
/** For so long no WebSocket is tried. */
const REMEMBERED_MS = 10 * 60_000;
/** Connections in a row that opened and on which nothing ever came. */
const MUTE_LIMIT = 2;

export const loadFallback = () => import("./fallback/index.ts");

type Detour = Exclude<Way, "websocket">;

/** The same transport, with requests where it doesn't get through. For connections only, not for an endpoint's own socket. */
export function withFallback(first: Transport, clock: Clock = systemClock): Transport {
  let mute = 0;
  return {
    dial(url, events, token) {
      const key = keyOf(url);
      return new Choice(first, { url, token, clock, events }, recall(key, clock), {
        chose: (way) => remember(key, way, clock),
        failed: () => forget(key),
        works: () => {
          mute = 0;
        },
        isMute: () => {
          if (++mute >= MUTE_LIMIT) remember(key, "events", clock);
        },
      });
    },
    explain: (url, token) => first.explain(url, token),
  };
}

interface Dial {
  readonly url: string;
  readonly token: string;
  readonly clock: Clock;
  readonly events: SocketEvents;
}

interface Lessons {
  chose(way: Detour): void;
  /** Nobody answers requests. */
  failed(): void;
  /** Something came on a WebSocket. */
  works(): void;
  /** One opened, and ended without anything. */
  isMute(): void;
}

/**
 * One dial, which finds out what gets through:
 *
 *   dialling ──opens──▶ open ──anything comes──▶ heard
 *      │                 ▲
 *      │ ends, or is late│ opens
 *      ▼                 │
 *   asking ─an edge──▶ again ──ends, or is late──▶ detour
 *
 * An edge that has just come back may answer a request where a WebSocket failed a moment before: so that is tried once more, unless it
 * was late the first time, or requests were what did before.
 */
class Choice implements Socket {
  readonly #first: Transport;
  readonly #dial: Dial;
  readonly #lessons: Lessons;
  readonly #timer: Timer;
  #state: "dialling" | "asking" | "again" | "open" | "heard" | "detour" | "over" = "dialling";
  #isCertain: boolean;
  #socket: Socket | undefined;
  /** By requests, while that isn't what was chosen. */
  #other: { readonly socket: Socket; readonly way: Way | undefined } | undefined;

  constructor(first: Transport, dial: Dial, detour: Detour | undefined, lessons: Lessons) {
    this.#first = first;
    this.#dial = dial;
    this.#lessons = lessons;
    this.#timer = new Timer(dial.clock, () => this.#late());
    this.#isCertain = detour !== undefined;
    if (detour === undefined) this.#try();
    else this.#ask(detour);
  }

  send(message: Parameters<Socket["send"]>[0]): void {
    this.#socket?.send(message);
  }

  close(): void {
    this.#timer.cancel();
    this.#state = "over";
    this.#socket?.close();
    this.#other?.socket.close();
  }

  #try(): void {
    this.#timer.set(PATIENCE_MS);
    const socket: Socket = this.#first.dial(
      this.#dial.url,
      {
        opened: (way) => {
          if (this.#socket === socket) this.#opened(way);
        },
        message: (message) => {
          if (this.#socket === socket) this.#heard(message);
        },
        closed: (code, reason) => {
          if (this.#socket === socket) this.#closed(code, reason);
        },
      },
      this.#dial.token,
    );
    this.#socket = socket;
  }

  #opened(way: Way | undefined): void {
    this.#other?.socket.close();
    this.#other = undefined;
    this.#state = "open";
    this.#timer.set(MUTE_MS);
    this.#dial.events.opened(way);
  }

  #heard(message: Parameters<SocketEvents["message"]>[0]): void {
    if (this.#state === "open") {
      this.#state = "heard";
      this.#timer.cancel();
      this.#lessons.works();
    }
    this.#dial.events.message(message);
  }

  #closed(code: number, reason: string): void {
    // With a code of its own the edge has spoken.
    if (code >= 4_000 || this.#state === "heard") this.#end(code, reason);
    else if (this.#state === "open") this.#mute(code, reason);
    else this.#fail();
  }

  #late(): void {
    this.#socket?.close();
    if (this.#state === "open") this.#mute(1006, "nothing came on it");
    else {
      this.#isCertain = true;
      this.#fail();
    }
  }

  #mute(code: number, reason: string): void {
    this.#lessons.isMute();
    this.#end(code, reason);
  }

  /** No WebSocket could be opened. */
  #fail(): void {
    this.#timer.cancel();
    this.#socket = undefined;
    if (this.#state === "again") this.#take();
    else this.#ask("events");
  }

  #ask(mode: Detour): void {
    this.#state = "asking";
    loadFallback().then(
      ({ dialHttp }) => {
        if (this.#state !== "asking") return;
        const { url, token, clock, events } = this.#dial;
        const polls = () => this.#lessons.chose("poll");
        const socket = dialHttp(
          { url, token, mode, clock, polls },
          {
            opened: (way) => this.#answered(socket, way),
            message: (message) => events.message(message),
            closed: (code, reason) => {
              if (this.#state === "asking") this.#lessons.failed();
              this.#end(code, reason);
            },
          },
        );
        this.#other = { socket, way: undefined };
      },
      () => {
        if (this.#state === "asking") this.#end(1006, "");
      },
    );
  }

  /** There is an edge. */
  #answered(socket: Socket, way: Way | undefined): void {
    this.#other = { socket, way };
    if (this.#isCertain) this.#take();
    else {
      this.#state = "again";
      this.#try();
    }
  }

  #take(): void {
    const { socket, way } = this.#other ?? {};
    this.#state = "detour";
    this.#socket = socket;
    this.#other = undefined;
    this.#lessons.chose(way === "poll" ? way : "events");
    this.#dial.events.opened(way);
  }

  #end(code: number, reason: string): void {
    if (this.#state === "over") return;
    this.close();
    this.#dial.events.closed(code, reason);
  }
}

interface Kept {
  readonly way: Detour;
  readonly until: number;
}

/** Of this page. */
const kept = new Map<string, Kept>();

function keyOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `distributary ${host}${pathname}`;
}

function remember(key: string, way: Detour, clock: Clock): void {
  const until = clock.date() + REMEMBERED_MS;
  kept.set(key, { way, until });
  try {
    session()?.setItem(key, `${way} ${until}`);
  } catch {
    // It is full, or not allowed.
  }
}

function forget(key: string): void {
  kept.delete(key);
  try {
    session()?.removeItem(key);
  } catch {
    // It isn't allowed.
  }
}

function recall(key: string, clock: Clock): Detour | undefined {
  const found = kept.get(key) ?? read(key);
  if (found === undefined || found.until <= clock.date()) return undefined;
  kept.set(key, found);
  return found.way;
}

function read(key: string): Kept | undefined {
  try {
    const [, way, until] = /^(events|poll) (\d+)$/.exec(session()?.getItem(key) ?? "") ?? [];
    return way === undefined ? undefined : { way: way as Detour, until: Number(until) };
  } catch {
    return undefined;
  }
}

const session = () => (globalThis as { readonly sessionStorage?: Storage }).sessionStorage;
