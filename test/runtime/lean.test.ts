/** Requests and answers that the runtime on Node makes without Node's own: whoever has one can't tell. */
import { describe, expect, test } from "vitest";
import { WebSocketPair } from "../../edge/runtime/node/sockets/web-socket.ts";
import { copyOfHeaders, leanHeaders } from "../../edge/runtime/node/web/headers.ts";
import { Request } from "../../edge/runtime/node/web/request.ts";
import { Response } from "../../edge/runtime/node/web/response.ts";

describe("a request without a body", () => {
  const request = new Request("http://a/b/../c?x=1", { headers: { A: "1" }, cf: { clientIp: "b" } });

  test("has what Node's has", async () => {
    const own = new globalThis.Request("http://a/b/../c?x=1", { headers: { A: "1" } });
    for (const name of ["url", "method", "body", "bodyUsed", "redirect", "cache", "mode"] as const)
      expect([name, request[name]]).toEqual([name, own[name]]);
    expect([...request.headers]).toEqual([...own.headers]);
    expect(request.signal.aborted).toBe(false);
    expect(await request.text()).toBe("");
    expect(request.clone().url).toBe(own.url);
  });

  test("can be made into another", () => {
    const moved = new Request("http://a/moved", request);
    const changed = new Request(request, { headers: { B: "2" } });

    expect([moved.url, moved.headers.get("A"), moved.cf]).toEqual(["http://a/moved", "1", { clientIp: "b" }]);
    expect([changed.url, changed.headers.get("A"), changed.headers.get("B"), changed.cf]).toEqual([
      request.url,
      null,
      "2",
      { clientIp: "b" },
    ]);
  });

  test("is wrong where Node's is", () => {
    expect(() => new Request("nowhere")).toThrow(TypeError);
    expect(() => new Request("http://a", { headers: { "a b": "1" } })).toThrow(TypeError);
  });
});

describe("headers as they came", () => {
  const came = () => leanHeaders(["Host", "a", "X-One", "1", "x-one", "2"]);

  test("have what Node's have", () => {
    const own = new Headers(came());

    expect([...came()]).toEqual([
      ["host", "a"],
      ["x-one", "1, 2"],
    ]);
    for (const name of ["HOST", "x-One", "missing"])
      expect([came().get(name), came().has(name)]).toEqual([own.get(name), own.has(name)]);
    expect(came()).toBeInstanceOf(Headers);
    expect(() => came().get("a b")).toThrow(TypeError);
  });

  test("can be changed, and a copy of them doesn't change with them", () => {
    const headers = came();
    const before = copyOfHeaders(headers);
    headers.delete("Host");
    headers.append("X-One", "3");
    const after = copyOfHeaders(headers);
    headers.set("X-One", "4");

    expect([headers.has("Host"), headers.get("X-One")]).toEqual([false, "4"]);
    expect([before.get("Host"), before.get("X-One")]).toEqual(["a", "1, 2"]);
    expect([after.get("Host"), after.get("X-One")]).toEqual([null, "1, 2, 3"]);
  });

  test.each([
    { A: " 1 " },
    { A: "1", a: "2" },
    [
      ["A", "1"],
      ["A", "2"],
    ] as [string, string][],
    new Map([["A", "1"]]) as unknown as Headers,
    new Headers({ A: "1" }),
    {},
  ])("are made of what Node's are made of, %#", (init) => {
    expect([...copyOfHeaders(init)]).toEqual([...new Headers(init)]);
  });

  test.each([{ "a b": "1" }, { A: "1\n2" }, { A: "€" }])("are wrong where Node's are, %#", (init) => {
    expect(() => copyOfHeaders(init)).toThrow(TypeError);
  });
});

test("a request with a body keeps it under another URL", async () => {
  const posted = new Request("http://a/b", { method: "POST", body: "what it says" });
  const moved = new Request("http://a/moved", { method: posted.method, body: await posted.text() });
  const likewise = new Request("http://a/likewise", new Request("http://a/b", { method: "DELETE" }));

  expect([moved.method, await moved.text()]).toEqual(["POST", "what it says"]);
  expect([likewise.method, likewise.url]).toEqual(["DELETE", "http://a/likewise"]);
});

describe("an answer that becomes a WebSocket", () => {
  test("has its status, its headers and no body", () => {
    const { 0: webSocket } = new WebSocketPair();
    const answer = new Response(null, { status: 101, webSocket, headers: { A: "1" } });

    expect([answer.status, answer.ok, answer.body, answer.headers.get("a")]).toEqual([101, false, null, "1"]);
    expect(answer.webSocket).toBe(webSocket);
    expect(answer).toBeInstanceOf(Response);
  });

  test("needs a socket", () => {
    expect(() => new Response(null, { status: 101 })).toThrow("needs a webSocket");
  });
});
