/** The platform's Response: one that becomes a WebSocket has status 101 and holds a socket. */
import type { WebSocket } from "../sockets/web-socket.ts";

type Init = ResponseInit & { readonly webSocket?: WebSocket | null };

type ResponseBody = ConstructorParameters<typeof globalThis.Response>[0];

/** What a body was made of, if it lies in memory as a whole. */
export type Whole = string | Uint8Array;

const SWITCHED = 101;

export class Response extends globalThis.Response {
  readonly webSocket: WebSocket | null;
  readonly #whole: Whole | undefined;

  constructor(body?: ResponseBody, init: Init = {}) {
    const isSwitched = init.status === SWITCHED;
    super(body, isSwitched ? { headers: init.headers ?? {} } : init);
    if (body === null || body === undefined) this.#whole = "";
    else if (typeof body === "string" || body instanceof Uint8Array) this.#whole = body;
    // Of the same body under other headers.
    else if (init instanceof Response && body === init.body) this.#whole = init.#whole;
    this.webSocket = init.webSocket ?? null;
    if (isSwitched) Object.defineProperty(this, "status", { value: SWITCHED });
    if (isSwitched && this.webSocket === null)
      throw new RangeError("a response of status 101 needs a webSocket");
  }

  static wholeOf(response: Response): Whole | undefined {
    return response.#whole;
  }

  static override json(data: unknown, init: ResponseInit = {}): Response {
    const headers = new Headers(init.headers);
    if (!headers.has("Content-Type")) headers.set("Content-Type", "application/json");
    return new Response(JSON.stringify(data), { ...init, headers });
  }
}
