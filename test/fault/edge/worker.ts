/** The edge as it is, with a way to end its objects as the platform may at any time. The product has none. */
import unsafe from "workerd:unsafe";
import { EndpointObject as Endpoint } from "../../../edge/endpoint/endpoint-object.ts";
import type { Env } from "../../../edge/env.ts";
import { shardName } from "../../../edge/routing.ts";
import { ShardObject as Shard } from "../../../edge/shard/shard-object.ts";
import app from "../../../edge/worker.ts";

export { RelayObject } from "../../../edge/relay/relay-object.ts";

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

export class ShardObject extends Shard {
  constructor(ctx: DurableObjectState, env: Env) {
    // What the runtime notes is by the same clock.
    const noted = ctx.getWebSocketAutoResponseTimestamp.bind(ctx);
    ctx.getWebSocketAutoResponseTimestamp = (socket) => {
      const at = noted(socket);
      return at && new Real(at.getTime() + offMs);
    };
    super(ctx, env);
  }

  crash(): void {
    this.ctx.abort("crashed by a test");
  }
}

/** `/$/test/…`: `evict?path=`, `crash?path=`, `crash?shard=`, `sockets?path=`, `clock?seconds=`. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/$/test/")) return app.fetch(request, env, ctx);
    const path = searchParams.get("path");
    const shard = Number(searchParams.get("shard"));
    switch (pathname.slice("/$/test/".length)) {
      case "evict":
        await unsafe.evict(endpoint(env, path ?? ""), { webSockets: "hibernate" });
        return new Response("evicted");
      case "crash": {
        const crashed =
          path === null
            ? env.SHARD.get(env.SHARD.idFromName(shardName(shard))).crash()
            : endpoint(env, path).crash();
        // It ends before it can answer.
        await Promise.resolve(crashed).catch(() => {});
        return new Response("crashed");
      }
      case "sockets":
        return Response.json(await endpoint(env, path ?? "").sockets());
      case "clock":
        offMs = Number(searchParams.get("seconds")) * 1_000;
        return new Response("set");
      default:
        return new Response("no such thing", { status: 404 });
    }
  },
} satisfies ExportedHandler<TestEnv>;

interface TestEnv extends Omit<Env, "SHARD" | "ENDPOINT"> {
  readonly SHARD: DurableObjectNamespace<ShardObject>;
  readonly ENDPOINT: DurableObjectNamespace<EndpointObject>;
}

function endpoint(env: TestEnv, path: string): DurableObjectStub<EndpointObject> {
  return env.ENDPOINT.get(env.ENDPOINT.idFromName(path));
}
