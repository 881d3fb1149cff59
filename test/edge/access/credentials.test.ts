import { describe, expect, test } from "vitest";
import {
  type CredentialRules,
  credentialsOf,
  pageAllowed,
  readWebOrigins,
} from "../../../edge/access/credentials.ts";

const APP = "https://app.example";
const RULES: CredentialRules = { cookie: "session", webOrigins: new Set([APP]) };
const NO_COOKIE: CredentialRules = { cookie: undefined, webOrigins: undefined };

const of = (headers: Record<string, string>, upgrade: boolean, rules: CredentialRules = RULES) =>
  credentialsOf({ headers: new Headers(headers), upgrade }, rules);

const none = { kind: "none" };
const malformed = { kind: "malformed" };
const token = (text: string) => ({ kind: "token", token: text });
const protocol = (text: string) => ({ "Sec-WebSocket-Protocol": text });

describe("a token is found", () => {
  test.each<[string, Record<string, string>, boolean, object]>([
    ["in Authorization", { Authorization: "Bearer a.b.c" }, false, token("a.b.c")],
    ["in Authorization, in any case", { Authorization: "bEARER  a.b.c" }, true, token("a.b.c")],
    ["in a subprotocol", protocol("distributary.v1, distributary.bearer.a.b.c"), true, token("a.b.c")],
    ["in a subprotocol by itself", protocol("distributary.bearer.a.b.c"), true, token("a.b.c")],
    ["twice the same", { Authorization: "Bearer x", ...protocol("distributary.bearer.x") }, true, token("x")],
    ["in a cookie, from an allowed page", { Cookie: "a=1; session=x", Origin: APP }, true, token("x")],
    [
      "in a cookie beside one that was cleared",
      { Cookie: "session=; session=x", Origin: APP },
      true,
      token("x"),
    ],
    ["in a cookie, of a read without Origin", { Cookie: "session=x" }, false, token("x")],
    [
      "in a cookie, of the same site",
      { Cookie: "session=x", "Sec-Fetch-Site": "same-site" },
      false,
      token("x"),
    ],
    [
      "outright beside a cookie",
      { Authorization: "Bearer x", Cookie: "session=y", Origin: APP },
      true,
      token("x"),
    ],
  ])("%s", (_, headers, upgrade, expected) => expect(of(headers, upgrade)).toEqual(expected));
});

describe("there is none", () => {
  test.each<[string, Record<string, string>, boolean]>([
    ["in nothing", {}, false],
    ["in another scheme", { Authorization: "Basic YTpi" }, false],
    ["in a subprotocol of a read", protocol("distributary.bearer.x"), false],
    ["in a cookie that was cleared", { Cookie: "a=1; session=; b=2", Origin: APP }, true],
    ["in a cookie that was cleared, of a read", { Cookie: "session=" }, false],
    ["in a cookie that was cleared, in quotes", { Cookie: 'session=""', Origin: APP }, true],
    ["in another cookie", { Cookie: "other=x; xsession=y; sessionx=z", Origin: APP }, true],
    ["in a cookie of an upgrade without Origin", { Cookie: "session=x" }, true],
    ["in a cookie from another page", { Cookie: "session=x", Origin: "https://evil.example" }, true],
    [
      "in a cookie of a read from another page",
      { Cookie: "session=x", Origin: "https://evil.example" },
      false,
    ],
    ["in a cookie from no page (null)", { Cookie: "session=x", Origin: "null" }, false],
    [
      "in a cookie of a read for another site",
      { Cookie: "session=x", "Sec-Fetch-Site": "cross-site" },
      false,
    ],
  ])("%s", (_, headers, upgrade) => expect(of(headers, upgrade)).toEqual(none));

  test("in a cookie where the deployment names none", () => {
    expect(of({ Cookie: "session=x; undefined=y", Origin: APP }, false, NO_COOKIE)).toEqual(none);
  });
});

describe("it is malformed", () => {
  test.each<[string, Record<string, string>, boolean]>([
    ["without a token", { Authorization: "Bearer" }, false],
    ["with two in one header", { Authorization: "Bearer a b" }, false],
    ["with an empty subprotocol", protocol("distributary.bearer."), true],
    ["with two that differ", { Authorization: "Bearer x", ...protocol("distributary.bearer.y") }, true],
    ["with two subprotocols", protocol("distributary.bearer.x, distributary.bearer.y"), true],
    ["with two cookies", { Cookie: "session=x; session=y", Origin: APP }, true],
  ])("%s", (_, headers, upgrade) => expect(of(headers, upgrade)).toEqual(malformed));
});

test("WEB_ORIGINS are origins as browsers write them", () => {
  expect(readWebOrigins(" https://a.example , http://localhost:5173")).toEqual({
    ok: true,
    origins: new Set(["https://a.example", "http://localhost:5173"]),
  });
  expect(readWebOrigins("")).toEqual({ ok: true, origins: undefined });
  for (const wrong of [
    "*",
    "https://a.example/",
    "a.example",
    "https://A.example",
    "null",
    "https://a.example,",
  ])
    expect(readWebOrigins(wrong)).toMatchObject({ ok: false });
});

test("pages of other origins are answered only if the list is unset", () => {
  const from = (Origin: string) => new Request("https://edge.example/a/b", { headers: { Origin } });
  expect(pageAllowed(from(APP), RULES)).toBe(true);
  expect(pageAllowed(from("https://evil.example"), RULES)).toBe(false);
  expect(pageAllowed(from("null"), RULES)).toBe(false);
  expect(pageAllowed(new Request("https://edge.example/a/b"), RULES)).toBe(true);
  expect(pageAllowed(from("https://any.example"), NO_COOKIE)).toBe(true);
});

test("the edge's own page is answered, and one that is like it in part isn't", () => {
  const from = (Origin: string, url: string) => pageAllowed(new Request(url, { headers: { Origin } }), RULES);
  expect(from("https://edge.example", "https://edge.example/a/b")).toBe(true);
  expect(from("http://127.0.0.1:8787", "http://127.0.0.1:8787/a/b")).toBe(true);
  for (const other of [
    "http://edge.example",
    "https://edge.example:8443",
    "https://edge.example.evil.example",
    "https://evil.example",
    "null",
  ])
    expect(from(other, "https://edge.example/a/b"), other).toBe(false);
});

test("a cookie counts for a page of the edge itself only if it is listed", () => {
  expect(of({ Cookie: "session=x", Origin: "https://edge.example" }, true)).toEqual(none);
});
