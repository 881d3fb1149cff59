/**
 * Which way a connection takes: a WebSocket if one gets through, else requests (requests/), which are loaded only then. What did is
 * remembered for a while, by the session of a page beyond its reload, so that a proxy that lets no WebSocket pass costs its time once.
 */
import { type Clock, systemClock, Timer } from "./clock.ts";
import { type Dial, type Failure, type Memory, PATIENCE_MS, REMEMBERED_MS } from "./dial-terms.ts";
import type { Socket, SocketEvents, Transport } from "./transport.ts";

/** The first ping on one that opened isn't answered for so long: something takes it, and passes nothing on. */
const MUTE_MS = 5_000;
/** So many connections in a row on which nothing ever came are no chance. */
const MUTE_LIMIT = 2;

export const loadRequests = () => import("./requests/index.ts");

/** The same transport, with requests where it doesn't get through. For connections of one edge, not for an endpoint's own socket. */
export function withFallback(first: Transport, clock: Clock = systemClock): Transport {
  let memory: Memory | undefined;
  return {
    dial(url, events, token) {
      memory ??= recall(url);
      return new Choice({ first, url, token, clock, events, memory });
    },
    explain: (url, token) => first.explain(url, token),
  };
}

function recall(url: string): Memory {
  const { host, pathname } = new URL(url);
  const memory = { key: `distributary ${host}${pathname}`, mute: 0 };
  try {
    return { ...JSON.parse(sessionStorage.getItem(memory.key) ?? "{}"), ...memory };
  } catch {
    // There is none, or it isn't allowed.
    return memory;
  }
}

/** One dial. Where its WebSocket gets nowhere another socket takes its place (requests/detour.ts). */
class Choice implements Socket {
  readonly #dial: Dial;
  readonly #timer: Timer;
  #socket: Socket | undefined;
  #state: "dialling" | "open" | "heard" | "elsewhere" | "over" = "dialling";

  constructor(dial: Dial) {
    const { first, url, token, clock, memory } = dial;
    this.#dial = dial;
    this.#timer = new Timer(clock, () => this.#late());
    if ((memory.until ?? 0) > clock.date()) this.#leave("remembered");
    else {
      this.#timer.set(PATIENCE_MS);
      this.#socket = first.dial(url, this.#events(), token);
    }
  }

  send(message: Parameters<Socket["send"]>[0]): void {
    this.#socket?.send(message);
  }

  close(): void {
    this.#timer.cancel();
    this.#state = "over";
    this.#socket?.close();
  }

  #events(): SocketEvents {
    const { events } = this.#dial;
    return {
      opened: (way) => {
        if (this.#state !== "dialling") return;
        this.#state = "open";
        this.#timer.set(MUTE_MS);
        events.opened(way);
      },
      message: (message) => {
        if (this.#state === "open") {
          this.#state = "heard";
          this.#timer.cancel();
          this.#dial.memory.mute = 0;
        }
        if (this.#state === "heard") events.message(message);
      },
      closed: (code, reason) => {
        if (this.#state === "elsewhere") return;
        // With a code of its own the edge has spoken.
        if (code < 4_000 && this.#state === "dialling") this.#leave("closed");
        else this.#end(code, reason, code < 4_000 && this.#state === "open");
      },
    };
  }

  #late(): void {
    this.#socket?.close();
    if (this.#state === "dialling") this.#leave("late");
    else this.#end(1006, "nothing came on it", true);
  }

  #end(code: number, reason: string, isMute = false): void {
    if (this.#state === "over") return;
    this.close();
    const { events, memory, clock } = this.#dial;
    if (isMute && ++memory.mute >= MUTE_LIMIT) memory.until = clock.date() + REMEMBERED_MS;
    events.closed(code, reason);
  }

  #leave(failure: Failure): void {
    this.#timer.cancel();
    this.#state = "elsewhere";
    this.#socket = undefined;
    loadRequests().then(
      ({ detour }) => {
        if (this.#state === "elsewhere") this.#socket = detour(this.#dial, failure);
      },
      () => this.#end(1006, ""),
    );
  }
}
