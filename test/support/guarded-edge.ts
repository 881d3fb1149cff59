/**
 * An edge that lets nobody subscribe without a token, as the client sees it: it verifies, tells of the end in time, renews in
 * band, closes what has expired or was revoked, and refuses by a close or, as what stands before an edge may, by a status.
 */
import * as v from "valibot";
import type { Explanation, Socket, SocketEvents, Transport } from "../../shared/client/transport.ts";
import { CLOSE, type CloseName, type ErrorCode, tokenClose } from "../../shared/protocol/codes.ts";
import { errorBody } from "../../shared/protocol/schemas.ts";
import { encodeError, encodeExpires, encodeRenewed, PING, PONG } from "../../shared/protocol/subscriber.ts";
import type { SleepingClock } from "./sleeping-clock.ts";

export interface TokenFacts {
  readonly serial: number;
  readonly audience: "here" | "elsewhere";
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** What travels is as opaque to the client as a JWT. */
export const writeToken = ({ serial, audience, issuedAt, expiresAt }: TokenFacts): string =>
  `${serial}.${audience}.${issuedAt}.${expiresAt}`;

function readToken(token: string): TokenFacts {
  const [serial, audience, issuedAt, expiresAt] = token.split(".");
  return {
    serial: Number(serial),
    audience: audience === "here" ? "here" : "elsewhere",
    issuedAt: Number(issuedAt),
    expiresAt: Number(expiresAt),
  };
}

export interface EdgeFaults {
  /** How far its clock is ahead of the issuer's. */
  readonly skewMs: number;
  /** Refuses by a status, before the WebSocket. */
  readonly byStatus: boolean;
  /** Shares of dials that fail, and of renewals that are not answered, or put off. */
  dialFails: number;
  renewalLost: number;
  renewalLimited: number;
}

interface Connection {
  readonly events: SocketEvents;
  token: TokenFacts;
  sent: number;
  lastId: number;
  stopTimers: () => void;
}

const Renew = v.object({ id: v.optional(v.number()), token: v.optional(v.string()) });
const PATH = "/quotes/AAPL";
const TOLERANCE_MS = 30_000;
const NOTICE_MS = 60_000;

export class GuardedEdge implements Transport {
  readonly #clock: SleepingClock;
  readonly #random: () => number;
  readonly #faults: EdgeFaults;
  readonly #revoked = new Set<number>();
  #revokedBefore = Number.NEGATIVE_INFINITY;
  /** The one that is open, or being dialled, as the client knows it. */
  #current: object | undefined;
  #live: Connection | undefined;
  /** By what the client is here, or was last. */
  #carried = "";
  /** Tokens that the client was told will not do. */
  readonly #refused = new Set<string>();
  /** Offset of the latest record. */
  head = 0;
  readonly violations: string[] = [];
  /** When there was a dial. */
  readonly dials: number[] = [];
  readonly seen = { renewed: 0, expired: 0, revoked: 0, refused: 0 };

  constructor(clock: SleepingClock, random: () => number, faults: EdgeFaults) {
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
  }

  produce(): void {
    this.head++;
    this.#send();
  }

  /** Of the token by which somebody is here, if anybody is. `marginMs`: for so long it may be renewed there. */
  revoke(marginMs = 0): void {
    const live = this.#live;
    if (live === undefined) return;
    this.#revoked.add(live.token.serial);
    if (marginMs === 0) this.#end("revoked");
    else this.#endIn(live, marginMs);
  }

  /** All that was issued by now, by clocks that are ahead, too. */
  revokeIssued(marginMs: number): void {
    this.#revokedBefore = this.#now() + TOLERANCE_MS;
    if (this.#live !== undefined) this.#endIn(this.#live, marginMs);
  }

  #endIn(live: Connection, marginMs: number): void {
    // It ends sooner by itself.
    if (this.#now() + marginMs >= live.token.expiresAt) return;
    this.#tell(live.events, encodeExpires(marginMs));
    this.#clock.after(marginMs, () => {
      if (this.#live === live && this.#isRevoked(live.token)) this.#end("revoked");
    });
  }

  #isRevoked({ serial, issuedAt }: TokenFacts): boolean {
    return this.#revoked.has(serial) || issuedAt < this.#revokedBefore;
  }

  drop(): void {
    if (this.#live !== undefined) this.#close(this.#live, this.#random() < 0.5 ? 1006 : CLOSE.going_away, "");
  }

  /** The socket has gone, and nobody hears of it. */
  vanish(): void {
    this.#forget();
  }

  dial(url: string, events: SocketEvents, token: string): Socket {
    if (this.#current !== undefined) this.violations.push("two sockets at once");
    if (token !== "" && url.includes(token)) this.violations.push("a token in a URL");
    if (this.#refused.has(token)) this.violations.push("a dial with a token that was refused");
    this.dials.push(this.#clock.now);
    this.#carried = token;
    const socket = {};
    this.#current = socket;
    const isCurrent = () => this.#current === socket;
    const heard: SocketEvents = {
      opened: () => isCurrent() && events.opened(),
      message: (message) => isCurrent() && events.message(message),
      closed: (code, reason) => {
        if (!isCurrent()) return;
        this.#current = undefined;
        if (tokenClose(code) !== undefined) this.#refused.add(this.#carried);
        events.closed(code, reason);
      },
    };
    this.#clock.after(this.#latency(), () => {
      if (isCurrent()) this.#admit(url, heard, token);
    });
    return {
      send: (message) =>
        this.#clock.after(this.#latency(), () => isCurrent() && this.#answer(String(message))),
      close: () => {
        if (!isCurrent()) return;
        this.#current = undefined;
        this.#forget();
      },
    };
  }

  async explain(_: string, token: string): Promise<Explanation | undefined> {
    const fault = this.#faultOf(token);
    if (!this.#faults.byStatus || fault === undefined) return undefined;
    this.#refused.add(token);
    return { error: errorBody(fault, ""), retryAfterMs: undefined };
  }

  #latency(): number {
    return 5 + this.#random() * 200;
  }

  #now(): number {
    return this.#clock.now + this.#faults.skewMs;
  }

  #faultOf(token: string): (ErrorCode & CloseName) | undefined {
    if (token === "") return "no_token";
    const facts = readToken(token);
    const { audience, issuedAt, expiresAt } = facts;
    if (expiresAt <= this.#now()) return "expired";
    if (issuedAt > this.#now() + TOLERANCE_MS) return "not_yet_valid";
    if (audience === "elsewhere") return "wrong_audience";
    return this.#isRevoked(facts) ? "revoked" : undefined;
  }

  #admit(url: string, events: SocketEvents, token: string): void {
    const fault = this.#faultOf(token);
    if (fault !== undefined) this.seen.refused++;
    if (this.#random() < this.#faults.dialFails || (fault !== undefined && this.#faults.byStatus)) {
      this.#clock.tell(0, () => events.closed(1006, ""));
      return;
    }
    this.#clock.tell(0, () => events.opened());
    if (fault === undefined) this.#begin(url, events, token);
    else this.#clock.tell(0, () => events.closed(CLOSE[fault], fault));
  }

  #begin(url: string, events: SocketEvents, token: string): void {
    const from = new URL(url).searchParams.get("from");
    const position = from ?? `a:${this.head}`;
    const recovered = from === null ? undefined : true;
    this.#tell(events, JSON.stringify({ id: 0, ok: { position, head: `a:${this.head}`, recovered } }));
    const sent = Number(position.slice(2));
    this.#live = { events, token: readToken(token), sent, lastId: 0, stopTimers: () => undefined };
    this.#time(this.#live);
    this.#send();
  }

  #time(connection: Connection): void {
    connection.stopTimers();
    const left = connection.token.expiresAt - this.#now();
    const notice = this.#clock.after(left - Math.min(NOTICE_MS, left / 2), () =>
      this.#tell(connection.events, encodeExpires(connection.token.expiresAt - this.#now())),
    );
    const end = this.#clock.after(left, () => this.#end("expired"));
    connection.stopTimers = () => {
      notice();
      end();
    };
  }

  #end(name: "expired" | "revoked"): void {
    if (this.#live === undefined) return;
    this.seen[name]++;
    this.#close(this.#live, CLOSE[name], name);
  }

  #close({ events }: Connection, code: number, reason: string): void {
    this.#forget();
    this.#clock.tell(0, () => events.closed(code, reason));
  }

  #forget(): void {
    this.#live?.stopTimers();
    this.#live = undefined;
  }

  #send(): void {
    const live = this.#live;
    if (live === undefined) return;
    for (; live.sent < this.head; live.sent++)
      this.#tell(live.events, `{"e":"${PATH}","p":"a:${live.sent + 1}","q":${live.sent},"v":1}`);
  }

  #tell(events: SocketEvents, frame: string): void {
    this.#clock.tell(0, () => events.message(frame));
  }

  #answer(text: string): void {
    const live = this.#live;
    if (live === undefined) return;
    const { id, token } = v.parse(Renew, JSON.parse(text));
    if (text === PING) this.#tell(live.events, PONG);
    else if (id !== undefined && token !== undefined) this.#renew(live, id, token);
    else this.violations.push(`it said ${text}`);
  }

  #renew(live: Connection, id: number, token: string): void {
    if (id <= live.lastId) this.violations.push("an id that doesn't grow");
    live.lastId = id;
    const chance = this.#random();
    if (chance < this.#faults.renewalLost) return;
    const fault = this.#faultOf(token);
    if (chance < this.#faults.renewalLost + this.#faults.renewalLimited) {
      const error = { ...errorBody("rate_limited", ""), retryAfterMs: 3_000 };
      this.#tell(live.events, JSON.stringify({ id, error }));
    } else if (fault !== undefined) this.#tell(live.events, encodeError(id, fault, ""));
    else {
      this.seen.renewed++;
      live.token = readToken(token);
      this.#carried = token;
      this.#time(live);
      this.#tell(live.events, encodeRenewed(id, live.token.expiresAt));
    }
  }
}
