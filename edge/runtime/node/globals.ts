/** What code of the edge finds as globals, as far as Node has them not, or not as the platform has them. */
import { requireAlive, running } from "./holder.ts";
import { refusal } from "./refused.ts";
import { WebSocket, WebSocketPair, WebSocketRequestResponsePair } from "./sockets/web-socket.ts";
import { FixedLengthStream } from "./web/fixed-length.ts";
import { Request } from "./web/request.ts";
import { Response } from "./web/response.ts";

interface Timer {
  readonly timeout: NodeJS.Timeout;
  release(): void;
}

/** A timer keeps its object awake, and ends with it. */
function startTimer(run: () => void, ms = 0): Timer {
  const holder = running.getStore();
  requireAlive(holder);
  const release = holder?.hold();
  const timeout = setTimeout(
    () => {
      release?.();
      if (holder?.isOver) return;
      try {
        run();
      } catch (error) {
        if (holder === undefined) console.error("a timer:", error);
        else holder.failed("a timer", error);
      }
      // What is overdue is no mistake, as on the platform; Node would warn of it.
    },
    Math.max(0, ms),
  );
  return {
    timeout,
    release: () => release?.(),
  };
}

function endTimer(timer: Timer | null | undefined): void {
  if (timer === null || timer === undefined) return;
  clearTimeout(timer.timeout);
  timer.release();
}

/** A request that goes out keeps its object awake until it is answered. */
async function fetchOutside(
  asked: string | URL | globalThis.Request,
  init?: RequestInit,
): Promise<globalThis.Response> {
  const holder = running.getStore();
  requireAlive(holder);
  const release = holder?.hold();
  try {
    await holder?.stored();
    return await fetch(asked instanceof Request ? Request.whole(asked) : asked, init);
  } finally {
    release?.();
  }
}

/** There is none, as on workerd by itself: it says so by failing. */
const noCache = async () => {
  throw new Error("there is no cache here");
};

const SERVED = {
  Request,
  Response,
  WebSocket,
  WebSocketPair,
  WebSocketRequestResponsePair,
  FixedLengthStream,
  setTimeout: startTimer,
  clearTimeout: endTimer,
  fetch: fetchOutside,
  caches: { default: { match: noCache, put: noCache } },
} as const;

/** Of the platform's, or of Node's: what code of the edge must not find. */
const REFUSED = [
  ..."Buffer EventSource HTMLRewriter IdentityTransformStream MessageChannel process scheduler".split(" "),
  ..."setImmediate setInterval clearImmediate clearInterval".split(" "),
];

/** By name. */
export const PLATFORM: Readonly<Record<string, unknown>> = {
  ...Object.fromEntries(
    REFUSED.map((name) => [
      name,
      () => {
        throw refusal(name);
      },
    ]),
  ),
  ...SERVED,
};
