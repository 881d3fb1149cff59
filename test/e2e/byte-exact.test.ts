/** What is produced arrives as it was produced, at one URL, whichever URL parser is in between. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NewRecord } from "../../origin/embedded/log.ts";
import { endpointPath } from "../../shared/protocol/address.ts";
import { launchBrowser } from "../support/browser.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import type { RawUpdate } from "../support/raw-subscriber.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const every = Uint8Array.from({ length: 256 }, (_, i) => i);
const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");

const keys: [name: string, key: Uint8Array][] = [
  ["plain", utf8("AAPL")],
  ["slash, percent, dollar, space", utf8("a/b%2F$ c")],
  ["percent that looks encoded", utf8("%41")],
  ["dot", utf8(".")],
  ["two dots", utf8("..")],
  ["three dots", utf8("...")],
  ["encoded dots", utf8("%2e%2e")],
  ["dot and slash", utf8("../../$/health")],
  ["empty", utf8("")],
  ["dollar", utf8("$")],
  ["dollar dot", utf8("$.")],
  ["emoji", utf8("😀 é 漢")],
  ["query and fragment", utf8("?a=b&c#d")],
  ["backslash, tab, newline, NUL", utf8("a\\b\t\r\n\0")],
  ["not UTF-8", bytes(0xff, 0xfe, 0xc3, 0x28)],
  ["every byte", every],
  ["1 KB", Uint8Array.from({ length: 1_024 }, (_, i) => (i * 7) % 256)],
  ["1 KB of dots", utf8(".".repeat(1_024))],
];

const values: [name: string, value: Uint8Array | null, type: string][] = [
  ["JSON in any order, with white space", utf8('\n{ "b": 1,\t"a" : [1, 2] }\r\n '), "application/json"],
  [
    "repeated keys and big numbers",
    utf8('{"a":1,"a":12345678901234567890123,"x":1.10e400}'),
    "application/json",
  ],
  ["a JSON string", utf8('"quoted \\u001e \\ud800"'), "application/json"],
  ["text", utf8('plain, "v": and \u001e \u2028 \0 😀'), "text/plain; charset=utf-8"],
  ["text with a byte order mark", utf8("\ufeff{}"), "text/plain; charset=utf-8"],
  ["empty", utf8(""), "text/plain; charset=utf-8"],
  ["every byte", every, "application/octet-stream"],
  ["1 MB of JSON", utf8(JSON.stringify("x".repeat(1024 * 1024 - 2))), "application/json"],
  [
    "1 MB of bytes",
    Uint8Array.from({ length: 1024 * 1024 }, (_, i) => (i * 31) % 256),
    "application/octet-stream",
  ],
  ["a tombstone", null, ""],
];

let deployment: Deployment;
let browser: Browser;

beforeAll(async () => {
  deployment = await Deployment.start({ topics: { bytes: { stream: { compacted: true } } } });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await deployment?.stop();
});

/** Subscribes, waits for the verdict, produces, and returns what arrives. */
async function live(path: string, records: readonly NewRecord[]): Promise<RawUpdate[]> {
  const subscriber = deployment.subscribe(path);
  const verdict = await subscriber.verdict();
  await subscriber.until((s) => s.position === verdict.head, "the snapshot");
  const before = subscriber.updates.length;
  deployment.produce("bytes", records);
  await subscriber.until((s) => s.updates.length === before + records.length, "the updates");
  expect(subscriber.violations).toEqual([]);
  await subscriber.close();
  return subscriber.updates.slice(before);
}

describe("keys of any bytes have one URL that survives", () => {
  test.each(keys)("[A1] [A2] fetch, WebSocket and workerd: %s", async (_, key) => {
    const path = endpointPath("bytes", key);

    const [update] = await live(path, [{ key, value: utf8(hex(key)) }]);
    const response = await fetch(deployment.url + path, { redirect: "error" });

    expect(update?.e).toBe(path);
    expect(update?.value?.toString()).toBe(hex(key));
    expect(await response.text()).toBe(hex(key));
  });

  test("[A1] [A2] curl", async () => {
    for (const [, key] of keys) {
      const { stdout } = await promisify(execFile)("curl", [
        "-s",
        "-g",
        deployment.url + endpointPath("bytes", key),
      ]);
      expect(stdout).toBe(hex(key));
    }
  });

  test("[A1] [A2] Chromium: address bar, fetch and WebSocket", async () => {
    const page = await browser.newPage();
    for (const [, key] of keys) {
      const path = endpointPath("bytes", key);
      const response = await page.goto(deployment.url + path);
      expect(await response?.text()).toBe(hex(key));
      expect(new URL(page.url()).pathname).toBe(path);
      const [fetched, streamed] = await page.evaluate(async (path) => {
        const socket = new WebSocket(path, "distributary.v1");
        const text = new Promise<string>((resolve) => {
          const parts: string[] = [];
          socket.onmessage = ({ data }) => {
            parts.push(data);
            if (parts.join("\u001e").includes('"e":')) resolve(parts.join("\u001e"));
          };
        });
        return [await (await fetch(path)).text(), await text];
      }, path);
      expect(fetched).toBe(hex(key));
      expect(streamed).toContain(`"e":"${path}"`);
    }
    await page.close();
  }, 60_000);

  test.each([
    ["/bytes/%41APL", "/bytes/AAPL?respelled"],
    ["/bytes/a%2fb%252F%24%20c", "/bytes/a%2Fb%252F%24%20c?respelled"],
    ["/bytes/%2e%2E?from=-", undefined],
    ["/bytes/$AAPL?x=1", "/bytes/%24AAPL?x=1&respelled"],
    ["/bytes/a:b", "/bytes/a%3Ab?respelled"],
  ])("[A3] %s is redirected or refused, and never a second endpoint", async (spelling, canonical) => {
    const { stdout } = await promisify(execFile)("curl", [
      "-s",
      "-i",
      "-g",
      "--path-as-is",
      deployment.url + spelling,
    ]);

    if (canonical === undefined) expect(stdout).toMatch(/^HTTP\/1.1 (302|308|4\d\d)/);
    else {
      expect(stdout).toMatch(/^HTTP\/1.1 308/);
      expect(new URL(/^location: (.*)\r$/im.exec(stdout)?.[1] ?? "", deployment.url).href).toBe(
        deployment.url + canonical,
      );
    }
  });

  test("[A5] a key of more than 1 KB has none, and nothing else is lost for it", async () => {
    const long = new Uint8Array(1_025).fill(0x61);

    const [update] = await live("/bytes/after-long", [
      { key: utf8("after-long"), value: utf8("1"), partition: 0 },
    ]);
    deployment.produce("bytes", [
      { key: long, value: utf8("x"), partition: 0 },
      { key: null, value: utf8("x"), partition: 0 },
    ]);
    const [later] = await live("/bytes/after-long", [
      { key: utf8("after-long"), value: utf8("2"), partition: 0 },
    ]);

    expect(later?.previous).toBe(update?.offset);
    expect(later?.offset).toBe((update?.offset ?? 0) + 3);
    expect((await fetch(deployment.url + endpointPath("bytes", long))).status).toBe(414);
  });
});

describe("values arrive as they were produced", () => {
  test.each(values)(
    "[F3] [F4] [F5] [F7] [H1] [H3] live, as a snapshot and by GET: %s",
    async (name, value, type) => {
      const key = utf8(name);
      const path = endpointPath("bytes", key);

      const [update] = await live(path, [{ key, value, timestamp: 1_700_000_000_123 }]);
      const snapshot = await deployment.subscribe(path).until((s) => s.updates.length === 1, "the snapshot");
      const response = await fetch(deployment.url + path);

      for (const seen of [update, snapshot.updates[0]]) {
        expect(
          seen?.value === null || value === null ? seen?.value === value : seen?.value?.equals(value),
        ).toBe(true);
        expect(seen?.t).toBe(1_700_000_000_123);
      }
      expect(snapshot.violations).toEqual([]);
      await snapshot.close();
      const body = Buffer.from(await response.arrayBuffer());
      expect(response.headers.get("etag")).toBe(`"${update?.epoch}:${update?.offset}"`);
      if (value === null) {
        expect(response.status).toBe(404);
        expect(JSON.parse(body.toString())).toMatchObject({ error: { code: "deleted" } });
      } else {
        expect(response.status).toBe(200);
        expect(body.equals(value)).toBe(true);
        expect(response.headers.get("content-type")).toBe(type);
        expect(response.headers.get("distributary-timestamp")).toBe("1700000000123");
      }
    },
  );

  test("[F5] 512 bytes of no encoding grow by a header, not by an encoding", async () => {
    const value = Uint8Array.from({ length: 512 }, (_, i) => (i * 151 + 7) % 256);
    const subscriber = deployment.subscribe("/bytes/raw");
    await subscriber.verdict();
    const sizes: number[] = [];
    subscriber.socket.on("message", (data: Buffer) => sizes.push(data.length));

    deployment.produce("bytes", [{ key: utf8("raw"), value }]);
    await subscriber.until((s) => s.updates.length === 1, "the update");

    expect(sizes.length).toBe(1);
    expect(sizes[0]).toBeLessThan(600);
    await subscriber.close();
  });

  test("[F6] headers arrive in order, repeated names, bytes and nulls too", async () => {
    const headers = [
      ["trace", utf8("1")],
      ["trace", utf8("2")],
      ["v", utf8('","v":1')],
      ["raw", bytes(0xff, 0x00)],
      ["none", null],
      ["empty", utf8("")],
      ["é\n", utf8("ü")],
    ] as const;

    const [update] = await live("/bytes/headers", [{ key: utf8("headers"), value: utf8("{}"), headers }]);

    expect(update?.h).toEqual([
      ["trace", "1"],
      ["trace", "2"],
      ["v", '","v":1'],
      ["raw", "/wA=", "base64"],
      ["none", null],
      ["empty", ""],
      ["é\n", "ü"],
    ]);
    expect(update?.value?.toString()).toBe("{}");
  });

  test("[F8] a value that is too large is announced, and what follows chains from it", async () => {
    const updates = await live("/bytes/huge", [
      { key: utf8("huge"), value: utf8("1") },
      { key: utf8("huge"), value: new Uint8Array(8 * 1024 * 1024 + 1) },
      { key: utf8("huge"), value: utf8("2") },
    ]);

    expect(updates.map(({ value }) => value?.toString() ?? null)).toEqual(["1", null, "2"]);
    expect(updates[2]?.previous).toBe(updates[1]?.offset);
  });
});
