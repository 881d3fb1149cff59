/**
 * The Worker as a receiver, for a client that speaks no WebSocket: what the messages of an endpoint's object say, update by
 * update, with the position that it leads to. P5, S13–S15 of PROTOCOL.md. Pure.
 */
import { classify } from "../../../shared/core/continuity.ts";
import { decodeDown, type Verdict } from "../../../shared/protocol/down.ts";
import type { ErrorBody } from "../../../shared/protocol/error-body.ts";
import { type Frame, routingOf } from "../../../shared/protocol/frame.ts";
import { type Message, splitBinary, splitText } from "../../../shared/protocol/message.ts";
import { NOTHING, type Position, reaches } from "../../../shared/protocol/position.ts";
import { encodeSubscribe, isUpdate, URL_SUBSCRIBE_ID } from "../../../shared/protocol/subscriber.ts";

export type Told =
  | { readonly kind: "verdict" | "reset"; readonly verdict: Verdict }
  | { readonly kind: "wait"; readonly error: ErrorBody }
  | { readonly kind: "update"; readonly frame: Frame }
  /** Something is missing. `ask` is to be sent up; the verdict that answers it follows. */
  | { readonly kind: "gap"; readonly ask: string }
  | { readonly kind: "expires"; readonly inSeconds: number }
  | { readonly kind: "occupancy"; readonly subscribers: number }
  | { readonly kind: "pong" }
  /** Nothing more comes. */
  | { readonly kind: "ended"; readonly error: ErrorBody };

/** The first at which a receiver gives up what it can't get past, and begins anew (S15). */
const GIVES_UP_AT = 5;

export class Receiver {
  readonly endpoint: string;
  readonly #occupancy: true | undefined;
  #position: Map<string, number>;
  /** Whether that is where it stands: without a verdict one that named none stands nowhere. */
  #isPlaced: boolean;
  /** Whether it had a verdict. */
  #hasBegun = false;
  #head: Position = NOTHING;
  #state: "asked" | "waiting" | "following" = "asked";
  /** Of the last subscribe. */
  #id = URL_SUBSCRIBE_ID;
  /** Gaps since an update was taken. */
  #gaps = 0;
  /** It goes on by itself on another socket: a verdict that nothing is missing is no news. */
  #isResuming = false;

  /** @param occupancy Whether its client wants to know how many subscribers there are. */
  constructor(endpoint: string, from: Position | undefined, occupancy?: true) {
    this.endpoint = endpoint;
    this.#occupancy = occupancy;
    this.#position = new Map(from);
    this.#isPlaced = from !== undefined;
  }

  get position(): Position {
    return this.#position;
  }

  /** The same; undefined if it stands nowhere yet. */
  get place(): Position | undefined {
    return this.#isPlaced ? this.#position : undefined;
  }

  /** Whether a verdict is due, and nobody has said that it will take its time. */
  get isAsked(): boolean {
    return this.#state === "asked";
  }

  /** Whether it has all that there is. */
  get isLive(): boolean {
    return this.#state === "following" && reaches(this.#position, this.#head);
  }

  /** Whether it has that, or can't have it for now. */
  get isSettled(): boolean {
    return this.isLive || this.#state === "waiting";
  }

  /** Another socket is opened, from where it stands. */
  resume(): void {
    this.#state = "asked";
    this.#id = URL_SUBSCRIBE_ID;
    this.#isResuming = this.#hasBegun;
  }

  /** Each frame is read when it is its turn. */
  *hear(message: Message): Generator<Told> {
    const frames = typeof message === "string" ? splitText(message) : splitBinary(message);
    if (frames === undefined) yield* this.#gap();
    for (const frame of frames ?? []) {
      if (typeof frame === "string" && !isUpdate(frame)) yield* this.#control(frame);
      else if (this.#state === "following") yield* this.#update(frame);
    }
  }

  *#update(frame: Frame): Generator<Told> {
    const update = routingOf(frame);
    if (update === undefined) return yield* this.#gap();
    if (update.endpoint !== this.endpoint) return;
    switch (classify(this.#position, update)) {
      case "duplicate":
        return;
      case "gap":
        return yield* this.#gap();
      case "next":
        this.#position.set(update.epoch, update.offset);
        this.#gaps = 0;
        yield { kind: "update", frame };
    }
  }

  /** An ask is open: what comes before its verdict belongs to what was before. */
  *#gap(): Generator<Told> {
    if (this.#state !== "following") return;
    this.#gaps++;
    this.#state = "asked";
    this.#id++;
    const from = this.#gaps < GIVES_UP_AT ? this.#position : undefined;
    yield { kind: "gap", ask: encodeSubscribe(this.#id, this.endpoint, from, this.#occupancy) };
  }

  *#control(frame: string): Generator<Told> {
    const down = decodeDown(frame);
    if (!down.ok) return yield* this.#gap();
    const said = down.value;
    switch (said.kind) {
      case "verdict":
        if (said.id === this.#id && this.#state !== "following") yield* this.#adopt(said.kind, said.verdict);
        return;
      case "reset":
        if (said.endpoint === this.endpoint && this.#state === "following")
          yield* this.#adopt(said.kind, said.verdict);
        return;
      case "wait":
        if (said.id !== this.#id) return;
        this.#state = "waiting";
        return yield { kind: "wait", error: said.error };
      case "error":
        if (said.id === this.#id) yield { kind: "ended", error: said.error };
        return;
      case "end":
        return yield { kind: "ended", error: said.error };
      case "expires":
        return yield { kind: "expires", inSeconds: said.inSeconds };
      case "occupancy":
        return yield { kind: "occupancy", subscribers: said.subscribers };
      case "pong":
        return yield { kind: "pong" };
      // Nothing is published here, so it is a verdict that lacks something.
      case "published":
        return yield* this.#gap();
      case "renewed":
      case "unsubscribed":
      case "unknown":
        return;
    }
  }

  *#adopt(kind: "verdict" | "reset", verdict: Verdict): Generator<Told> {
    const isNews = !this.#isResuming || verdict.recovered !== true;
    this.#isResuming = false;
    this.#state = "following";
    this.#position = new Map(verdict.position);
    this.#isPlaced = this.#hasBegun = true;
    this.#head = verdict.head;
    if (isNews) yield { kind, verdict };
  }
}
