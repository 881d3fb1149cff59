/**
 * One object, as long as there is anything of it: its sockets that hibernate, which outlive its memory, and the life that it has
 * just now, if it has one.
 */
import { join } from "node:path";
import { requireAlive } from "../holder.ts";
import type { End, Incoming, Taker } from "../sockets/end.ts";
import { WebSocket, type WebSocketRequestResponsePair } from "../sockets/web-socket.ts";
import type { ObjectId } from "./id.ts";
import { type Instance, Life } from "./life.ts";
import { ObjectState } from "./state.ts";
import { Sql } from "./storage.ts";

export interface ObjectClass {
  readonly className: string;
  readonly construct: new (state: ObjectState, env: unknown) => Instance;
  /** Where its objects store; undefined if they don't. */
  readonly folder: string | undefined;
}

/** What there is of a socket that hibernates, also when it has closed. */
interface Hibernating {
  readonly tags: readonly string[];
  /** As the present life holds it. */
  socket: WebSocket | undefined;
  pingedAt: Date | null;
}

const MOST_SOCKETS = 32_768;
const MOST_TAGS = 10;
const MOST_TAG_CHARACTERS = 256;

export class Actor implements Taker {
  readonly id: ObjectId;
  readonly #class: ObjectClass;
  readonly #env: unknown;
  readonly #gone: () => void;
  readonly #sockets = new Map<End, Hibernating>();
  #auto: WebSocketRequestResponsePair | undefined;
  #life: Life | undefined;
  #sql: Sql | undefined;

  /** @param gone there is nothing of it any more */
  constructor(id: ObjectId, objectClass: ObjectClass, env: unknown, gone: () => void) {
    this.id = id;
    this.#class = objectClass;
    this.#env = env;
    this.#gone = gone;
  }

  /** Takes it out of memory if nothing has kept it awake since then. Tells whether it is out. */
  rest(since: number): boolean {
    if (this.#life === undefined) this.#leave();
    else if (this.#life.isIdle && this.#life.touchedAt < since) this.evict();
    return this.#life === undefined;
  }

  /** Its memory is gone; its sockets stay, but for those that it dialled. */
  evict(): void {
    this.#end(new Error("the object was taken out of memory"));
    this.#leave();
  }

  /** All is gone but what it has stored. */
  abort(reason: unknown): void {
    const error = reason instanceof Error ? reason : new Error(String(reason));
    const ends = [...this.#sockets.keys()];
    this.#sockets.clear();
    this.#auto = undefined;
    for (const end of ends) end.drop();
    this.#end(error);
    this.#leave();
  }

  /** Runs a request, or a call, and answers when what it wrote is stored. */
  answer<T>(run: (instance: Instance) => T | Promise<T>): Promise<T> {
    let life: Life;
    try {
      life = this.#wake();
    } catch (error) {
      return Promise.reject(error);
    }
    const answered = life.request(() => run(instanceOf(life)));
    if (this.#class.folder === undefined) return answered;
    return answered.then(async (result) => {
      await this.#sql?.committed();
      return result;
    });
  }

  message(end: End, data: Incoming): void {
    // Nobody else sets it, and it is there as long as anything can come.
    const accepted = end.hibernating as Hibernating;
    if (this.#auto !== undefined && data === this.#auto.request) {
      accepted.pingedAt = new Date();
      if (!end.hasSentClose) end.send(this.#auto.response);
      return;
    }
    const life = this.#awake();
    if (life === undefined) return;
    if (life.isBlocked)
      this.#hear(end, accepted, "webSocketMessage", (instance, socket) =>
        instance.webSocketMessage?.(socket, data),
      );
    else
      life.event("webSocketMessage", () =>
        instanceOf(life).webSocketMessage?.(this.#held(end, accepted, life), data),
      );
  }

  closed(end: End, code: number, reason: string, wasClean: boolean): void {
    this.#hearLast(end, "webSocketClose", (instance, socket) =>
      instance.webSocketClose?.(socket, code, reason, wasClean),
    );
  }

  faulty(end: End, error: Error): void {
    this.#hearLast(end, "webSocketError", (instance, socket) => instance.webSocketError?.(socket, error));
  }

  /** The socket counts until it is told. One that isn't closed by then is dropped, and its other side hears of no close. */
  #hearLast(
    end: End,
    what: string,
    tell: (instance: Instance, socket: WebSocket) => void | Promise<void>,
  ): void {
    const accepted = this.#sockets.get(end);
    if (accepted === undefined) return;
    this.#hear(end, accepted, what, (instance, socket): undefined | Promise<void> => {
      const over = () => {
        this.#sockets.delete(end);
        if (!end.hasSentClose) end.abandon();
      };
      try {
        const told = tell(instance, socket);
        if (told instanceof Promise) return told.finally(over);
        over();
        return undefined;
      } catch (error) {
        over();
        throw error;
      }
    });
  }

  #hear(
    end: End,
    accepted: Hibernating,
    what: string,
    tell: (instance: Instance, socket: WebSocket) => void | Promise<void>,
  ): void {
    const life = this.#awake();
    if (life === undefined) return;
    const mustWait = life.isBlocked;
    if (mustWait) end.wire.pause();
    life.event(what, () => {
      if (mustWait) end.wire.resume();
      return tell(instanceOf(life), this.#held(end, accepted, life));
    });
  }

  /** Its life, at an event; undefined if it can't have one. */
  #awake(): Life | undefined {
    try {
      return this.#wake();
    } catch (error) {
      console.error(`${this.#class.className}: its constructor:`, error);
      this.abort(error);
      return undefined;
    }
  }

  #held(end: End, accepted: Hibernating, life: Life): WebSocket {
    accepted.socket ??= new WebSocket(end, life);
    return accepted.socket;
  }

  #wake(): Life {
    if (this.#life !== undefined) return this.#life;
    const life = new Life(`${this.#class.className} ${this.id.name}`, async () => this.#sql?.committed());
    this.#life = life;
    const { folder, className, construct: Class } = this.#class;
    const fail = (error: unknown) => {
      if (this.#life === life) this.abort(error);
    };
    const ports = { requireAlive: () => requireAlive(life), failed: fail };
    this.#sql =
      folder === undefined ? undefined : new Sql(join(folder, className, `${this.id}.sqlite`), ports);
    const state = this.#state(life, this.#sql);
    try {
      life.instance = life.enter(() => new Class(state, this.#env));
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    return life;
  }

  #state(life: Life, sql: Sql | undefined): ObjectState {
    const { id } = this;
    return new ObjectState({
      id,
      sql,
      waitUntil: (work) => life.waitUntil(work),
      blockConcurrencyWhile: (work) => life.block(work, (error) => this.#life === life && this.abort(error)),
      acceptWebSocket: (socket, tags) => {
        requireAlive(life);
        this.#accept(socket, tags);
      },
      getWebSockets: (tag) => {
        requireAlive(life);
        const found = [...this.#sockets]
          .filter(([, { tags }]) => tag === undefined || tags.includes(tag))
          .map(([end, accepted]) => this.#held(end, accepted, life));
        // As workerd has them: of a tag the oldest first, of all the newest.
        return tag === undefined ? found.reverse() : found;
      },
      getTags: (socket) => [...this.#acceptedOf(socket).tags],
      setAutoResponse: (pair) => {
        this.#auto = pair;
      },
      getAutoResponseTimestamp: (socket) => this.#acceptedOf(socket).pingedAt,
      abort: (reason) => {
        if (this.#life === life) this.abort(new Error(reason));
        throw new Error(reason);
      },
    });
  }

  #accept(socket: WebSocket, tags: readonly string[]): void {
    const end = WebSocket.endOf(socket);
    if (end.isTaken)
      throw new TypeError("Cannot call `acceptWebSocket()` on a WebSocket that was accepted before.");
    if (tags.length > MOST_TAGS)
      throw new TypeError(`a Hibernatable WebSocket cannot have more than ${MOST_TAGS} tags`);
    if (tags.some((tag) => tag.length > MOST_TAG_CHARACTERS))
      throw new TypeError(`a tag of a Hibernatable WebSocket has at most ${MOST_TAG_CHARACTERS} characters`);
    if (this.#sockets.size >= MOST_SOCKETS)
      throw new Error(`only ${MOST_SOCKETS} websockets can be accepted on a single Durable Object instance`);
    const accepted = { tags: tags.length > 1 ? [...new Set(tags)] : [...tags], socket, pingedAt: null };
    this.#sockets.set(end, accepted);
    end.hibernating = accepted;
    end.take(this);
  }

  #acceptedOf(socket: WebSocket): Hibernating {
    // Nobody else sets it.
    const accepted = WebSocket.endOf(socket).hibernating as Hibernating | undefined;
    if (accepted === undefined)
      throw new Error("only a WebSocket that was accepted by acceptWebSocket() has that");
    return accepted;
  }

  #end(error: Error): void {
    const life = this.#life;
    this.#life = undefined;
    for (const accepted of this.#sockets.values()) accepted.socket = undefined;
    this.#sql?.close();
    this.#sql = undefined;
    life?.end(error);
  }

  #leave(): void {
    if (this.#life === undefined && this.#sockets.size === 0) this.#gone();
  }
}

function instanceOf({ instance }: Life): Instance {
  if (instance === undefined) throw new Error("an object that is being made can't be asked yet");
  return instance;
}
