/** What an object is given as `ctx`: as much of the platform's DurableObjectState as is used. */
import { refusal, refuse } from "../refused.ts";
import type { WebSocket, WebSocketRequestResponsePair } from "../sockets/web-socket.ts";
import type { ObjectId } from "./id.ts";
import type { Sql } from "./storage.ts";

/** What of it an object's life does. */
export interface StateCalls {
  readonly id: ObjectId;
  /** undefined: objects of its class store nothing. */
  readonly sql: Sql | undefined;
  waitUntil(work: Promise<unknown>): void;
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>;
  acceptWebSocket(socket: WebSocket, tags: readonly string[]): void;
  getWebSockets(tag: string | undefined): WebSocket[];
  getTags(socket: WebSocket): string[];
  setAutoResponse(pair: WebSocketRequestResponsePair | undefined): void;
  getAutoResponseTimestamp(socket: WebSocket): Date | null;
  abort(reason: string): void;
}

class Storage {
  readonly #sql: Sql | undefined;

  constructor(sql: Sql | undefined) {
    this.#sql = sql;
  }

  get sql(): Sql {
    if (this.#sql === undefined) throw refusal("storage of a class whose objects store nothing");
    return this.#sql;
  }
}

refuse(Storage.prototype, "DurableObjectStorage", [
  ..."delete deleteAlarm deleteAll get getAlarm getBookmarkForTime getCurrentBookmark kv list".split(" "),
  ..."onNextSessionRestoreBookmark put setAlarm sync transaction transactionSync waitForBookmark".split(" "),
]);

export class ObjectState {
  readonly storage: Storage;
  readonly #calls: StateCalls;

  constructor(calls: StateCalls) {
    this.#calls = calls;
    this.storage = new Storage(calls.sql);
  }

  get id(): ObjectId {
    return this.#calls.id;
  }

  waitUntil(work: Promise<unknown>): void {
    this.#calls.waitUntil(work);
  }

  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T> {
    return this.#calls.blockConcurrencyWhile(work);
  }

  acceptWebSocket(socket: WebSocket, tags: readonly string[] = []): void {
    this.#calls.acceptWebSocket(socket, tags);
  }

  getWebSockets(tag?: string): WebSocket[] {
    return this.#calls.getWebSockets(tag);
  }

  getTags(socket: WebSocket): string[] {
    return this.#calls.getTags(socket);
  }

  setWebSocketAutoResponse(pair?: WebSocketRequestResponsePair): void {
    this.#calls.setAutoResponse(pair);
  }

  getWebSocketAutoResponseTimestamp(socket: WebSocket): Date | null {
    return this.#calls.getAutoResponseTimestamp(socket);
  }

  abort(reason = "Application called abort() to reset Durable Object."): void {
    this.#calls.abort(reason);
  }
}

refuse(ObjectState.prototype, "DurableObjectState", [
  ..."container exports facets getHibernatableWebSocketEventTimeout getWebSocketAutoResponse props".split(
    " ",
  ),
  "setHibernatableWebSocketEventTimeout",
]);

/** What `cloudflare:workers` exports, as much of it as is used. */
export class DurableObject {
  readonly ctx: ObjectState;
  readonly env: unknown;

  constructor(ctx: ObjectState, env: unknown) {
    this.ctx = ctx;
    this.env = env;
  }
}
