/**
 * A connection of many endpoints where no WebSocket gets through: the same frames as on one, said by requests and heard from event
 * streams (E7), or by polls (E8) where streams are held back on their way. So all that decides is the same as on a WebSocket. Pure:
 * the shell performs the effects and says what happened.
 *
 * The edge is the receiver of a stream: it checks continuity and asks again. What is left to be done here is to share out endpoints
 * to streams, to resume each when a stream is made anew, and to say a loss as a reset.
 */

import { CLIENT_LIMITS } from "../../protocol/client-limits.ts";
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
import type { StreamEvent } from "./event-reader.ts";
import type { HttpEffect, HttpEvent, HttpMode, StreamError, Welcome } from "./http-terms.ts";
import { type Member, queryOf, STREAMS, type Stream, shareOut } from "./members.ts";
import { answerTo, postOf, publishedBy } from "./posts.ts";
import { frameOf } from "./told-frames.ts";

/** Of a stream nothing has come for so long: it is gone (E5). */
const SILENT_MS = 30_000;
/** Its beginning hasn't come for so long: something on its way waits for its end. */
export const HELD_BACK_MS = 6_000;
/** The longest that a poll waits, and how much longer its answer may take. */
export const POLL_MS = 25_000;
const POLL_LATE_MS = 20_000;
/** What is said of subscriptions is waited for so long, so that it becomes one request; an end can wait longer. */
const SETTLE_MS = 20;
const SETTLE_END_MS = 1_000;
/** Polls of which nothing comes aren't made more often than this. */
const IDLE_POLL_MS = 1_000;

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
  #mode: HttpMode;
  #token: string;
  #phase: "checking" | "open" | "closed" = "checking";
  readonly #members = new Map<string, Member>();
  #streams: Stream[] = [];
  #names = 0;
  /** When requests are made for what has changed; undefined: nothing has. */
  #arrangeAt: number | undefined;
  /** Of all streams that carry one token the first says that it ends. */
  #isEndTold = false;
  #renewal: { readonly id: number; readonly token: string } | undefined;
  #effects: HttpEffect[] = [];

  constructor(token: string, mode: HttpMode) {
    this.#token = token;
    this.#mode = mode;
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
      case "heard":
        this.#heard(this.#named(event.stream), now);
        break;
      case "told":
        this.#told(this.#named(event.stream), event.event, now);
        break;
      case "refused":
        this.#endOf(this.#named(event.stream), event.error, now);
        break;
      case "ended":
        this.#ended(this.#named(event.stream), event.isWhole, now);
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
      this.#redo(this.#streams, now);
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
    this.#members.set(path, {
      path,
      id,
      start,
      occupancy,
      state: "asked",
      position: undefined,
      stream: undefined,
    });
    this.#arrangeWithin(SETTLE_MS, now);
  }

  #unsubscribe(id: number, path: string, now: number): void {
    if (this.#members.delete(path)) this.#arrangeWithin(SETTLE_END_MS, now);
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

  #heard(stream: Stream | undefined, now: number): void {
    if (stream === undefined) return;
    if (now - stream.openedAt > HELD_BACK_MS) stream.isAlive = true;
    stream.heardAt = now;
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
      const member = this.#memberOf(stream, String(e));
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
    const member = routing && this.#memberOf(stream, routing.endpoint);
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
    const member = this.#memberOf(stream, e);
    this.#redo([stream], now);
    if (member !== undefined) this.#dismiss(member, error);
  }

  #dismiss({ id, path, state }: Member, error: ErrorBody): void {
    this.#members.delete(path);
    this.#say(JSON.stringify(state === "held" ? { end: path, error } : { id, error }));
  }

  #ended(stream: Stream | undefined, isWhole: boolean, now: number): void {
    if (stream === undefined) return;
    if (stream.waitMs === undefined || !isWhole) {
      this.#close(1006, "a stream broke");
      return;
    }
    // One that only waited isn't made again sooner than it may take.
    const isIdle = now - stream.openedAt < IDLE_POLL_MS && stream.waitMs > 0;
    this.#redo([stream], now, isIdle ? IDLE_POLL_MS : 0);
  }

  /** Requests are made anew for what comes by these. */
  #redo(streams: readonly Stream[], now: number, afterMs = 0): void {
    for (const { name, members } of streams) {
      this.#effects.push({ kind: "abort", stream: name });
      for (const member of members) if (member.stream === name) member.stream = undefined;
    }
    this.#streams = this.#streams.filter((stream) => !streams.includes(stream));
    this.#arrangeWithin(afterMs, now);
  }

  #arrangeWithin(ms: number, now: number): void {
    this.#arrangeAt = Math.min(this.#arrangeAt ?? Number.POSITIVE_INFINITY, now + ms);
  }

  #lookAround(now: number): void {
    for (const stream of [...this.#streams]) this.#lookAt(stream, now);
    if (this.#phase === "open" && this.#arrangeAt !== undefined && this.#arrangeAt <= now) this.#arrange(now);
    const next = Math.min(this.#arrangeAt ?? Number.POSITIVE_INFINITY, ...this.#streams.map(dueAt));
    if (this.#phase === "open" && next !== Number.POSITIVE_INFINITY)
      this.#effects.push({ kind: "schedule", afterMs: Math.max(0, next - now) });
  }

  #lookAt(stream: Stream, now: number): void {
    if (now < dueAt(stream) || this.#phase !== "open") return;
    const isHeldBack = this.#mode === "events" && !stream.isAlive && stream.waitMs === undefined;
    if (!isHeldBack) {
      this.#close(1006, "nothing was heard");
      return;
    }
    // Nothing of it came, or its beginning alone.
    this.#mode = "poll";
    this.#effects.push({ kind: "polls" });
    this.#redo(this.#streams, now);
  }

  /** As many as have room come by the streams that there are; those are made anew, each from where it is. */
  #arrange(now: number): void {
    this.#arrangeAt = undefined;
    // Of those that go on without something that isn't followed any more, too.
    const stale = this.#streams.filter(({ name, members }) =>
      members.some((member) => !this.#isIn(member, name)),
    );
    const waiting = [...this.#members.values()].some(({ stream }) => stream === undefined);
    const redone = waiting ? this.#withRoom(stale) : stale;
    this.#redo(redone, now);
    this.#arrangeAt = undefined;
    const loose = [...this.#members.values()].filter(({ stream }) => stream === undefined);
    const { groups, left } = shareOut(loose, STREAMS - this.#streams.length);
    for (const group of groups) this.#open(group, now);
    for (const member of left) this.#dismiss(member, TOO_MANY);
  }

  /** Beside these one that has room. */
  #withRoom(stale: readonly Stream[]): readonly Stream[] {
    const roomy = this.#streams.find(
      (stream) => !stale.includes(stream) && stream.members.length < CLIENT_LIMITS.streamEndpoints,
    );
    return roomy === undefined ? stale : [...stale, roomy];
  }

  #open(members: readonly Member[], now: number): void {
    const name = ++this.#names;
    const isAnswered = members.every(({ state }) => state !== "asked");
    const waitMs = this.#mode === "events" ? undefined : isAnswered ? POLL_MS : 0;
    const stream: Stream = { name, members, waitMs, openedAt: now, heardAt: undefined, isAlive: false };
    this.#streams.push(stream);
    for (const member of members) member.stream = name;
    this.#effects.push({ kind: "stream", stream: name, query: queryOf(members, waitMs), token: this.#token });
  }

  #named(name: number): Stream | undefined {
    return this.#streams.find((stream) => stream.name === name);
  }

  #isIn(member: Member, name: number): boolean {
    return this.#members.get(member.path) === member && member.stream === name;
  }

  #memberOf({ name }: Stream, path: string): Member | undefined {
    const member = this.#members.get(path);
    return member?.stream === name ? member : undefined;
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
    for (const { name } of this.#streams) this.#effects.push({ kind: "abort", stream: name });
    this.#streams = [];
    this.#effects.push({ kind: "close", code, reason });
  }
}

/** When something is wrong with it, unless something comes. */
function dueAt({ openedAt, heardAt, waitMs }: Stream): number {
  if (waitMs !== undefined) return openedAt + waitMs + POLL_LATE_MS;
  return heardAt === undefined ? openedAt + HELD_BACK_MS : heardAt + SILENT_MS;
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
