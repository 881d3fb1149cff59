/** Whose quota a request is taken from. */
import { describe, expect, test } from "vitest";
import { readProxies, senderOf } from "../../../edge/http/sender.ts";
import { type KnownPrincipal, PUBLIC } from "../../../edge/principal.ts";

const from = (peer: string | undefined, headers: Record<string, string> = {}) => ({
  headers: new Headers(headers),
  ...(peer !== undefined && { cf: { clientIp: peer } }),
});
const keyOf = (asked: ReturnType<typeof from>, settings: Parameters<typeof senderOf>[2]) =>
  senderOf(asked, PUBLIC, settings)?.key;

describe("on workerd by itself", () => {
  const settings = { PEERS: "on" };

  test("it is whoever has connected, whatever headers say", () => {
    const lies = { "CF-Connecting-IP": "192.0.2.1", "X-Forwarded-For": "192.0.2.2" };
    expect(keyOf(from("192.0.2.7:5000", lies), settings)).toBe("192.0.2.7");
    expect(keyOf(from("[2001:db8:1:2::6]:5000", lies), settings)).toBe("2001:db8:1:2::/64");
    expect(keyOf(from(undefined, lies), settings)).toBeUndefined();
    expect(keyOf(from("unix:/a"), settings)).toBeUndefined();
  });

  test("behind a proxy that is named, it is whom the last of such proxies asks for", () => {
    const behind = { ...settings, PROXIES: "10.0.0.1, 10.0.0.2" };
    const hops = { "X-Forwarded-For": "192.0.2.9, 192.0.2.7, 10.0.0.2" };
    expect(keyOf(from("10.0.0.1:80", hops), behind)).toBe("192.0.2.7");
    expect(keyOf(from("10.0.0.9:80", hops), behind)).toBe("10.0.0.9");
    expect(keyOf(from("10.0.0.1:80"), behind)).toBe("10.0.0.1");
    // What isn't an address is nobody's, and isn't taken for the proxy's own.
    expect(keyOf(from("10.0.0.1:80", { "X-Forwarded-For": "192.0.2.9, x" }), behind)).toBe("10.0.0.1");
  });

  test("a proxy must be an address", () => {
    expect(() => readProxies("10.0.0.1,nginx")).toThrow("PROXIES: nginx is no IP address");
    expect([...readProxies("")]).toEqual([]);
  });
});

test("on Cloudflare it is whom the platform names, whatever else there is", () => {
  const headers = { "CF-Connecting-IP": "2001:db8:1:2:3::6", "X-Forwarded-For": "192.0.2.2" };
  expect(keyOf(from("192.0.2.7:5000", headers), {})).toBe("2001:db8:1:2::/64");
  expect(keyOf(from("192.0.2.7:5000"), {})).toBeUndefined();
});

test("the subject of a token has a quota of its own, wherever it asks from", () => {
  const principal = (subject: string): KnownPrincipal => ({
    kind: "known",
    issuer: "https://issuer",
    subject,
    issuedAt: 0,
    grants: { subscribe: [], publish: [], discover: [], admin: false },
    until: 1,
  });
  const ofA = senderOf(from("192.0.2.1:1"), principal("a"), { PEERS: "on" });
  expect(ofA).toEqual(senderOf(from("192.0.2.7:1"), principal("a"), { PEERS: "on" }));
  expect(ofA?.key).not.toBe(senderOf(from("192.0.2.1:1"), principal("b"), { PEERS: "on" })?.key);
  expect(senderOf(from(undefined), principal("a"), {})).toEqual(ofA);
  expect(senderOf(from("127.0.0.1:1"), principal("a"), { PEERS: "on" })).toEqual({ ...ofA, isOwn: true });
});
