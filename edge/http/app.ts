/**
 * The Worker's routes. It checks what comes in, picks the object or the shard, and passes on; it keeps nothing
 * beyond a request. H1–H8 of PROTOCOL.md.
 */
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { LIMITS } from "../../shared/protocol/limits.ts";
import { PUBLISH_HEADERS, ROUTES } from "../../shared/protocol/version.ts";
import type { Door, Identified, Known } from "../access/access.ts";
import { mayDiscover } from "../access/decision.ts";
import type { KeepAlive } from "../access/remote-keys.ts";
import { errorResponse, internalError, logProblem, privately, refusedToken, tooMuch } from "../answers.ts";
import type { Env } from "../env.ts";
import { requireStreams } from "../exposed.ts";
import { addOperations, count, operations } from "../operations.ts";
import { encodePrincipal, type KnownPrincipal, PUBLIC, REVOKED } from "../principal.ts";
import { shardStubOf } from "../routing.ts";
import { SteadyClock } from "../surroundings.ts";
import { hostAllowed, isForAnyPage, mayAsk, OTHER_PAGE, WRONG_HOST } from "./browsers.ts";
import { connectAnswer } from "./connect-route.ts";
import { healthRoute, RecentHealth } from "./health-route.ts";
import { type Insight, insightOf } from "./insight.ts";
import { type DataCentreCache, LatestCache } from "./latest-cache.ts";
import { startsFrom, wantsEvents, withinStream } from "./plain/event-stream.ts";
import { readRoute } from "./plain/read-route.ts";
import { pathsOf, severalRoute } from "./plain/several-route.ts";
import { allowedOf } from "./publish-request.ts";
import { publishRoute } from "./publish-route.ts";
import { type Counted, quotaWait } from "./quotas.ts";
import { revocationMethods, revocationsRoute } from "./revocations-route.ts";
import { senderOf } from "./sender.ts";
import { askSiblings, isSiblingAsking } from "./siblings.ts";
import { subscribeRoute } from "./subscribe-route.ts";
import { badUpgrade, isWebSocketUpgrade } from "./upgrades.ts";
import { uplinkRoute } from "./uplink-route.ts";

const clock = new SteadyClock(() => Date.now());

export interface App {
  fetch(request: Request, env: Env, context?: ExecutionContext): Response | Promise<Response>;
}

/**
 * `page`: the files of the page by their paths. `doorOf`: asked once for each request, and nobody else decides who sends it.
 * `cacheOf`: that of the data centre, if there is one.
 */
export function createApp(
  page: ReadonlyMap<string, () => Response>,
  doorOf: (env: Env) => Promise<Door>,
  cacheOf: (env: Env) => DataCentreCache | undefined = () => undefined,
): App {
  let latestCache: LatestCache | undefined;
  const recentHealth = new RecentHealth(() => clock.now());
  // Paths as they stand: decoded, `%24` would pass for `$`, and with it other paths for the edge's own.
  const app = new Hono<{ Bindings: Env }>({ getPath: (request) => new URL(request.url).pathname });
  app.onError((error) => internalError("the Worker", error));

  app.use(async (context, next) => {
    if (!isSiblingAsking(context.env)) count("worker_request");
    await next();
    if (context.res.status !== 101) context.res.headers.set("X-Content-Type-Options", "nosniff");
  });
  app.use(async (context, next) => {
    await next();
    const { path, raw } = context.req;
    // What else lives under /$/ has no streams.
    const hasStreams = path === ROUTES.connect || !path.startsWith(ROUTES.home);
    const within = hasStreams ? await withinStream(raw, context.res) : undefined;
    if (within !== undefined) context.res = within;
  });
  app.use(async ({ req, env }, next) => {
    if (hostAllowed(new URL(req.url), env)) return next();
    return errorResponse(WRONG_HOST.code, WRONG_HOST.message);
  });
  // Only a GET can become one.
  app.use(async ({ req }, next) =>
    isWebSocketUpgrade(req.raw) && req.path !== ROUTES.uplink ? badUpgrade() : next(),
  );
  app.use(async (context, next) => {
    const rules = await rulesFor(context);
    if (rules === undefined) return next();
    const { webOrigins, cookie } = rules;
    const { req, env } = context;
    if (!mayAsk(req.raw, rules, env)) return errorResponse(OTHER_PAGE.code, OTHER_PAGE.message);
    // Without an answer to its preflight no other origin's page gets a token to where tokens are revoked.
    if (!isForAnyPage(req.path, rules) || revocationMethods(req.path) !== undefined) return next();
    return cors({
      origin: (origin) => (webOrigins === undefined ? "*" : origin),
      credentials: webOrigins !== undefined && cookie !== undefined,
      allowMethods: [...methodsOf(context.req.path)],
      allowHeaders: allowedOf(context.req.header("Access-Control-Request-Headers"), [
        "Authorization",
        "If-None-Match",
        "Last-Event-ID",
      ]),
      exposeHeaders: EXPOSED,
    })(context, next);
  });
  app.use(async ({ req }, next) => {
    const methods = methodsOf(req.path);
    if (methods.includes(req.method)) return next();
    return errorResponse("method_not_allowed", `served here: ${methods.join(", ")}`, {
      Allow: methods.join(", "),
    });
  });

  app.get("/", (c) => c.redirect(ROUTES.home, 302));
  for (const [path, file] of page) app.get(path, () => file());
  app.get(ROUTES.health, async (context) =>
    healthRoute(context.req.raw, context.env, await insight(context), recentHealth),
  );
  app.get(ROUTES.operations, async (context) => {
    const { req, env } = context;
    if (env.OPERATIONS !== "on" || (await insight(context)) !== "all")
      return errorResponse("not_found", "nothing lives here");
    // It, too, tells only those who may know.
    const elsewhere = await env.STORING?.fetch(req.url, { headers: req.raw.headers });
    const counted = operations(await elsewhere?.json<Record<string, number>>());
    const others = await askSiblings<Record<string, number>>(req.raw, env);
    const summed = [...others.values()].reduce<Record<string, number>>(addOperations, counted);
    return Response.json(summed, { headers: { "Cache-Control": "no-store" } });
  });
  // What a proxy made of a path on its way here, for whoever asks.
  app.get(`${ROUTES.probe}/*`, ({ req }) =>
    Response.json(
      { path: req.path.slice(ROUTES.probe.length) },
      { headers: { "Cache-Control": "no-store" } },
    ),
  );
  app.get(ROUTES.uplink, ({ req, env }) => uplinkRoute(req.raw, env));
  app.on(["GET", ...PUBLISHES], [ROUTES.revocations, `${ROUTES.revocations}/*`], async (context, next) => {
    const { req, env } = context;
    if (revocationMethods(req.path) === undefined) return next();
    // A browser sends a cookie along whichever page asks: none counts here.
    const headers = withoutCookie(req.raw.headers);
    const identified = await (await doorOf(env)).identify(headers, false, keepAliveOf(context));
    return answered(identified, (known) => revocationsRoute(req.raw, env, known));
  });
  app.get(ROUTES.streams, async (context) => read(context, (known) => streamsFor(known, context.env)));
  app.get(ROUTES.connect, async (context) => {
    const { raw } = context.req;
    if (!wantsEvents(raw)) return read(context, async (known) => connectAnswer(known));
    // Each endpoint is a subscribe.
    const kinds = pathsOf(raw).flatMap(() => kindsOf(raw));
    return counted(context, kinds, await whoSends(context), (known) => severalRoute(raw, context.env, known));
  });
  app.get("*", async (context) =>
    counted(context, kindsOf(context.req.raw), await whoSends(context), (known) =>
      readRoute(context.req.raw, context.env, known, keepAliveOf(context), latest(context.env)),
    ),
  );
  app.on(PUBLISHES, "*", async (context) => {
    const { req, env } = context;
    // A page names its origin with every write: a cookie that comes without one counts no more than one of a stranger's page.
    const headers = req.header("Origin") === undefined ? withoutCookie(req.raw.headers) : req.raw.headers;
    const identified = await (await doorOf(env)).identify(headers, false, keepAliveOf(context));
    return counted(context, ["publish"], identified, (known) => publishRoute(req.raw, env, known));
  });
  return {
    fetch(request, env, context) {
      if (request.method !== "GET" || !isWebSocketUpgrade(request)) return app.fetch(request, env, context);
      const url = new URL(request.url);
      if (url.pathname === ROUTES.uplink) return app.fetch(request, env, context);
      // It comes most, and most at once: it is looked up in no routes.
      return subscribeRoute(request, url, env, doorOf, (work) => context?.waitUntil(work));
    },
  };

  function latest(env: Env): LatestCache | undefined {
    const cache = latestCache === undefined ? cacheOf(env) : undefined;
    if (cache !== undefined) latestCache = new LatestCache(cache, () => Date.now());
    return latestCache;
  }

  /** undefined where they are wrong, for what is served all the same: origins go on, and it can be seen that they do. */
  async function rulesFor({ req, env }: Context<{ Bindings: Env }>): Promise<Door["rules"] | undefined> {
    try {
      return (await doorOf(env)).rules;
    } catch (error) {
      if (req.path !== ROUTES.health && req.path !== ROUTES.uplink) throw error;
      logProblem("the Worker", error);
      return undefined;
    }
  }

  async function insight(context: Context<{ Bindings: Env }>): Promise<Insight> {
    const { req, env } = context;
    return insightOf(
      req.raw,
      env,
      () => whoSends(context),
      (principal) => isRevoked(principal, env),
    );
  }

  /** What clients read, as often as their quota allows. */
  async function read(
    context: Context<{ Bindings: Env }>,
    answer: (known: Known) => Promise<Response>,
  ): Promise<Response> {
    return counted(context, ["read"], await whoSends(context), answer);
  }

  async function counted(
    { req, env }: Context<{ Bindings: Env }>,
    kinds: readonly Counted[],
    identified: Identified,
    answer: (known: Known) => Promise<Response>,
  ): Promise<Response> {
    const sender = senderOf(req.raw, identified.ok ? identified.known.principal : PUBLIC, env);
    const seconds = await quotaWait(env, sender, ...kinds);
    return seconds > 0 ? tooMuch(seconds) : answered(identified, answer);
  }

  async function whoSends(context: Context<{ Bindings: Env }>): Promise<Identified> {
    const { req, env } = context;
    return (await doorOf(env)).identify(req.raw.headers, false, keepAliveOf(context));
  }
}

/** What an event stream begins is a subscribe, whatever carries it. */
function kindsOf(request: Request): readonly Counted[] {
  if (request.method !== "GET" || !wantsEvents(request)) return ["read"];
  return startsFrom(request) === null ? ["subscribe"] : ["subscribe", "replay"];
}

function keepAliveOf(context: Context<{ Bindings: Env }>): KeepAlive {
  return (work) => context.executionCtx.waitUntil(work);
}

/** An answer to an identified client is for that client only. */
async function answered(
  identified: Identified,
  answer: (known: Known) => Promise<Response>,
): Promise<Response> {
  if (!identified.ok) return refusedToken(identified.code, identified.message, identified.retryMs);
  const { known } = identified;
  return known.principal.kind === "public" ? answer(known) : privately(await answer(known));
}

const READS = ["GET", "HEAD"];
const PUBLISHES = ["POST", "DELETE"];

/** What is served at a path. */
function methodsOf(path: string): readonly string[] {
  const isOwn = path === "/" || `${path}/`.startsWith(ROUTES.home);
  return revocationMethods(path) ?? (isOwn ? READS : [...READS, ...PUBLISHES]);
}

function withoutCookie(given: Headers): Headers {
  const headers = new Headers(given);
  headers.delete("Cookie");
  return headers;
}

const EXPOSED = [
  "ETag",
  "Distributary-Timestamp",
  "Distributary-Headers-Omitted",
  PUBLISH_HEADERS.key,
  "Preference-Applied",
  "Retry-After",
  "WWW-Authenticate",
];

/** Any shard knows. Those of one subject ask the same one. */
async function isRevoked(principal: KnownPrincipal, env: Env): Promise<boolean> {
  return shardStubOf(env, principal.subject).isRevoked(encodePrincipal(principal) ?? "");
}

/** What one may know of the streams. */
async function streamsFor({ principal, ...asker }: Known, env: Env): Promise<Response> {
  if (principal.kind === "known" && (await isRevoked(principal, env)))
    return refusedToken(REVOKED.code, REVOKED.message);
  const list = requireStreams()
    .all.filter((stream) => mayDiscover(stream, asker, undefined))
    .map(({ topic, title, subscribe, publish, windowUpdates, windowMs }) => ({
      topic,
      title,
      subscribe,
      publish,
      window: { updates: windowUpdates, seconds: windowMs / 1_000 },
      // For so long the same Idempotency-Key is the same publish.
      ...(publish !== "nobody" && { idempotency: { seconds: LIMITS.publishWindowSeconds } }),
    }));
  return Response.json({ streams: list }, { headers: { "Cache-Control": "no-cache" } });
}
