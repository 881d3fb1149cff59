/**
 * What the connections of an object follow, how much that may be, and what they are told of it: M2–M5, M8 and M9 of
 * PROTOCOL.md. How one subscription goes on is for follow-states.ts to decide; this holds what stands on the connections, and
 * the endpoints, to it.
 */
import type { ErrorCode } from "../../shared/protocol/codes.ts";
import { encodeUnsubscribed } from "../../shared/protocol/connection-frames.ts";
import { encodeEnd, encodeError } from "../../shared/protocol/subscriber.ts";
import type { ConnectLimits } from "../endpoint/connection-limits.ts";
import type { SubscriptionFacts } from "../endpoint/subscription-states.ts";
import type { Connection } from "./connection.ts";
import type { Endpoints } from "./endpoints.ts";
import { type FollowEvent, followOf, stepFollow, type Told } from "./follow-states.ts";
import type { Subscribe } from "./hearing.ts";
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
  /** What must outlive the memory has changed. */
  changed(connection: Connection): void;
}

/** Why something was refused, or ends. */
export interface Why {
  readonly code: ErrorCode;
  readonly message: string;
}

export const NOT_EXPOSED: Why = { code: "unknown_topic", message: "the topic is exposed no longer" };
export const LOST: Why = { code: "unavailable", message: "the source of this endpoint can't be reached" };
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
    this.#subscriptions -= connection.follows.size;
    for (const path of connection.follows.keys()) this.#ports.endpoints().leave(connection, path);
  }

  subscribe(connection: Connection, { endpoint: path, id, from, occupancy }: Subscribe): void {
    const refusal = this.#refusalOf(connection, path);
    if (refusal !== undefined) {
      this.#ports.tell(connection, encodeError(id, refusal.code, refusal.message));
      return;
    }
    this.#step(connection, path, { kind: "sub", id });
    if (!connection.isOpen) return;
    if (!connection.follows.has(path)) this.#subscriptions++;
    this.#ports.endpoints().subscribe(connection, path, id, from, occupancy);
  }

  unsubscribe(connection: Connection, path: string, id: number): void {
    this.#step(connection, path, { kind: "unsub", id });
  }

  /** The edge ends it. */
  end(connection: Connection, path: string, why: Why): void {
    this.#step(connection, path, { kind: "ends" }, why);
  }

  /** How far a subscription is. */
  keep(connection: Connection, path: string, facts: SubscriptionFacts): void {
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

  #refusalOf({ follows, right }: Connection, path: string): Why | undefined {
    const judgement = this.#ports.judge(path, right);
    if (!judgement.ok) return judgement;
    if (follows.has(path)) return undefined;
    const { limits, endpoints, subscriptions } = this.#bounds;
    if (follows.size >= limits.subscriptions)
      return { code: "too_many_subscriptions", message: `a connection has at most ${limits.subscriptions}` };
    const held = this.#ports.endpoints();
    const isFull = this.#subscriptions >= subscriptions || (!held.has(path) && held.size >= endpoints);
    return isFull ? FULL : undefined;
  }

  /** @param why The edge ends it. */
  #step(connection: Connection, path: string, event: FollowEvent, why: Why = LOST): void {
    const { after, tells } = stepFollow(followOf(connection.follows.get(path)), event);
    if (after.kind === "none" && connection.follows.delete(path)) {
      this.#subscriptions--;
      this.#ports.endpoints().leave(connection, path);
      this.#ports.changed(connection);
    }
    for (const told of tells)
      if (connection.isOpen) this.#ports.tell(connection, encodeTold(told, path, why));
  }
}

/** Whether a connection has yet to hear anything: one that hears something may be left time to renew its token. */
export function awaitsAll({ follows }: Connection): boolean {
  for (const facts of follows.values()) if (followOf(facts).kind === "answered") return false;
  return follows.size > 0;
}

function encodeTold(told: Told, path: string, { code, message }: Why): string {
  switch (told.kind) {
    case "superseded":
      return encodeError(told.id, "superseded", "another subscribe or unsub took its place");
    case "unsubscribed":
      return encodeUnsubscribed(told.id, path);
    case "refused":
      return encodeError(told.id, code, message);
    case "ended":
      return encodeEnd(path, code, message);
  }
}
