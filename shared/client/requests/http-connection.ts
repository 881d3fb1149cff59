/**
 * A connection of many endpoints where no WebSocket gets through: the same frames as on one, said by requests and heard from event
 * streams (E7), or by polls (E8) where streams are held back on their way. So all that decides is the same as on a WebSocket. Pure:
 * the shell performs the effects and says what happened.
 *
 * The edge is the receiver of a stream: it checks continuity and asks again. What is left to be done here is to resume each endpoint
 * when its request is made anew (arrangement.ts), and to say a loss as a reset.
 */

import { CLOSE } from "../../protocol/codes.ts";
import type { ErrorBody } from "../../protocol/error-body.ts";
import { routingOf } from "../../protocol/frame.ts";
import { parseObject } from "../../protocol/json-object.ts";
import { type Message, splitText } from "../../protocol/message.ts";
import {
  NOTHING,
  parseLongPosition,
  parseStart,
  type Start,
  withComponent,
} from "../../protocol/position.ts";
import { PING, PONG } from "../../protocol/up.ts";
import { Arrangement } from "./arrangement.ts";
import type { StreamEvent } from "./event-reader.ts";
import type { HttpEffect, HttpEvent, HttpMode, StreamError, Welcome } from "./http-terms.ts";
import type { Member, Stream } from "./members.ts";
import { answerTo, postOf, publishedBy } from "./posts.ts";
import { frameOf } from "./told-frames.ts";

/** Endings of one endpoint that are those of the whole connection. */
const OF_ALL: readonly string[] = ["expired", "revoked"];

/** What a client says of a subscription, as it writes that itself (statements.ts). */
interface Said {
  readonly id: number;
  readonly sub?: string;
  readonly from?: string;
  readonly occupancy?: true;
  readonly unsub?: string;
  readonly token?: string;
}

export class HttpConnection {
  readonly #requests: Arrangement;
  #token: string;
  #phase: "checking" | "open" | "closed" = "checking";
  /** Of all streams that carry one token the first says that it ends. */
  #isEndTold = false;
  #renewal: { readonly id: number; readonly token: string } | undefined;
  #effects: HttpEffect[] = [];

  constructor(token: string, mode: HttpMode) {
    this.#token = token;
    this.#requests = new Arrangement(mode, {
      open: (stream, query) => this.#effects.push({ kind: "stream", stream, query, token: this.#token }),
      abort: (stream) => this.#effects.push({ kind: "abort", stream }),
      left: (member) => this.#dismiss(member, TOO_MANY),
    });
  }

  begin(): readonly HttpEffect[] {
    return [{ kind: "check", token: this.#token }];
  }

  /** `now`: milliseconds of a clock that goes on while the machine sleeps. */
  step(event: HttpEvent, now: number): readonly HttpEffect[] {
    this.#effects = [];
    if (this.#phase === "closed") return [];
    this.#happen(event, now);
    if (this.#phase === "open") this.#lookAround(now);
    return this.#effects;
  }

  #happen(event: HttpEvent, now: number): void {
    switch (event.kind) {
      case "checked":
        this.#checked(event.welcome, now);
        break;
      case "said":
        if (this.#phase !== "open") break;
        for (const frame of typeof event.message === "string" ? splitText(event.message) : [event.message])
          this.#said(frame, now);
        break;
      case "heard": {
        const stream = this.#requests.named(event.stream);
        if (stream !== undefined) this.#requests.heard(stream, now);
        break;
      }
      case "told":
        this.#told(this.#requests.named(event.stream), event.event, now);
        break;
      case "refused":
        this.#endOf(this.#requests.named(event.stream), event.error, now);
        break;
      case "ended":
        this.#ended(this.#requests.named(event.stream), event.isWhole, now);
        break;
      case "posted":
        this.#say(answerTo(event.id, event.answer));
        break;
      case "timer":
        break;
    }
  }

  /** The first answer opens the connection; later ones are about a token that is to take the place of the one before. */
  #checked(welcome: Welcome, now: number): void {
    const renewal = this.#renewal;
    this.#renewal = undefined;
    if (renewal === undefined) {
      if (welcome.kind === "nobody") this.#close(1006, "nothing answers by HTTP either");
      else if (welcome.kind === "refused") this.#closeFor(welcome.error);
      else if (this.#phase === "checking") {
        this.#phase = "open";
        this.#effects.push({ kind: "opened" });
      }
    } else if (welcome.kind === "welcome") {
      this.#token = renewal.token;
      this.#isEndTold = false;
      this.#requests.redoAll(now);
      // When it ends the edge says when it is near (S17).
      this.#say(JSON.stringify({ id: renewal.id, ok: { expires: 0 } }));
    } else {
      const error = welcome.kind === "refused" ? welcome.error : UNAVAILABLE;
      this.#say(JSON.stringify({ id: renewal.id, error }));
    }
  }

  #said(frame: string | Uint8Array<ArrayBuffer>, now: number): void {
    const published = publishedBy(frame);
    if (frame === PING) this.#say(PONG);
    if (published !== undefined) {
      const post = postOf(published.head, published.value);
      if ("code" in post) this.#say(JSON.stringify({ id: published.head.id, error: post }));
      else this.#effects.push({ kind: "post", post, token: this.#token });
      return;
    }
    const said = typeof frame === "string" ? parseObject(frame) : undefined;
    if (said === undefined) return;
    const all = "subs" in said ? (said.subs as readonly Said[]) : [said as Said];
    for (const one of all) this.#saidOne(one, now);
  }

  #saidOne({ id, sub, from, occupancy, unsub, token }: Said, now: number): void {
    if (sub !== undefined)
      this.#subscribe(id, sub, from === undefined ? undefined : parseStart(from), occupancy === true, now);
    else if (unsub !== undefined) this.#unsubscribe(id, unsub, now);
    else if (token !== undefined) this.#renew(id, token);
  }

  #subscribe(id: number, path: string, start: Start, occupancy: boolean, now: number): void {
    const fresh = { state: "asked", position: undefined, stream: undefined } as const;
    this.#requests.add({ path, id, start, occupancy, ...fresh }, now);
  }

  #unsubscribe(id: number, path: string, now: number): void {
    this.#requests.remove(path, now);
    this.#say(JSON.stringify({ id, ok: { unsub: path } }));
  }

  #renew(id: number, token: string): void {
    const error = this.#token === "" ? PUBLIC : this.#renewal && UNAVAILABLE;
    if (error !== undefined) this.#say(JSON.stringify({ id, error }));
    else {
      this.#renewal = { id, token };
      this.#effects.push({ kind: "check", token });
    }
  }

  #told(stream: Stream | undefined, { name, data, retryMs }: StreamEvent, now: number): void {
    if (stream === undefined) return;
    const json = name === "message" ? undefined : parseObject(data);
    if (name === "message") this.#update(stream, data);
    else if (json === undefined) this.#close(1006, "an event could not be read");
    else if (name === "error") this.#endOf(stream, { ...(json as StreamError), retryAfterMs: retryMs }, now);
    else if (name === "expires") this.#endIsNear(json);
    else {
      const { e, ...said } = json as Readonly<Record<string, unknown>>;
      const member = this.#requests.memberOf(stream, String(e));
      if (member !== undefined) this.#toldOf(member, name, said);
    }
  }

  #endIsNear(expires: object): void {
    if (!this.#isEndTold) this.#say(JSON.stringify({ expires }));
    this.#isEndTold = true;
  }

  #update(stream: Stream, data: string): void {
    const routing = routingOf(data);
    if (routing === undefined) this.#close(1006, "an update could not be read");
    const member = routing && this.#requests.memberOf(stream, routing.endpoint);
    // What was before its verdict isn't for it.
    if (routing === undefined || member?.state !== "held") return;
    member.position = withComponent(member.position ?? NOTHING, routing.epoch, routing.offset);
    this.#say(frameOf(data));
  }

  #toldOf(member: Member, name: string, said: Readonly<Record<string, unknown>>): void {
    const { id, path, state } = member;
    switch (name) {
      case "verdict":
        this.#verdict(member, said);
        break;
      case "reset":
        if (state === "held") this.#reset(member, said);
        break;
      case "wait":
        if (state === "held") break;
        member.state = "waiting";
        this.#say(JSON.stringify({ id, wait: said }));
        break;
      case "occupancy":
        if (state === "held") this.#say(JSON.stringify({ occupancy: path, ...said }));
    }
  }

  /** It has had one if its stream was made anew: then only a loss is news. */
  #verdict(member: Member, verdict: Readonly<Record<string, unknown>>): void {
    if (member.state === "held") {
      if (verdict.recovered !== true) this.#reset(member, verdict);
      return;
    }
    member.state = "held";
    member.position = parseLongPosition(String(verdict.position));
    this.#say(JSON.stringify({ id: member.id, ok: verdict }));
  }

  #reset(member: Member, { position, head, cause }: Readonly<Record<string, unknown>>): void {
    member.position = parseLongPosition(String(position));
    this.#say(JSON.stringify({ reset: member.path, position, head, cause }));
  }

  /** A stream is over because of one of its endpoints, or the whole connection is. */
  #endOf(
    stream: Stream | undefined,
    { e, code, message, retry, retryAfterMs }: StreamError,
    now: number,
  ): void {
    if (stream === undefined) return;
    const error = { code, message, retry, retryAfterMs };
    if (e === undefined || OF_ALL.includes(code)) {
      this.#closeFor(error);
      return;
    }
    const member = this.#requests.memberOf(stream, e);
    this.#requests.redo(stream, now);
    if (member !== undefined) this.#dismiss(member, error);
  }

  #dismiss(member: Member, error: ErrorBody): void {
    const { id, path, state } = member;
    this.#requests.dismiss(member);
    this.#say(JSON.stringify(state === "held" ? { end: path, error } : { id, error }));
  }

  #ended(stream: Stream | undefined, isWhole: boolean, now: number): void {
    if (stream === undefined) return;
    if (stream.waitMs === undefined || !isWhole) this.#close(1006, "a stream broke");
    else this.#requests.goOn(stream, now);
  }

  #lookAround(now: number): void {
    const found = this.#requests.look(now);
    if (found === "silent") {
      this.#close(1006, "nothing was heard");
      return;
    }
    if (found === "polls") this.#effects.push({ kind: "polls" });
    const { nextAt } = this.#requests;
    if (nextAt !== undefined) this.#effects.push({ kind: "schedule", afterMs: Math.max(0, nextAt - now) });
  }

  #say(message: Message): void {
    this.#effects.push({ kind: "say", message });
  }

  /** As the close of a WebSocket would say it (H9, C4). */
  #closeFor({ code, message, retry }: ErrorBody): void {
    const closes: Readonly<Record<string, number>> = CLOSE;
    const otherwise = retry ? CLOSE.unavailable : REFUSED;
    this.#close(Object.hasOwn(closes, code) ? (closes[code] ?? otherwise) : otherwise, `${code}: ${message}`);
  }

  #close(code: number, reason: string): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#requests.end();
    this.#effects.push({ kind: "close", code, reason });
  }
}

/** Of closes that end a connection for good, one that no edge uses. */
const REFUSED = 4_999;

const TOO_MANY: ErrorBody = {
  code: "too_many_subscriptions",
  message: "no WebSocket gets through here, and without one a connection follows no more than 64 endpoints",
  retry: false,
};

const PUBLIC: ErrorBody = {
  code: "unsupported",
  message: "a public connection can't be renewed",
  retry: false,
};

const UNAVAILABLE: ErrorBody = { code: "unavailable", message: "there was no answer", retry: true };
