/** How objects are found and asked: the platform's namespace of a class, and its stubs. */

import { requireAlive, running } from "../holder.ts";
import { refuse } from "../refused.ts";
import { WebSocket } from "../sockets/web-socket.ts";
import { TIME_LIMITS } from "../time-limits.ts";
import { onceStored } from "../turn.ts";
import { Request } from "../web/request.ts";
import { Response } from "../web/response.ts";
import { Actor, type ObjectClass } from "./actor.ts";
import { ObjectId } from "./id.ts";
import type { Instance } from "./life.ts";

/** Methods that the platform calls, and nobody else can. */
const RESERVED: ReadonlySet<string> = new Set([
  ..."alarm connect constructor dup fetch webSocketClose webSocketError webSocketMessage".split(" "),
]);

interface Stub {
  readonly id: ObjectId;
  readonly name: string;
  fetch(input: string | URL | globalThis.Request, init?: RequestInit): Promise<Response>;
}

export class Namespace {
  readonly #class: ObjectClass;
  readonly #env: unknown;
  /** By name. */
  readonly #actors = new Map<string, Actor>();
  /** How many of its objects have gone so far, nothing of them being left but what they stored. */
  gone = 0;

  constructor(objectClass: ObjectClass, env: unknown) {
    this.#class = objectClass;
    this.#env = env;
  }

  /** How many objects there is anything of. */
  get size(): number {
    return this.#actors.size;
  }

  idFromName(name: string): ObjectId {
    return new ObjectId(this.#class.className, name);
  }

  /** Where it is made is a hint of the platform's; here there is one place. */
  get(id: ObjectId, _options?: { readonly locationHint?: string }): Stub {
    const stub: Stub = {
      id,
      name: id.name,
      fetch: (input, init) => this.#ask(id, (instance) => fetchOf(instance, input, init)).then(fromObject),
    };
    return new Proxy(stub, {
      get: (known, member) => {
        // It isn't a promise, whoever awaits it.
        if (typeof member === "symbol" || member === "then") return undefined;
        if (Object.hasOwn(known, member)) return Reflect.get(known, member);
        return (...args: unknown[]) => this.#call(id, member, args);
      },
    });
  }

  /** Objects that nothing keeps awake are taken out of memory. */
  rest(): void {
    const since = performance.now() - TIME_LIMITS.idleMs;
    for (const actor of this.#actors.values()) actor.rest(since);
  }

  /** The object of a name, if there is anything of it. */
  find(name: string): Actor | undefined {
    return this.#actors.get(name);
  }

  #actor(id: ObjectId): Actor {
    const { name } = id;
    const known = this.#actors.get(name);
    if (known !== undefined) return known;
    const actor: Actor = new Actor(id, this.#class, this.#env, () => {
      if (this.#actors.get(name) !== actor) return;
      this.#actors.delete(name);
      this.gone++;
    });
    this.#actors.set(name, actor);
    return actor;
  }

  /** When the present turn is over, as everything that goes from one object to another, and what that has written is stored. */
  #ask<T>(id: ObjectId, run: (instance: Instance) => T | Promise<T>): Promise<T> {
    const asker = running.getStore();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (asker === undefined) {
      // The Worker writes nothing, and knows of nothing that isn't stored.
      process.nextTick(() => this.#actor(id).answer(run).then(resolve, reject));
      return promise;
    }
    requireAlive(asker);
    const release = asker.hold();
    const settle =
      <A>(how: (answer: A) => void) =>
      (answer: A) => {
        release();
        // What is left of whoever asked doesn't go on.
        if (!asker.isOver) how(answer);
      };
    onceStored(() => {
      // What it wrote couldn't be stored.
      if (asker.isOver) return;
      running.run(undefined, () => this.#actor(id).answer(run)).then(settle(resolve), settle(reject));
    });
    return promise;
  }

  /** What goes along, and what comes back, is a copy. */
  async #call(id: ObjectId, method: string, args: unknown[]): Promise<unknown> {
    const given = copyOf(args);
    const result = await this.#ask(id, async (instance) => {
      try {
        return await methodOf(instance, method).apply(instance, given);
      } catch (error) {
        throw remote(error);
      }
    });
    return isPrimitive(result) ? result : structuredClone(result);
  }
}

function copyOf(args: readonly unknown[]): unknown[] {
  return args.every(isPrimitive) ? [...args] : structuredClone([...args]);
}

/** Nothing that could be shared, or can't be copied. */
function isPrimitive(value: unknown): boolean {
  return value === null || ["undefined", "boolean", "number", "string"].includes(typeof value);
}

refuse(Namespace.prototype, "DurableObjectNamespace", [
  "getByName",
  "idFromString",
  "jurisdiction",
  "newUniqueId",
]);

function methodOf(instance: Instance, name: string): (...args: unknown[]) => unknown {
  const found: unknown =
    RESERVED.has(name) || name in Object.prototype ? undefined : Reflect.get(instance, name);
  if (typeof found === "function" && !Object.hasOwn(instance, name))
    return found as (...args: unknown[]) => unknown;
  throw new TypeError(`The RPC receiver does not implement the method "${name}".`);
}

function fetchOf(
  instance: Instance,
  input: string | URL | globalThis.Request,
  init?: RequestInit,
): Response | Promise<Response> {
  if (instance.fetch === undefined) throw new TypeError("Handler does not export a fetch() function.");
  const request = input instanceof Request && init === undefined ? input : new Request(input, init);
  return instance.fetch(request) as Response | Promise<Response>;
}

/** Its socket is whoever asked's from now on. */
function fromObject(answer: Response): Response {
  const { webSocket, headers } = answer;
  if (webSocket === null) return answer;
  return Response.switched(headers, new WebSocket(WebSocket.endOf(webSocket), running.getStore()));
}

/** What was thrown as it comes from somewhere else, with what it says of itself. */
function remote(error: unknown): unknown {
  if (typeof error !== "object" || error === null) return error;
  return Object.assign(structuredClone(error), structuredClone({ ...error }), { remote: true });
}
