/**
 * `/$/revocations`: an administrator calls back tokens of its own issuer, sees which it has called back, and lifts that. A9 of
 * INTERNALS.md. Every shard is asked, and then, through the origins, every other edge (D4); what one of them doesn't answer is
 * said, so that the request can be repeated.
 */

import type { Meant, Revocation } from "../../shared/protocol/revocation.ts";
import { ROUTES } from "../../shared/protocol/version.ts";
import type { Known } from "../access/access.ts";
import { hashOfName } from "../access/name-hash.ts";
import { REVOCATION_LIMITS, type RevocationRequest, readRevocation } from "../access/revocation-request.ts";
import { errorResponse, logProblem, refusedToken } from "../answers.ts";
import type { Env, ShardCalls } from "../env.ts";
import { encodePrincipal, type KnownPrincipal, REVOKED } from "../principal.ts";
import { requireShards, shardStub } from "../routing.ts";
import type { Unspread } from "../shard/spreading.ts";
import { TIME_LIMITS } from "../time-limits.ts";

/** What may be done there; undefined: nothing of this lives at the path. */
export function revocationMethods(path: string): readonly string[] | undefined {
  if (path === ROUTES.revocations) return ["GET", "HEAD", "POST"];
  return idIn(path) === undefined ? undefined : ["DELETE"];
}

export async function revocationsRoute(request: Request, env: Env, known: Known): Promise<Response> {
  const { principal, lifetimeSeconds } = known;
  if (!known.tokensCount)
    return errorResponse("not_found", "this edge has no issuers whose tokens could be revoked");
  if (principal.kind === "public" || lifetimeSeconds === undefined)
    return refusedToken("no_token", "an administrator's token is needed, as Authorization: Bearer");
  if (!principal.grants.admin) return errorResponse("forbidden", "the token isn't an administrator's");
  const asker = encodePrincipal(principal) ?? "";
  const asked = await askAll(env, (shard) => shard.isRevoked(asker));
  if (asked.answers.some(({ value }) => value)) return refusedToken(REVOKED.code, REVOKED.message);
  if (asked.answers.length === 0) return errorResponse("unavailable", "no shard can be asked just now");
  const id = idIn(new URL(request.url).pathname);
  if (id !== undefined) return lift(env, principal, id);
  return request.method === "POST" ? revoke(request, env, principal, lifetimeSeconds) : list(env, principal);
}

async function revoke(
  request: Request,
  env: Env,
  admin: KnownPrincipal,
  lifetimeSeconds: number,
): Promise<Response> {
  const body = await bodyOf(request);
  if (body === undefined)
    return errorResponse(
      "bad_request",
      `the body has more than ${REVOCATION_LIMITS.bodyBytes} bytes, or isn't UTF-8`,
    );
  const now = Date.now();
  const read = readRevocation(body, lifetimeSeconds, now / 1_000);
  if (!read.ok) return errorResponse("bad_request", read.problem);
  const revocation = await revocationOf(read.request, admin.issuer, now);
  const { answers, silent } = await askAll(env, (shard) => shard.revoke(revocation));
  const full = answers.filter(({ value }) => !value).map(({ shard }) => shard);
  const missing = [...silent, ...full].sort((one, other) => one - other);
  const stored = answers.length - full.length;
  const { id } = revocation;
  if (stored > 0) console.log(`revocation ${id}, of ${read.request.of.kind}, is stored${except(missing)}`);
  if (stored === 0 && full.length > 0)
    return errorResponse(
      "overloaded",
      `no room for more is left in ${shardsOf(full)}; lift some, or revoke subjects`,
    );
  const at = answers.filter(({ value }) => value).map(({ shard }) => shard);
  const elsewhere = await spread(env, at, revocation.meant.issuer, id);
  // The others keep it, so it must be known by what name it can be sent again, or lifted.
  return told(missing, stored, { ...written(revocation), ...(full.length > 0 && { full }) }, elsewhere);
}

async function lift(env: Env, admin: KnownPrincipal, id: string): Promise<Response> {
  const issuer = await hashOfName(admin.issuer);
  const { answers, silent } = await askAll(env, (shard) => shard.lift(issuer, id));
  if (silent.length === 0 && answers.every(({ value }) => !value))
    return errorResponse("not_found", "there is no such revocation; it may have lapsed");
  console.log(`revocation ${id} is lifted${except(silent)}`);
  const at = answers.filter(({ value }) => value).map(({ shard }) => shard);
  return told(silent, answers.length, { id }, await spread(env, at, issuer, id));
}

/** To all other edges, from the first of these shards that has an origin. */
async function spread(env: Env, shards: readonly number[], issuer: string, id: string): Promise<Elsewhere> {
  for (const shard of shards) {
    const [answer] = (await askAll(env, (stub) => stub.spread(issuer, id), [shard])).answers;
    if (answer === undefined) return { origins: ["unknown"] };
    const { told, edges, origins } = answer.value;
    if (told > 0) return { ...(edges.length > 0 && { edges }), ...(origins.length > 0 && { origins }) };
  }
  return {};
}

async function list(env: Env, admin: KnownPrincipal): Promise<Response> {
  const issuer = await hashOfName(admin.issuer);
  const { answers, silent } = await askAll(env, (shard) => shard.revocations(issuer));
  if (answers.length === 0) return errorResponse("unavailable", "no shard can be asked just now");
  const found = new Map<string, { readonly revocation: Revocation; readonly at: Set<number> }>();
  for (const { shard, value } of answers)
    for (const revocation of value) {
      const { at } = found.get(revocation.id) ?? { at: new Set() };
      found.set(revocation.id, { revocation, at: at.add(shard) });
    }
  const revocations = [...found.values()].map(({ revocation, at }) => {
    const missing = answers.map(({ shard }) => shard).filter((shard) => !at.has(shard));
    return { ...written(revocation), ...(missing.length > 0 && { missing }) };
  });
  return Response.json(
    { revocations, ...(silent.length > 0 && { unheard: silent }) },
    { headers: NOT_STORED },
  );
}

const NOT_STORED = { "Cache-Control": "no-store" };

/** 200 if all shards, and all other edges, have done it; else 202 with those that have not. */
function told(
  missing: readonly number[],
  done: number,
  body: Record<string, unknown>,
  elsewhere: Elsewhere,
): Response {
  if (done === 0) return errorResponse("unavailable", "no shard can be asked just now");
  const isDone = missing.length === 0 && Object.keys(elsewhere).length === 0;
  const all = { ...body, ...(missing.length > 0 && { missing }), ...elsewhere };
  return Response.json(all, { status: isDone ? 200 : 202, headers: NOT_STORED });
}

/** As it is shown: whom it means is kept as a hash, and isn't told again. */
function written({ id, meant, graceMs, madeAt, until }: Revocation): Record<string, unknown> {
  return {
    id,
    of: meant.of,
    ...(meant.of !== "token" && { issuedBefore: meant.before }),
    until: until / 1_000,
    graceSeconds: graceMs / 1_000,
    madeAt: madeAt / 1_000,
  };
}

async function revocationOf(asked: RevocationRequest, issuerName: string, now: number): Promise<Revocation> {
  const { id = crypto.randomUUID(), of, until, graceSeconds } = asked;
  const issuer = await hashOfName(issuerName);
  const meant: Meant =
    of.kind === "token"
      ? { of: "token", issuer, token: await hashOfName(of.tokenId) }
      : of.kind === "subject"
        ? { of: "subject", issuer, subject: await hashOfName(of.subject), before: of.before }
        : { of: "all", issuer, before: of.before };
  // At whole seconds, so that shards need look no more often for what has lapsed.
  return { id, meant, graceMs: graceSeconds * 1_000, madeAt: now, until: Math.ceil(until) * 1_000 };
}

/** Edges, and origins, that haven't stored it; left out if there are none. */
type Elsewhere = Partial<Pick<Unspread, "edges" | "origins">>;

interface Asked<T> {
  readonly answers: readonly { readonly shard: number; readonly value: T }[];
  /** Those that didn't answer: they may have done it all the same. */
  readonly silent: readonly number[];
}

async function askAll<T>(
  env: Env,
  ask: (shard: DurableObjectStub<ShardCalls>) => Promise<T>,
  shards: readonly number[] = Array.from({ length: requireShards(env) }, (_, shard) => shard),
): Promise<Asked<T>> {
  const results = await Promise.all(
    shards.map(async (shard) => {
      const timeout = AbortSignal.timeout(TIME_LIMITS.shardRevokesMs);
      const late = new Promise<never>((_, reject) =>
        timeout.addEventListener("abort", () => reject(new Error("it doesn't answer"))),
      );
      try {
        return { shard, value: await Promise.race([ask(shardStub(env, shard)), late]) };
      } catch (error) {
        logProblem(`shard ${shard}: revocations`, error);
        return shard;
      }
    }),
  );
  return {
    answers: results.filter((result) => typeof result !== "number"),
    silent: results.filter((result) => typeof result === "number"),
  };
}

function except(shards: readonly number[]): string {
  return shards.length === 0 ? "" : `, but not at ${shardsOf(shards)}`;
}

function shardsOf(shards: readonly number[]): string {
  return shards.length === 1 ? `shard ${shards[0]}` : `each of the shards ${shards.join(", ")}`;
}

function idIn(path: string): string | undefined {
  const id = path.startsWith(`${ROUTES.revocations}/`) ? path.slice(ROUTES.revocations.length + 1) : "";
  return /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : undefined;
}

/** undefined if it is too large, or no text. */
async function bodyOf(request: Request): Promise<string | undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of request.body ?? []) {
      bytes += chunk.byteLength;
      // Leaving the loop cancels the rest.
      if (bytes > REVOCATION_LIMITS.bodyBytes) return undefined;
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch {
    return undefined;
  }
}
