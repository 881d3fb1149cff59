/**
 * The Worker's routes. It checks what comes in, picks the object or the shard, and passes on; it keeps nothing.
 * H1–H8 of PROTOCOL.md.
 */
import { Hono } from "hono";
import { cors } from "hono/cors";
import type { Streams } from "../../shared/config/streams.ts";
import { ROUTES } from "../../shared/protocol/version.ts";
import type { Env } from "../env.ts";
import { requireStreams } from "../exposed.ts";
import { count, operations } from "../operations.ts";
import { errorResponse, internalError } from "./answers.ts";
import { latestRoute, upgradeRoute } from "./endpoint-route.ts";
import { healthRoute } from "./health-route.ts";
import { isWebSocketUpgrade } from "./upgrades.ts";
import { uplinkRoute } from "./uplink-route.ts";

/** `page`: the files of the page by their paths. */
export function createApp(page: ReadonlyMap<string, () => Response>): Hono<{ Bindings: Env }> {
  // Paths as they stand: decoded, `%24` would pass for `$`, and with it other paths for the edge's own.
  const app = new Hono<{ Bindings: Env }>({ getPath: (request) => new URL(request.url).pathname });
  app.onError((error) => internalError("the Worker", error));

  app.use(async ({ req, env }, next) => {
    count("worker_request");
    if (!isWebSocketUpgrade(req.raw) || req.path === ROUTES.uplink) return next();
    return upgradeRoute(req.raw, env);
  });
  app.use(cors({ origin: "*", allowMethods: READS, exposeHeaders: EXPOSED }));
  app.use(async ({ req }, next) => {
    if (READS.includes(req.method)) return next();
    return errorResponse("method_not_allowed", "this edge is read only", { Allow: READS.join(", ") });
  });

  app.get("/", (c) => c.redirect(ROUTES.home, 302));
  for (const [path, file] of page) app.get(path, () => file());
  app.get(ROUTES.health, ({ env }) => healthRoute(env));
  app.get(ROUTES.streams, () => publicStreams(requireStreams()));
  app.get(ROUTES.operations, async ({ req, env }) => {
    if (env.OPERATIONS !== "on") return errorResponse("not_found", "nothing lives here");
    const elsewhere = await env.STORING?.fetch(req.url);
    return Response.json(operations(await elsewhere?.json<Record<string, number>>()));
  });
  app.get(ROUTES.uplink, ({ req, env }) => uplinkRoute(req.raw, env));
  app.get("*", ({ req, env }) => latestRoute(req.raw, env));
  return app;
}

const READS = ["GET", "HEAD"];
const EXPOSED = ["ETag", "Distributary-Timestamp", "Distributary-Headers-Omitted", "Retry-After"];

/** What everybody may know of the streams. */
function publicStreams(streams: Streams): Response {
  const list = streams.all.map(({ topic, title, windowUpdates, windowMs }) => ({
    topic,
    title,
    window: { updates: windowUpdates, seconds: windowMs / 1_000 },
  }));
  return Response.json({ streams: list }, { headers: { "Cache-Control": "no-cache" } });
}
