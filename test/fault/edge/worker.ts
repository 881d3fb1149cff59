/** The edge as it is, with a way to end its objects as the platform may at any time. The product has none. */
import { EndpointObject as Endpoint } from "../../../edge/endpoint/endpoint-object.ts";
import type { Env } from "../../../edge/env.ts";
import { RelayObject as Relay } from "../../../edge/relay/relay-object.ts";
import { shardName } from "../../../edge/routing.ts";
import { ShardObject as Shard } from "../../../edge/shard/shard-object.ts";
import app from "../../../edge/worker.ts";

/** Where everybody is, as far as an edge on one machine knows. */
const REGION = "weur";

/** How far the clock is off that the Worker's code sees: workerd itself does not start under libfaketime. */
let offMs = 0;
const Real = Date;
globalThis.Date = class extends Real {
  constructor(...args: [] | [number | string]) {
    if (args.length === 0) super(Real.now() + offMs);
    else super(...args);
  }

  static override now(): number {
    return Real.now() + offMs;
  }
} as DateConstructor;

export class EndpointObject extends Endpoint {
  /** Of subscribers, and of links. */
  sockets(): number {
    return this.ctx.getWebSockets().length;
  }

  crash(): void {
    this.ctx.abort("crashed by a test");
  }
}

export class RelayObject extends Relay {
  /** Of connections, and of links. */
  sockets(): number {
    return this.ctx.getWebSockets().length;
  }

  /** As if the way between it and the shards were broken: what is under way gets lost. */
  cutLinks(): void {
    for (const link of this.ctx.getWebSockets("link")) link.close(1_011, "cut by a test");
  }

  crash(): void {
    this.ctx.abort("crashed by a test");
  }
}

export class ShardObject extends Shard {
  constructor(ctx: DurableObjectState, env: Env) {
    // What the runtime notes is by the same clock.
    const noted = ctx.getWebSocketAutoResponseTimestamp.bind(ctx);
    ctx.getWebSocketAutoResponseTimestamp = (socket) => {
      const at = noted(socket);
      if (at === null) return null;
      // On Node the runtime's own code has the same clock.
      const isByTheSame: boolean = at instanceof Date;
      return isByTheSame ? at : new Real(at.getTime() + offMs);
    };
    super(ctx, env);
  }

  crash(): void {
    this.ctx.abort("crashed by a test");
  }
}

type Query = URLSearchParams;

/** `/$/test/…`: `NAME?path=`, `NAME?relay=`, of shards `crash?shard=`; and `clock?seconds=`. */
const HOOKS: Readonly<Record<string, (env: TestEnv, query: Query) => Promise<unknown>>> = {
  evict: async (env, query) => {
    const one = hosting(env, query);
    if (env.EVICT !== undefined) return env.EVICT(one.name ?? "");
    const { default: unsafe } = await import("workerd:unsafe");
    await unsafe.evict(one, { webSockets: "hibernate" });
  },
  // It ends before it can answer.
  crash: async (env, query) => {
    const shard = query.get("shard");
    const one =
      shard === null ? hosting(env, query) : env.SHARD.get(env.SHARD.idFromName(shardName(Number(shard))));
    await Promise.resolve(one.crash()).catch(() => {});
  },
  "cut-links": (env, query) => relay(env, query.get("relay") ?? "").cutLinks(),
  sockets: async (env, query) => hosting(env, query).sockets(),
  clock: async (_, query) => {
    offMs = Number(query.get("seconds")) * 1_000;
  },
};

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/$/test/")) return app.fetch(request, env, ctx);
    const hook = HOOKS[pathname.slice("/$/test/".length)];
    if (hook === undefined) return new Response("no such thing", { status: 404 });
    return Response.json((await hook(env, searchParams)) ?? null);
  },
} satisfies ExportedHandler<TestEnv>;

interface TestEnv extends Omit<Env, "SHARD" | "ENDPOINT" | "RELAY"> {
  readonly SHARD: DurableObjectNamespace<ShardObject>;
  readonly ENDPOINT: DurableObjectNamespace<EndpointObject>;
  readonly RELAY: DurableObjectNamespace<RelayObject>;
  /** Of the runtime on Node (edge-on-node.ts): takes the object of this name out of memory. */
  readonly EVICT?: (name: string) => void;
}

/** The object of an endpoint, or a relay. */
function hosting(
  env: TestEnv,
  query: Query,
): DurableObjectStub<EndpointObject> | DurableObjectStub<RelayObject> {
  const number = query.get("relay");
  return number === null ? endpoint(env, query.get("path") ?? "") : relay(env, number);
}

function endpoint(env: TestEnv, path: string): DurableObjectStub<EndpointObject> {
  return env.ENDPOINT.get(env.ENDPOINT.idFromName(path));
}

function relay(env: TestEnv, number: string): DurableObjectStub<RelayObject> {
  return env.RELAY.get(env.RELAY.idFromName(`${REGION}-${number}`));
}
