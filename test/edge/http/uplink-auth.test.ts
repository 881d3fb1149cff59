import { SignJWT } from "jose";
import { describe, expect, test } from "vitest";
import { readUplinkKeys, verifyUplinkToken } from "../../../edge/http/uplink-auth.ts";
import {
  challengeOf,
  readChallenge,
  TOKEN_FAULTS,
  type UplinkTokenFault,
} from "../../../shared/protocol/uplink-token-fault.ts";

const SECRET = "0123456789abcdef0123456789abcdef";
const OTHER = "fedcba9876543210fedcba9876543210";
const THIRD = "00112233445566778899aabbccddeeff";
const NOW = 1_760_000_000;

interface Token {
  readonly alg?: string;
  readonly kid?: string | null;
  readonly aud?: string;
  readonly sub?: string | null;
  readonly iat?: number | null;
  readonly exp?: number | null;
  readonly secret?: string;
}

function sign(changed: Token = {}): Promise<string> {
  const token = {
    alg: "HS256",
    kid: "a",
    aud: "distributary-uplink",
    sub: "origin-1",
    iat: NOW,
    exp: NOW + 60,
    secret: SECRET,
    ...changed,
  };
  const jwt = new SignJWT({
    ...(token.iat !== null && { iat: token.iat }),
    ...(token.exp !== null && { exp: token.exp }),
  });
  jwt.setProtectedHeader({ alg: token.alg, ...(token.kid !== null && { kid: token.kid }) });
  jwt.setAudience(token.aud);
  if (token.sub !== null) jwt.setSubject(token.sub);
  return jwt.sign(new TextEncoder().encode(token.secret));
}

async function verify(authorization: string | null, now = NOW) {
  const read = readUplinkKeys(`a:origin-1:${SECRET},b:origin-1:${OTHER},c:origin-2:${THIRD}`);
  if (!read.ok) throw new Error(read.problem);
  return verifyUplinkToken(authorization, read.keys, new Date(now * 1_000));
}

test("[U1] a token signed with one of the keys is accepted, and names its origin", async () => {
  expect(await verify(`Bearer ${await sign()}`)).toEqual({ ok: true, origin: "origin-1" });
  expect(await verify(`bearer ${await sign({ kid: "b", secret: OTHER })}`)).toEqual({
    ok: true,
    origin: "origin-1",
  });
});

test.each<[string, Token, UplinkTokenFault]>([
  ["is signed with another secret", { secret: OTHER }, "bad_signature"],
  ["names a key that there isn't", { kid: "d" }, "unknown_key"],
  ["names no key", { kid: null }, "unknown_key"],
  ["is signed with another algorithm", { alg: "HS512", secret: SECRET.repeat(2) }, "malformed"],
  ["is for somebody else", { aud: "distributary" }, "malformed"],
  ["has expired", { iat: NOW - 200, exp: NOW - 11 }, "bad_time"],
  ["was issued long ago", { iat: NOW - 400, exp: NOW - 340 }, "bad_time"],
  ["never expires", { exp: null }, "malformed"],
  ["doesn't say when it was issued", { iat: null }, "malformed"],
  ["is valid for more than 300 s", { exp: NOW + 301 }, "malformed"],
  ["was issued in the future", { iat: NOW + 60, exp: NOW + 120 }, "bad_time"],
  ["names no origin", { sub: null }, "malformed"],
  ["names an origin of more than 64 characters", { sub: "x".repeat(65) }, "other_name"],
  ["names another origin than its key does", { sub: "origin-2" }, "other_name"],
  ["names an origin that its key does not quite", { sub: "origin-1 " }, "other_name"],
  ["says another's key's name", { kid: "c", secret: THIRD }, "other_name"],
  ["says its own name, and another's key", { kid: "a", sub: "origin-2", secret: THIRD }, "bad_signature"],
])("[U1] a token that %s is refused, and why", async (_, changed, fault) => {
  expect(await verify(`Bearer ${await sign(changed)}`)).toMatchObject({ ok: false, fault });
});

test("[U1] why a token is refused can be read from the answer", () => {
  for (const fault of Object.keys(TOKEN_FAULTS) as UplinkTokenFault[])
    expect(readChallenge(challengeOf(fault))).toBe(fault);
  expect(readChallenge('Bearer error_description="toString"')).toBeUndefined();
  expect(readChallenge(null)).toBeUndefined();
});

test.each<[string, Token]>([
  ["key", { kid: `\n${"k".repeat(5_000)}` }],
  ["name", { sub: `\u001b[2J${"s".repeat(5_000)}` }],
])("[U1] of a %s from outside the log shows a short piece, on one line", async (_, changed) => {
  const result = await verify(`Bearer ${await sign(changed)}`);

  expect(result).toMatchObject({ ok: false, problem: expect.stringMatching(/^[ -~]{1,200}$/) });
});

test("[U1] clocks may be some seconds apart", async () => {
  expect(await verify(`Bearer ${await sign()}`, NOW + 69)).toMatchObject({ ok: true });
  expect(await verify(`Bearer ${await sign()}`, NOW - 9)).toMatchObject({ ok: true });
  expect(await verify(`Bearer ${await sign()}`, NOW + 71)).toMatchObject({ ok: false });
});

test.each([
  ["nothing", null],
  ["another scheme", "Basic YTpi"],
  ["no token", "Bearer "],
  ["no JWT", "Bearer abc"],
  ["an unsigned token", `Bearer ${btoa('{"alg":"none","kid":"a"}')}.${btoa('{"sub":"x"}')}.`],
])("[U1] %s is refused, and nothing is thrown", async (_, authorization) => {
  expect(await verify(authorization)).toMatchObject({ ok: false });
});

describe("the keys", () => {
  test.each([
    ["are not set", undefined],
    ["are empty", ""],
    ["have no key id", SECRET],
    ["have no name", `a:${SECRET}`],
    ["have an empty name", `a::${SECRET}`],
    ["have a secret of less than 32 bytes", "a:n:short"],
    ["end in a comma", `a:n:${SECRET},`],
    ["give two origins one secret", `a:n:${SECRET},b:m:${SECRET}`],
    ["name one key twice", `a:n:${SECRET},a:m:${OTHER}`],
  ])("that %s are a problem, which shows no secret", (_, text) => {
    const read = readUplinkKeys(text);

    expect(read.ok).toBe(false);
    expect(JSON.stringify(read)).not.toMatch(/0123456789|short/);
  });

  test("without a name say what is missing", () => {
    expect(readUplinkKeys(`k1:n:${SECRET},k2:${OTHER}`)).toMatchObject({
      problem: expect.stringContaining("that of k2 lacks the origin's name, as in k2:origin-1:…"),
    });
  });

  test("of one origin may share a secret", () => {
    expect(readUplinkKeys(`a:n:${SECRET},b:n:${SECRET}`)).toMatchObject({ ok: true });
  });

  test("a secret may hold a colon, and its size is in bytes", () => {
    expect(readUplinkKeys(`a:n:x:${"é".repeat(15)}`)).toMatchObject({ ok: true });
  });
});
