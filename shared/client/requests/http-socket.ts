/** Performs what http-connection.ts decides, by fetch: the socket of a connection where no WebSocket gets through. */
import { readErrorAnswer } from "../../protocol/error-body.ts";
import { type Clock, Timer } from "../clock.ts";
import { endpointUrl } from "../endpoint-url.ts";
import type { Socket, SocketEvents } from "../transport.ts";
import { EventReader } from "./event-reader.ts";
import { HttpConnection } from "./http-connection.ts";
import type { HttpEffect, HttpEvent, HttpMode, StreamError, Welcome } from "./http-terms.ts";
import type { Post, PostAnswer } from "./posts.ts";

/** Requests that have no answer by then are given up. */
const CHECK_MS = 10_000;
const POST_MS = 25_000;

export interface HttpSocketOptions {
  /** That of a connection: `ws:` or `wss:`, with or without a query. */
  readonly url: string;
  readonly token: string;
  readonly mode: HttpMode;
  readonly clock: Clock;
  /** Streams don't get through: what follows comes by polls. */
  readonly polls: () => void;
}

/** As a transport's dial. */
export function dialHttp(options: HttpSocketOptions, events: SocketEvents): Socket {
  return new HttpSocket(options, events);
}

class HttpSocket implements Socket {
  readonly #options: HttpSocketOptions;
  readonly #events: SocketEvents;
  readonly #edge: URL;
  readonly #connection: HttpConnection;
  readonly #timer: Timer;
  readonly #streams = new Map<number, AbortController>();
  #mode: HttpMode;
  #isOver = false;

  constructor(options: HttpSocketOptions, events: SocketEvents) {
    this.#options = options;
    this.#events = events;
    this.#edge = new URL(options.url.replace(/^ws/, "http"));
    this.#edge.search = "";
    this.#mode = options.mode;
    this.#connection = new HttpConnection(options.token, options.mode);
    this.#timer = new Timer(options.clock, () => this.#step({ kind: "timer" }));
    for (const effect of this.#connection.begin()) this.#perform(effect);
  }

  send(message: Parameters<Socket["send"]>[0]): void {
    // What answers it at once may not come before this has returned.
    queueMicrotask(() => this.#step({ kind: "said", message }));
  }

  close(): void {
    this.#isOver = true;
    this.#timer.cancel();
    for (const stream of this.#streams.values()) stream.abort();
    this.#streams.clear();
  }

  #step(event: HttpEvent): void {
    if (this.#isOver) return;
    for (const effect of this.#connection.step(event, this.#options.clock.date())) this.#perform(effect);
  }

  #perform(effect: HttpEffect): void {
    // Whoever was told something may have closed it.
    if (this.#isOver) return;
    switch (effect.kind) {
      case "check":
        void this.#check(effect.token);
        break;
      case "opened":
        this.#events.opened(this.#mode);
        break;
      case "say":
        this.#events.message(effect.message);
        break;
      case "stream":
        void this.#stream(effect.stream, effect.query, effect.token);
        break;
      case "abort":
        this.#streams.get(effect.stream)?.abort();
        this.#streams.delete(effect.stream);
        break;
      case "post":
        void this.#post(effect.post, effect.token);
        break;
      case "polls":
        this.#mode = "poll";
        this.#options.polls();
        break;
      case "schedule":
        this.#timer.set(effect.afterMs);
        break;
      case "close":
        this.close();
        this.#events.closed(effect.code, effect.reason);
    }
  }

  async #check(token: string): Promise<void> {
    const welcome = await this.#welcome(token);
    this.#step({ kind: "checked", welcome });
  }

  /** Only an edge says that it is a WebSocket which is missing. */
  async #welcome(token: string): Promise<Welcome> {
    try {
      const response = await request(this.#edge, { headers: authorization(token) }, CHECK_MS);
      const error = readErrorAnswer(await response.text());
      if (error?.code === "bad_upgrade") return { kind: "welcome" };
      return error === undefined ? { kind: "nobody" } : { kind: "refused", error };
    } catch {
      return { kind: "nobody" };
    }
  }

  async #stream(stream: number, query: string, token: string): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#streams.set(stream, controller);
    const url = new URL(this.#edge);
    url.search = query;
    const headers = { Accept: "text/event-stream", ...authorization(token) };
    try {
      const response = await fetch(url, { cache: "no-store", headers, signal });
      const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream") === true;
      if (!response.ok || !isStream || response.body === null) return await this.#refused(stream, response);
      await this.#read(stream, response.body);
      this.#step({ kind: "ended", stream, isWhole: true });
    } catch {
      if (!signal.aborted) this.#step({ kind: "ended", stream, isWhole: false });
    }
  }

  async #read(stream: number, body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const events = new EventReader();
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#step({ kind: "heard", stream });
      for (const event of events.read(decoder.decode(value, { stream: true })))
        this.#step({ kind: "told", stream, event });
    }
  }

  async #refused(stream: number, response: Response): Promise<void> {
    const text = await response.text();
    const error = readErrorAnswer(text);
    if (error === undefined) {
      this.#step({ kind: "ended", stream, isWhole: false });
      return;
    }
    const { e } = (JSON.parse(text) as { readonly error: StreamError }).error;
    this.#step({ kind: "refused", stream, error: { ...error, e, retryAfterMs: retryAfterMs(response) } });
  }

  async #post(post: Post, token: string): Promise<void> {
    const answer = await this.#posted(post, token);
    this.#step({ kind: "posted", id: post.id, answer });
  }

  async #posted({ endpoint, method, headers, body }: Post, token: string): Promise<PostAnswer> {
    try {
      const given = { method, headers: { ...headers, ...authorization(token) }, body: body ?? null };
      const response = await request(endpointUrl(this.#edge, endpoint), given, POST_MS);
      return { status: response.status, text: await response.text(), retryAfterMs: retryAfterMs(response) };
    } catch {
      return undefined;
    }
  }
}

/** One that ends by itself: whoever asked may have gone by then. */
function request(url: URL, given: RequestInit, ms: number): Promise<Response> {
  return fetch(url, { cache: "no-store", ...given, signal: AbortSignal.timeout(ms) });
}

const authorization = (token: string): Record<string, string> =>
  token === "" ? {} : { Authorization: `Bearer ${token}` };

/** It may also be a date, which a clock that is wrong would misread. */
export function retryAfterMs({ headers }: Response): number | undefined {
  const seconds = Number(headers.get("Retry-After") ?? Number.NaN);
  return seconds >= 0 ? seconds * 1_000 : undefined;
}
