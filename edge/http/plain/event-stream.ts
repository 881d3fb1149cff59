/**
 * An endpoint, or several, as an event stream: `GET` with `Accept: text/event-stream`. E1–E8 of PROTOCOL.md. The Worker holds
 * the client's response, and is a subscriber of each object like any other, so objects hibernate all the same.
 */

import type { ErrorBody } from "../../../shared/protocol/error-body.ts";
import type { Position } from "../../../shared/protocol/position.ts";
import { logProblem } from "../../answers.ts";
import type { Env } from "../../env.ts";
import type { Refusal } from "../refusal.ts";
import { endingText } from "./event-text.ts";
import { type Endpoint, type Joined, type JoinedEvents, join } from "./joining.ts";
import { backLaterMs, Streaming, type StreamOptions, type StreamPorts } from "./streaming.ts";

/** `no-transform`: what compresses on the way would hold events back, and so would nginx without the last. */
const HEADERS = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-store, no-transform",
  "X-Accel-Buffering": "no",
} as const;

/** A client that was left behind while catching up goes on when no more than this is unsent. */
const DRAINED_BYTES = 64 * 1024;

function eventStreamResponse(body: ReadableStream<Uint8Array> | string | null): Response {
  return new Response(body, { headers: HEADERS });
}

/** Whether a request asks for events. */
export function wantsEvents(request: Request): boolean {
  const accepted = request.headers.get("Accept")?.toLowerCase().split(",") ?? [];
  return accepted.some((one) => /^\s*text\/event-stream\s*(;(?!\s*q=0(\.0*)?\s*(;|$)).*)?$/.test(one));
}

/** The position after which events are asked for, as text; null if it says none. */
export function startsFrom(request: Request): string | null {
  return request.headers.get("Last-Event-ID") || new URL(request.url).searchParams.get("from");
}

/**
 * The answer to a request for events that would be an error which may pass; undefined for all else. A page's EventSource gives
 * up on any answer but 200, so such an error is told within one (E4).
 */
export async function withinStream(request: Request, answer: Response): Promise<Response | undefined> {
  if (request.method !== "GET" || !wantsEvents(request) || !answer.headers.has("Retry-After"))
    return undefined;
  const { error } = await answer.json<{ error: ErrorBody & { readonly e?: string } }>();
  const stream = eventStreamResponse(endingText(error, backLaterMs(Math.random()), error.e));
  // Hono keeps the headers of the answer before.
  answer.headers.delete("Retry-After");
  return stream;
}

/** What is streamed of an endpoint. */
export interface Streamed {
  readonly endpoint: Endpoint;
  readonly from: Position | undefined;
}

/** That of one of the endpoints, with which none is streamed. */
export interface RefusedOne extends Refusal {
  readonly endpoint: string;
}

export async function eventStream(
  request: Request,
  env: Env,
  starts: readonly Streamed[],
  options: StreamOptions = {},
): Promise<Response | RefusedOne> {
  if (request.method === "HEAD") return eventStreamResponse(null);
  const joined = await joinAll(env, starts);
  if ("code" in joined) return joined;
  return eventStreamResponse(new Client(env, starts, joined, options).body);
}

/** All or none. */
async function joinAll(env: Env, starts: readonly Streamed[]): Promise<readonly Joined[] | RefusedOne> {
  const joins = starts.map(({ endpoint, from }) => joinOne(env, endpoint, from));
  const results = await Promise.allSettled(joins);
  const answers = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const joined = answers.flatMap((answer) => ("code" in answer ? [] : [answer]));
  if (joined.length === starts.length) return joined;
  for (const one of joined) {
    one.listen(NOBODY);
    one.leave();
  }
  const [refusal] = answers.flatMap((answer) => ("code" in answer ? [answer] : []));
  if (refusal !== undefined) return refusal;
  throw results.find((result) => result.status === "rejected")?.reason;
}

async function joinOne(
  env: Env,
  endpoint: Endpoint,
  from: Position | undefined,
): Promise<Joined | RefusedOne> {
  const answer = await join(env, endpoint, from);
  return "code" in answer ? { ...answer, endpoint: endpoint.path } : answer;
}

const NOBODY: JoinedEvents = { message: () => undefined, closed: () => undefined };

const INTERNAL: Refusal = { code: "internal", message: "something went wrong here; try again" };

class Client {
  readonly body: ReadableStream<Uint8Array>;
  readonly #env: Env;
  readonly #starts: readonly Streamed[];
  readonly #options: StreamOptions;
  #streaming: Streaming | undefined;
  /** In the order of the starts. */
  readonly #joined: Joined[];
  #timer: number | null = null;

  constructor(env: Env, starts: readonly Streamed[], joined: readonly Joined[], options: StreamOptions) {
    this.#env = env;
    this.#starts = starts;
    this.#options = options;
    this.#joined = [...joined];
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => this.#start(controller),
        pull: () => this.#streaming?.drained(),
        cancel: () => this.gone(),
      },
      { highWaterMark: DRAINED_BYTES, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  gone(): void {
    clearTimeout(this.#timer);
    this.#streaming?.gone();
  }

  #start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const starts = this.#starts.map(({ endpoint: { path, occupancy }, from }) => ({
      endpoint: path,
      from,
      occupancy,
    }));
    const streaming = new Streaming(starts, this.#ports(controller), this.#options);
    this.#streaming = streaming;
    for (const [at, joined] of this.#joined.entries()) this.#listen(streaming, joined, at);
    this.#look(streaming);
  }

  #ports(controller: ReadableStreamDefaultController<Uint8Array>): StreamPorts {
    const encoder = new TextEncoder();
    let isEnding = false;
    return {
      write: (text) => controller.enqueue(encoder.encode(text)),
      unsent() {
        const room = controller.desiredSize ?? DRAINED_BYTES;
        // Of a stream that has ended it is 0 when all has gone.
        return isEnding && room === 0 ? 0 : DRAINED_BYTES - room;
      },
      end() {
        isEnding = true;
        controller.close();
      },
      drop: () => controller.error(new Error("the client takes nothing")),
      send: (frame, at) => this.#joined[at]?.send(frame),
      leave: (at) => this.#joined[at]?.leave(),
      join: (from, at) => void this.#join(from, at),
      now: () => Date.now(),
      chance: () => Math.random(),
    };
  }

  #listen(streaming: Streaming, joined: Joined, at: number): void {
    joined.listen({
      message: (message) => streaming.message(message, at),
      closed: (code, reason) => streaming.closed(code, reason, at),
    });
  }

  async #join(from: Position | undefined, at: number): Promise<void> {
    const [streaming, start] = [this.#streaming, this.#starts[at]];
    if (streaming === undefined || start === undefined) return;
    try {
      const joined = await join(this.#env, start.endpoint, from);
      if ("code" in joined) return streaming.refused(joined, at);
      this.#joined[at] = joined;
      this.#listen(streaming, joined, at);
      if (streaming.isOver) joined.leave();
    } catch (problem) {
      logProblem("an event stream", problem);
      streaming.refused(INTERNAL, at);
    }
  }

  #look(streaming: Streaming): void {
    const again = streaming.look();
    if (again !== undefined) this.#timer = setTimeout(() => this.#look(streaming), again);
  }
}
