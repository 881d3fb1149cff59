import { describe, expect, test } from "vitest";
import {
  type BrowserSettings,
  hostAllowed,
  isLoopback,
  readHosts,
  unlistedAllowed,
} from "../../../edge/http/browsers.ts";

const LOOPBACK = { LOOPBACK: "on" };

describe("[H11] which hosts a request may be for", () => {
  const THIS_MACHINE = ["localhost", "a.localhost", "127.0.0.1", "127.8.0.9", "[::1]"];
  const ELSEWHERE = [
    ...["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.evil.example"],
    ...["xlocalhost", "10.0.0.1", "0.0.0.0", "[::2]", "128.0.0.1"],
  ];
  const allowed = (host: string, settings: BrowserSettings) =>
    hostAllowed(new URL(`http://${host}:8787/a/b`), settings);

  test("names and addresses of this machine are told from all that look like them", () => {
    expect(THIS_MACHINE.filter((host) => !isLoopback(host))).toEqual([]);
    expect(ELSEWHERE.filter((host) => isLoopback(host))).toEqual([]);
  });

  test("on a loopback address, those of this machine and those that it was told", () => {
    const told = { ...LOOPBACK, HOSTS: "edge.example.com, other.example" };

    for (const host of THIS_MACHINE) expect([host, allowed(host, LOOPBACK)]).toEqual([host, true]);
    for (const host of ELSEWHERE) expect([host, allowed(host, LOOPBACK)]).toEqual([host, false]);
    expect(allowed("EDGE.example.com", told)).toBe(true);
    expect(allowed("other.example", told)).toBe(true);
    expect(allowed("x.edge.example.com", told)).toBe(false);
  });

  test("elsewhere all, unless it was told which", () => {
    expect(allowed("anything.example", {})).toBe(true);
    expect(allowed("anything.example", { HOSTS: "edge.example.com" })).toBe(false);
    expect(allowed("edge.example.com", { HOSTS: "edge.example.com" })).toBe(true);
  });

  test.each(["edge.example.com:8787", "https://edge.example.com", "Edge.example.com", "a b", "a/b"])(
    "what is no name of a host isn't taken for one: %s",
    (text) => {
      expect(() => readHosts(`ok.example,${text}`)).toThrow("HOSTS: ");
    },
  );
});

describe("[H11] which pages are answered if none are listed", () => {
  const allowed = (Origin: string | undefined, settings: BrowserSettings) =>
    unlistedAllowed(
      new Request("http://edge.example/a/b", { headers: Origin === undefined ? {} : { Origin } }),
      settings,
    );

  test("on a loopback address those of this machine, its own, and what is no page", () => {
    for (const origin of [
      "http://localhost:5173",
      "https://127.0.0.1",
      "http://[::1]:1",
      "http://edge.example",
    ])
      expect([origin, allowed(origin, LOOPBACK)]).toEqual([origin, true]);
    expect(allowed(undefined, LOOPBACK)).toBe(true);
    // A page that was sandboxed, whoever it is of, says null.
    for (const origin of ["https://evil.example", "null", "http://localhost.evil.example", "file://", ""])
      expect([origin, allowed(origin, LOOPBACK)]).toEqual([origin, false]);
  });

  test("elsewhere all", () => {
    expect(allowed("https://app.example", {})).toBe(true);
    expect(allowed("null", { LOOPBACK: "off" })).toBe(true);
  });
});
