/** Sockets that count what comes on them, and what a server's CPU takes for each update that does: bench:connect and bench:hot. */
import { SUBSCRIBER_PROTOCOL } from "../../shared/protocol/version.ts";
import { eventually } from "../support/deadline.ts";
import { unlessInterrupted } from "./load/rpc.ts";
import { LeanWebSocket } from "./load/websocket.ts";
import { cpuUs } from "./proc.ts";
import { say } from "./turns.ts";

/** Measured in each turn. */
const SECONDS = 5;
const TICK_MS = 100;
const SEPARATOR = 0x1e;
/** Dialled at a time. */
const AT_ONCE = 200;

/** A connection, and what is said on it first. */
export interface Dial {
  readonly url: URL;
  readonly says: readonly string[];
}

/** What came on some sockets. */
export class Receiving {
  frames = 0;
  messages = 0;
  readonly #sockets: LeanWebSocket[] = [];

  /** Resolves when all are open and so many frames have come, a verdict for each subscription at least. */
  async dialAll(dials: readonly Dial[], frames: number): Promise<void> {
    for (let at = 0; at < dials.length; at += AT_ONCE)
      await unlessInterrupted(Promise.all(dials.slice(at, at + AT_ONCE).map((dial) => this.#dial(dial))));
    await eventually(() => this.frames >= frames, "all verdicts", 120_000);
  }

  cut(): void {
    for (const socket of this.#sockets.splice(0)) socket.cut();
  }

  #dial({ url, says }: Dial): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket: LeanWebSocket = new LeanWebSocket(url, SUBSCRIBER_PROTOCOL, {
        open: () => {
          for (const text of says) socket.send(text);
          resolve();
        },
        message: (bytes) => {
          this.messages++;
          this.frames++;
          for (let at = bytes.indexOf(SEPARATOR); at >= 0; at = bytes.indexOf(SEPARATOR, at + 1))
            this.frames++;
        },
        closed: (_, problem) => reject(new Error(problem)),
      });
      this.#sockets.push(socket);
    });
  }
}

/** Microseconds of a process for each update that arrived. `produce`: an update of each endpoint, `rate` times a second. */
export async function costOf(
  receiving: Receiving,
  pid: number,
  produce: () => void,
  rate: number,
): Promise<number> {
  let due = 0;
  const timer = setInterval(() => {
    due += (rate * TICK_MS) / 1_000;
    for (; due >= 1; due--) produce();
  }, TICK_MS);
  try {
    // The first updates after a dial find much that is new.
    await passes(Math.max(1, 3 / rate));
    const [frames, messages, cpu] = [receiving.frames, receiving.messages, cpuUs(pid)];
    await passes(SECONDS);
    const delivered = receiving.frames - frames;
    const cost = (cpuUs(pid) - cpu) / delivered;
    say(`${delivered} updates in ${receiving.messages - messages} messages, ${cost.toFixed(1)} µs each`);
    return cost;
  } finally {
    clearInterval(timer);
  }
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function passes(seconds: number): Promise<void> {
  return unlessInterrupted(new Promise((resolve) => setTimeout(resolve, seconds * 1_000)));
}
