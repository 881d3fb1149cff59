import { describe, expect, test } from "vitest";
import { isBehind, reuseOf, withAge } from "../../../edge/http/reuse.ts";
import { type KnownPrincipal, PUBLIC } from "../../../edge/principal.ts";
import type { LatestResult } from "../../../edge/shard/answering/latest.ts";

const OPEN = { subscribe: "public", maxAgeSeconds: 5 } as const;
const SOMEBODY: KnownPrincipal = {
  kind: "known",
  issuer: "i",
  subject: "s",
  issuedAt: 1,
  grants: { subscribe: [], publish: [], discover: [], admin: false },
  until: 2,
};
const of = (headers: Record<string, string>) => reuseOf(new Headers(headers), OPEN, PUBLIC);

describe("[H15] what may be reused", () => {
  test("is what everybody may read, for as long as the stream says", () => {
    expect(of({})).toEqual({ maxAgeMs: 5_000, wantedMs: 5_000 });
    expect(reuseOf(new Headers(), { ...OPEN, maxAgeSeconds: 0 }, PUBLIC)).toBeUndefined();
    expect(reuseOf(new Headers(), { ...OPEN, subscribe: "token" }, PUBLIC)).toBeUndefined();
    expect(reuseOf(new Headers(), OPEN, SOMEBODY)).toBeUndefined();
    expect(reuseOf(new Headers(), undefined, PUBLIC)).toBeUndefined();
  });

  test.each<[Record<string, string>, number]>([
    [{ "Cache-Control": "no-cache" }, 0],
    [{ "Cache-Control": "max-stale, No-Store" }, 0],
    [{ Pragma: "no-cache" }, 0],
    [{ "Cache-Control": "max-age=0" }, 0],
    [{ "Cache-Control": "max-age=2" }, 2_000],
    [{ "Cache-Control": "max-age=60" }, 5_000],
    [{ "Cache-Control": "no-transform" }, 5_000],
  ])("a request with %j takes what is up to %i ms old", (headers, wantedMs) => {
    expect(of(headers)).toEqual({ maxAgeMs: 5_000, wantedMs });
  });

  test.each([
    [null, false],
    ['"e.0:7"', false],
    ['W/"e.0:6"', false],
    ["*", false],
    ['"-"', false],
    ['"e.0:8"', true],
    ['"e.0:6", "e.0:8"', true],
    ['"f.0:1"', true],
    ['"no position"', false],
  ])("[H2] a state at e.0:7 leads one with the tag %s back: %j", (tag, behind) => {
    const latest: LatestResult = { kind: "none", position: "e.0:7", oldest: undefined };

    expect(isBehind(latest, tag)).toBe(behind);
  });

  test("says how old it is, rounded up, and that there are others at its URL; an error stays one that isn't kept", () => {
    const reuse = { maxAgeMs: 5_000, wantedMs: 5_000 };
    const answer = withAge(new Response("1", { headers: { "Cache-Control": "no-cache" } }), reuse, 1_001);
    const error = withAge(
      new Response("", { status: 404, headers: { "Cache-Control": "no-store" } }),
      reuse,
      0,
    );

    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "cache-control": "max-age=5",
      age: "2",
      vary: "Accept",
    });
    expect([error.headers.get("Cache-Control"), error.headers.get("Age")]).toEqual(["no-store", "0"]);
  });
});
