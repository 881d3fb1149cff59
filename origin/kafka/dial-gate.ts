/**
 * Where everything waits that wants a connection to one address: `dial-policy.ts` says when the next may dial. If a
 * dial fails, all that wait fail with it and try again together, rather than with a dial each.
 */
import { TIME_LIMITS } from "../time-limits.ts";
import { DialPolicy } from "./dial-policy.ts";
import { SilentError } from "./hearing.ts";

/** One connection's way through the gate. */
export interface Turn {
  /** Resolves when it may dial. Rejects with what befell the dial that it waited for. */
  readonly granted: Promise<void>;
  /** How long the broker may say nothing until it has answered who it is. */
  readonly silenceMs: number;
  /** The broker has answered, and knows who we are. */
  opened(): void;
  /** A request was answered, too. */
  answered(): void;
  /** @param why Undefined if we let go of the connection ourselves. */
  ended(why: Error | undefined): void;
}

/** For a connection that stands alone. */
export const AT_ONCE: Turn = {
  granted: Promise.resolve(),
  silenceMs: TIME_LIMITS.brokerConnectMs,
  opened() {},
  answered() {},
  ended() {},
};

interface Waiting {
  readonly grant: () => void;
  readonly fail: (why: Error) => void;
}

export class DialGate {
  readonly #policy = new DialPolicy();
  /** In order. Bounded by who dials: a broker has three connections. */
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;

  take(): Turn {
    const dial = Symbol("dial");
    const policy = this.#policy;
    const { promise: granted, resolve, reject: fail } = Promise.withResolvers<void>();
    let has: "waited" | "dialled" | "answered" | "ended" = "waited";
    let dialledAt = 0;
    const grant = () => {
      has = "dialled";
      dialledAt = performance.now();
      policy.dialled(dial, dialledAt);
      resolve();
    };
    const waiting = { grant, fail };
    this.#waiting.add(waiting);
    this.#admit();
    return {
      granted,
      get silenceMs() {
        return policy.silenceMs;
      },
      opened: () => {
        policy.over(dial);
        policy.opened(performance.now() - dialledAt);
        this.#admit();
      },
      answered: () => {
        if (has !== "dialled") return;
        has = "answered";
        policy.answered();
        this.#admit();
      },
      ended: (why) => {
        const had = has;
        has = "ended";
        this.#waiting.delete(waiting);
        policy.over(dial);
        if (why !== undefined && (had === "dialled" || had === "answered")) policy.failed();
        if (why instanceof SilentError && had === "dialled") policy.silent();
        if (why !== undefined && had === "dialled") this.#fail(why);
        this.#admit();
      },
    };
  }

  #fail(why: Error): void {
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const { fail } of all) fail(why);
  }

  #admit(): void {
    clearTimeout(this.#timer);
    for (const waiting of this.#waiting) {
      const ms = this.#policy.delay(performance.now());
      if (ms === undefined) return;
      if (ms > 0) {
        this.#timer = setTimeout(() => this.#admit(), Math.ceil(ms));
        return;
      }
      this.#waiting.delete(waiting);
      waiting.grant();
    }
  }
}
