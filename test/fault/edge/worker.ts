/** The edge as it is, with a way to end its objects as the platform may at any time. The product has none. */
import unsafe from "workerd:unsafe";
import { EndpointObject as Endpoint } from "../../../edge/endpoint/endpoint-object.ts";
import type { Env } from "../../../edge/env.ts";
import { shardName } from "../../../edge/routing.ts";
import { UplinkObject as Uplink } from "../../../edge/uplink/uplink-object.ts";
import app from "../../../edge/worker.ts";

/** Answers of origins to objects: what was recovered from an index. */
let answers = 0;
let answeredUpdates = 0;

export class EndpointObject extends Endpoint {
  crash(): void {
    this.ctx.abort("crashed by a test");
  }

  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    const frames = typeof data === "string" ? data.split("\u001e") : [];
    for (const frame of frames.filter((one) => one.startsWith('{"attached":'))) {
      answers++;
      answeredUpdates += (JSON.parse(frame) as { readonly count: number }).count;
    }
    super.webSocketMessage(socket, data);
  }
}

export class UplinkObject extends Uplink {
  crash(): void {
    this.ctx.abort("crashed by a test");
  }
}

/** `/$/test/…`: `evict?path=`, `crash?path=`, `crash?shard=`, `answers`. */
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
            ? env.UPLINK.get(env.UPLINK.idFromName(shardName(shard))).crash()
            : endpoint(env, path).crash();
        // It ends before it can answer.
        await Promise.resolve(crashed).catch(() => {});
        return new Response("crashed");
      }
      case "answers":
        return Response.json({ answers, answeredUpdates });
      default:
        return new Response("no such thing", { status: 404 });
    }
  },
} satisfies ExportedHandler<TestEnv>;

interface TestEnv extends Omit<Env, "UPLINK" | "ENDPOINT"> {
  readonly UPLINK: DurableObjectNamespace<UplinkObject>;
  readonly ENDPOINT: DurableObjectNamespace<EndpointObject>;
}

function endpoint(env: TestEnv, path: string): DurableObjectStub<EndpointObject> {
  return env.ENDPOINT.get(env.ENDPOINT.idFromName(path));
}
