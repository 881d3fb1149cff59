/**
 * What the connections of an object follow, how much that may be, and what they are told of it: M2–M5, M8 and M9 of
 * PROTOCOL.md. A socket of one endpoint ends with what it follows, and is told why by its close (S1–S3). How one subscription
 * goes on is for follow-states.ts to decide; this holds what stands on the connections, and the endpoints, to it.
 */
import type { CloseName, ErrorCode } from "../../shared/protocol/codes.ts";
import { encodeUnsubscribed } from "../../shared/protocol/connection-frames.ts";
import { OLDEST } from "../../shared/protocol/position.ts";
import { encodeEnd, encodeError } from "../../shared/protocol/subscriber.ts";
import type { ConnectLimits } from "../endpoint/connection-limits.ts";
import { TOO_MUCH_PAST } from "../endpoint/replay-quota.ts";
import { subscribed } from "../endpoint/subscription-states.ts";
import type { Connection, Followed } from "./connection.ts";
import type { Endpoints } from "./endpoints.ts";
import { type FollowEvent, followOf, stepFollow, type Told } from "./follow-states.ts";
import type { Subscribe } from "./hearing.ts";
import type { Oldest } from "./oldest.ts";
import type { Judgement, Right } from "./right.ts";

export interface FollowBounds {
  /** Of one connection. */
  readonly limits: Pick<ConnectLimits, "subscriptions">;
  /** What an object holds at most. */
  readonly endpoints: number;
  readonly subscriptions: number;
}

export interface FollowsPorts {
  /** Whether a path may be subscribed to. */
  judge(path: string, right: Right): Judgement;
  endpoints(): Pick<Endpoints<Connection>, "has" | "size" | "subscribe" | "leave">;
  /** May close the connection, which then isn't open any more. */
  tell(connection: Connection, frame: string): void;
  close(connection: Connection, name: CloseName): void;
  /** Those who ask where an endpoint's history begins. */
  readonly oldest: Pick<Oldest<Connection>, "ask" | "leave">;
  /** What must outlive the memory has changed. */
  changed(connection: Connection): void;
}

/** Why something was refused, or ends. */
export interface Why {
  readonly code: ErrorCode;
  readonly message: string;
  /** Before it is subscribed to again. */
  readonly retryAfterMs?: number;
}

export const NOT_EXPOSED: Why = { code: "unknown_topic", message: "the topic is exposed no longer" };
export const LOST: Why = { code: "unavailable", message: "the source of this endpoint can't be reached" };

/** S27. */
export function tooMuch(retryAfterMs: number): Why {
  return { code: "rate_limited", message: TOO_MUCH_PAST, retryAfterMs };
}

const ALLOWED: Judgement = { ok: true };
const FULL: Why = { code: "overloaded", message: "this server holds as many subscriptions as it can" };

export class Follows {
  readonly #bounds: FollowBounds;
  readonly #ports: FollowsPorts;
  #subscriptions = 0;

  constructor(bounds: FollowBounds, ports: FollowsPorts) {
    this.#bounds = bounds;
    this.#ports = ports;
  }

  /** A connection is there, perhaps with what it followed in a life before. */
  add({ follows }: Connection): void {
    this.#subscriptions += follows.size;
  }

  /** A connection is no more. */
  remove(connection: Connection): void {
    const { follows } = connection;
    this.#subscriptions -= follows.size;
    for (const path of follows.keys()) this.#leave(connection, path);
    // Whoever was about to end one of these finds nothing left to end.
    follows.clear();
  }

  subscribe(connection: Connection, { endpoint: path, id, from, occupancy }: Omit<Subscribe, "kind">): void {
    const refusal = this.#refusalOf(connection, path);
    if (refusal !== undefined) {
      if (connection.only === undefined)
        this.#ports.tell(connection, encodeError(id, refusal.code, refusal.message));
      else this.#ports.close(connection, "overloaded");
      return;
    }
    this.#step(connection, path, { kind: "sub", id });
    if (!connection.isOpen) return;
    if (!connection.follows.has(path)) this.#subscriptions++;
    if (from === OLDEST) this.#begin(connection, path, id, occupancy);
    else this.#ports.endpoints().subscribe(connection, path, id, from, occupancy);
  }

  /** Asks where to begin, for one that wants the oldest there is. */
  #begin(connection: Connection, path: string, id: number, occupancy?: true): void {
    // What took its place hears nothing of what was.
    this.#ports.endpoints().leave(connection, path);
    this.keep(connection, path, { id, subscription: subscribed(undefined, 0), occupancy, seeks: OLDEST });
    this.#seek(connection, path, id);
  }

  /** Goes on to ask where to begin what asked for that in a life before. */
  resume(connection: Connection): void {
    for (const [path, { id, seeks }] of connection.follows) if (seeks) this.#seek(connection, path, id);
  }

  #seek(connection: Connection, path: string, id: number): void {
    this.#ports.oldest.ask(path, connection, (oldest) => {
      const followed = connection.follows.get(path);
      // Its connection may have been closed as another one heard of it.
      if (!connection.isOpen || followed?.id !== id || !followed.seeks) return;
      if ("code" in oldest) this.end(connection, path, oldest);
      else if (this.#lacksPlaceFor(path)) this.end(connection, path, FULL);
      else this.#ports.endpoints().subscribe(connection, path, id, oldest, followed.occupancy);
    });
  }

  /** Whether nobody more can subscribe to an endpoint. */
  isFullFor(path: string): boolean {
    return this.#subscriptions >= this.#bounds.subscriptions || this.#lacksPlaceFor(path);
  }

  /** Of the endpoints only those have a place that somebody follows, and not those that only seek where to begin. */
  #lacksPlaceFor(path: string): boolean {
    const held = this.#ports.endpoints();
    return !held.has(path) && held.size >= this.#bounds.endpoints;
  }

  unsubscribe(connection: Connection, path: string, id: number): void {
    this.#step(connection, path, { kind: "unsub", id });
  }

  /** The edge ends it. */
  end(connection: Connection, path: string, why: Why): void {
    this.#step(connection, path, { kind: "ends" }, why);
  }

  /** How far a subscription is. */
  keep(connection: Connection, path: string, facts: Followed): void {
    connection.follows.set(path, facts);
    this.#ports.changed(connection);
  }

  /** Another token counts: what it doesn't allow ends (M9). Returns whether the connection is still open. */
  renewed(connection: Connection, right: Right): boolean {
    connection.right = right;
    this.#ports.changed(connection);
    for (const path of [...connection.follows.keys()]) {
      const judgement = this.#ports.judge(path, right);
      if (!judgement.ok) this.end(connection, path, judgement);
    }
    return connection.isOpen;
  }

  /** Neither its endpoint nor a question knows of it any more. */
  #leave(connection: Connection, path: string): void {
    if (connection.follows.get(path)?.seeks) this.#ports.oldest.leave(path, connection);
    this.#ports.endpoints().leave(connection, path);
  }

  #refusalOf({ only, follows, right }: Connection, path: string): Why | undefined {
    // Where it may have a socket of one endpoint was judged before it was accepted.
    const judgement = only === undefined ? this.#ports.judge(path, right) : ALLOWED;
    if (!judgement.ok) return judgement;
    const followed = follows.get(path);
    if (followed !== undefined) return followed.seeks && this.#lacksPlaceFor(path) ? FULL : undefined;
    const { limits } = this.#bounds;
    if (follows.size >= limits.subscriptions)
      return { code: "too_many_subscriptions", message: `a connection has at most ${limits.subscriptions}` };
    return this.isFullFor(path) ? FULL : undefined;
  }

  /** @param why The edge ends it. */
  #step(connection: Connection, path: string, event: FollowEvent, why: Why = LOST): void {
    const before = connection.follows.get(path);
    const { after, tells } = stepFollow(followOf(before), event);
    if (before?.seeks) this.#ports.oldest.leave(path, connection);
    if (after.kind === "none" && connection.follows.delete(path)) {
      this.#subscriptions--;
      this.#ports.endpoints().leave(connection, path);
      this.#ports.changed(connection);
    }
    for (const told of tells) {
      if (!connection.isOpen) return;
      if (connection.only === undefined) this.#ports.tell(connection, encodeTold(told, path, why));
      else if (told.kind === "refused" || told.kind === "ended") {
        if (why.retryAfterMs !== undefined) this.#ports.tell(connection, encodeTold(told, path, why));
        this.#endAlone(connection, path, why);
      }
    }
  }

  /** A socket of one endpoint has nothing left. */
  #endAlone(connection: Connection, path: string, why: Why): void {
    if (why === LOST) this.#ports.close(connection, "unavailable");
    else if (why.code === "rate_limited") this.#ports.close(connection, why.code);
    // Coming back it hears what is the matter.
    else if (why === NOT_EXPOSED) this.#ports.close(connection, "going_away");
    else {
      this.#ports.tell(connection, encodeEnd(path, "forbidden", "the new token doesn't allow this path"));
      this.#ports.close(connection, "forbidden");
    }
  }
}

/** Whether a connection has yet to hear anything: one that hears something may be left time to renew its token. */
export function awaitsAll({ follows }: Connection): boolean {
  for (const facts of follows.values()) if (followOf(facts).kind === "answered") return false;
  return follows.size > 0;
}

function encodeTold(told: Told, path: string, { code, message, retryAfterMs }: Why): string {
  switch (told.kind) {
    case "superseded":
      return encodeError(told.id, "superseded", "another subscribe or unsub took its place");
    case "unsubscribed":
      return encodeUnsubscribed(told.id, path);
    case "refused":
      return encodeError(told.id, code, message, retryAfterMs);
    case "ended":
      return encodeEnd(path, code, message);
  }
}
