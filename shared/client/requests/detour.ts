/**
 * A dial whose WebSocket got nowhere: it asks by a request whether there is an edge, and goes on by requests if there is.
 *
 *   asking ──an edge──▶ trying ──opens──▶ decided: a WebSocket
 *      │                   │
 *      │ an edge, and      │ ends, or is late
 *      │ it was late       ▼
 *      └─────────────▶ decided: requests
 *
 * An edge that has just come back may answer a request where a WebSocket failed a moment before. So that is tried once more.
 */
import { type Clock, Timer } from "../clock.ts";
import { type Dial, type Failure, type Memory, PATIENCE_MS, REMEMBERED_MS } from "../dial-terms.ts";
import type { Socket, Way } from "../transport.ts";
import { dialHttp } from "./http-socket.ts";

export function detour(dial: Dial, failure: Failure): Socket {
  return new Detour(dial, failure);
}

class Detour implements Socket {
  readonly #dial: Dial;
  readonly #timer: Timer;
  #state: "asking" | "trying" | "decided" | "over" = "asking";
  readonly #failure: Failure;
  #requests: Socket;
  #way: Way | undefined;
  #webSocket: Socket | undefined;

  constructor(dial: Dial, failure: Failure) {
    const { url, token, clock, events, memory } = dial;
    this.#dial = dial;
    this.#failure = failure;
    this.#timer = new Timer(clock, () => this.#late());
    const mode = failure === "remembered" && memory.way === "poll" ? "poll" : "events";
    this.#requests = dialHttp(
      { url, token, mode, clock, polls: () => remember(memory, "poll", clock) },
      {
        opened: (way) => this.#answered(way),
        message: (message) => events.message(message),
        closed: (code, reason) => {
          if (this.#state === "asking") forget(memory);
          this.#end(code, reason);
        },
      },
    );
  }

  send(message: Parameters<Socket["send"]>[0]): void {
    (this.#webSocket ?? this.#requests).send(message);
  }

  close(): void {
    this.#state = "over";
    this.#timer.cancel();
    this.#requests.close();
    this.#webSocket?.close();
  }

  /** There is an edge. */
  #answered(way: Way | undefined): void {
    this.#way = way;
    if (this.#failure === "closed") this.#try();
    else this.#takeRequests();
  }

  #try(): void {
    const { first, url, token, events } = this.#dial;
    this.#state = "trying";
    this.#timer.set(PATIENCE_MS);
    this.#webSocket = first.dial(
      url,
      {
        opened: (way) => {
          if (this.#state !== "trying") return;
          this.#timer.cancel();
          this.#state = "decided";
          this.#requests.close();
          events.opened(way);
        },
        message: (message) => events.message(message),
        closed: (code, reason) => {
          if (this.#webSocket === undefined) return;
          if (code < 4_000 && this.#state === "trying") this.#takeRequests();
          else this.#end(code, reason);
        },
      },
      token,
    );
  }

  #late(): void {
    this.#webSocket?.close();
    this.#takeRequests();
  }

  #takeRequests(): void {
    const { events, memory, clock } = this.#dial;
    this.#timer.cancel();
    this.#webSocket = undefined;
    this.#state = "decided";
    // What is remembered comes to its end, however often it is used.
    if (this.#failure === "remembered") keep(memory);
    else remember(memory, this.#way ?? "events", clock);
    events.opened(this.#way);
  }

  #end(code: number, reason: string): void {
    if (this.#state === "over") return;
    this.close();
    this.#dial.events.closed(code, reason);
  }
}

function remember(memory: Memory, way: Way, clock: Clock): void {
  memory.way = way;
  memory.until = clock.date() + REMEMBERED_MS;
  keep(memory);
}

function forget(memory: Memory): void {
  memory.until = 0;
  keep(memory);
}

function keep({ key, way, until }: Memory): void {
  try {
    sessionStorage.setItem(key, JSON.stringify({ way, until }));
  } catch {
    // There is none, or it is full, or isn't allowed.
  }
}
