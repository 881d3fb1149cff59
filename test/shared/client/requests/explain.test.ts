/** Why a dial failed, in words. What answers is the test's; where the client runs, too. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { explain } from "../../../../shared/client/requests/explain.ts";

const CONNECTION = "wss://edge.example/$/connect";
const ENDPOINT = "wss://edge.example/quotes/A";

beforeEach(() => () => vi.unstubAllGlobals());

function answer(response: Response | Error, opaque?: Response): void {
  vi.stubGlobal("fetch", async (_: URL, { mode }: RequestInit = {}) => {
    const given = mode === "no-cors" ? (opaque ?? new TypeError("Failed to fetch")) : response;
    if (given instanceof Error) throw given;
    return given;
  });
}

const refusal = (status: number, code: string, headers: Record<string, string> = {}) =>
  Response.json({ error: { code, message: "m", retry: false } }, { status, headers });

describe("[H9] what an edge answers", () => {
  test.each([
    ["to a connection", CONNECTION, refusal(400, "bad_upgrade")],
    [
      "with a record",
      ENDPOINT,
      new Response('{"error":{"code":"x","message":"m","retry":false}}', { headers: { ETag: '"a:1"' } }),
    ],
    ["of a key that has none", ENDPOINT, refusal(404, "unknown_key")],
    ["of one that was deleted", ENDPOINT, refusal(404, "deleted")],
  ])("is that WebSockets are blocked: %s", async (_, url, response) => {
    answer(response);

    expect((await explain(url, ""))?.error).toMatchObject({ code: "websocket_blocked", retry: true });
  });

  test("against the client is told as it is, with the time that it is to wait", async () => {
    answer(refusal(401, "no_token", { "Retry-After": "7" }));

    expect(await explain(CONNECTION, "")).toEqual({
      error: { code: "no_token", message: "m", retry: false },
      retryAfterMs: 7_000,
    });
  });
});

describe("what is no edge", () => {
  test.each([
    [new Response("<html>", { status: 404, statusText: "Not Found" }), /404 Not Found.*no edge/],
    [new Response("<html>", { status: 200 }), /answers 200.*no edge/],
    [new Response("", { status: 503, headers: { "Retry-After": "5" } }), /503.*reaches no edge/],
  ])("is said to be none, and may become one", async (response, words) => {
    answer(response);

    expect((await explain(CONNECTION, ""))?.error).toMatchObject({
      code: "not_an_edge",
      retry: true,
      message: expect.stringMatching(words),
    });
  });
});

describe("no answer", () => {
  const failed = new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") });

  test("in Node has the reason that is known there", async () => {
    answer(failed);

    expect((await explain(CONNECTION, ""))?.error).toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("https://edge.example (connect ECONNREFUSED"),
    });
  });

  test("to a page of another origin may be one that it may not read", async () => {
    vi.stubGlobal("location", { protocol: "https:", origin: "https://app.example" });
    answer(failed, new Response(null));

    expect((await explain(CONNECTION, ""))?.error).toMatchObject({
      code: "blocked",
      message: expect.stringMatching(/something answers.*no page of https:\/\/app\.example/),
    });
    answer(failed);
    expect((await explain(CONNECTION, ""))?.error?.code).toBe("unreachable");
  });

  test("to a page that came by https: is none that http: could give", async () => {
    vi.stubGlobal("location", { protocol: "https:", origin: "https://app.example" });
    answer(failed);

    expect((await explain("ws://edge.example/$/connect", ""))?.error).toMatchObject({
      code: "blocked",
      message: expect.stringContaining("http:"),
    });
  });

  test("may be because the device is offline", async () => {
    vi.stubGlobal("navigator", { onLine: false });
    answer(failed);

    expect((await explain(CONNECTION, ""))?.error).toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("offline"),
    });
  });
});
