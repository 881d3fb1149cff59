/** get(): the latest record over HTTP, from a server that is the test. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { bytesCodec, Client, type ClientOptions } from "../../../../shared/client/index.ts";

const ATL = "/flights/ATL";

let server: Server;
let url: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
/** Of each request. */
let asked: { readonly path: string | undefined; readonly token: string | undefined }[];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push({ path: request.url, token: request.headers.authorization });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
});
beforeEach(() => {
  asked = [];
});

function newClient(options: ClientOptions = {}): Client {
  const client = new Client(url, options);
  onTestFinished(() => client.close());
  return client;
}

const record = (body: string | Uint8Array, headers: Record<string, string> = {}) => {
  answer = (_, response) =>
    response.writeHead(200, { "Content-Type": "application/json", ETag: '"a:7"', ...headers }).end(body);
};
const refusal = (status: number, code: string, retry = false) => {
  const body = JSON.stringify({ error: { code, message: "no", retry } });
  answer = (_, response) => response.writeHead(status, { "Content-Type": "application/json" }).end(body);
};

test("[H1] is the value, decoded, with its position, its time and its bytes, and opens no connection", async () => {
  record('{"to": "MIA"}', { "Distributary-Timestamp": "1795685942295" });
  const client = newClient();
  const latest = await client.get({ topic: "flights", key: "A TL" });

  expect(latest).toMatchObject({
    ...{ endpoint: "/flights/A%20TL", position: "a:7", timestamp: 1795685942295, value: { to: "MIA" } },
  });
  expect([latest?.text(), latest?.bytes().length]).toEqual(['{"to": "MIA"}', 13]);
  expect([asked, client.connection]).toEqual([[{ path: "/flights/A%20TL", token: undefined }], undefined]);
});

test("[A14] [H2] asks below a path where a proxy has the edge, and reads the tag as that has left it", async () => {
  record("1", { ETag: 'W/"a:7-gzip"' });
  const client = new Client(`${url}/live/`);
  onTestFinished(() => client.close());

  expect(await client.get(ATL)).toMatchObject({ endpoint: ATL, position: "a:7" });
  expect(asked.map(({ path }) => path)).toEqual(["/live/flights/ATL"]);
});

test("[F3] [F4] keeps text and bytes as they are, a byte order mark too", async () => {
  const client = newClient();
  record("\ufeffhello", { "Content-Type": "text/plain; charset=utf-8" });
  expect((await client.get(ATL))?.value).toBe("\ufeffhello");
  record(Uint8Array.of(255, 0), { "Content-Type": "application/octet-stream" });
  expect((await client.get(ATL))?.value).toEqual(Uint8Array.of(255, 0));
  record("[1]");
  expect((await client.get(ATL, { codec: bytesCodec }))?.value).toEqual(new TextEncoder().encode("[1]"));
  const schema = { parse: (value: unknown) => String(value) };
  expect((await client.get(ATL, { schema }))?.value).toBe("1");
});

test.each(["unknown_key", "deleted"])("[H3] is undefined if there is no value: %s", async (code) => {
  refusal(404, code);

  expect(await newClient().get(ATL)).toBeUndefined();
});

test("[H6] rejects with the edge's code, or says that something else has refused it", async () => {
  const client = newClient();
  refusal(503, "unavailable", true);
  await expect(client.get(ATL)).rejects.toMatchObject({ code: "unavailable", retry: true, endpoint: ATL });
  answer = (_, response) => response.writeHead(502).end("<h1>Bad Gateway</h1>");
  await expect(client.get(ATL)).rejects.toMatchObject({ code: "refused", retry: true });
  answer = (_, response) => response.writeHead(403).end('{"error":"no"}');
  await expect(client.get(ATL)).rejects.toMatchObject({ code: "refused", retry: false });
});

test("says that the edge can't be reached, also if it breaks off", async () => {
  const client = newClient();
  answer = (request) => request.socket.destroy();
  await expect(client.get(ATL)).rejects.toMatchObject({ code: "unreachable", retry: true });
  answer = (request, response) => {
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": "100" });
    response.write("{", () => request.socket.destroy());
  };
  await expect(client.get(ATL)).rejects.toMatchObject({ code: "unreachable", retry: true });
});

test("rejects with the reason of its signal, while the token is waited for and while the answer is", async () => {
  const abort = new AbortController();
  const waiting = newClient({ token: () => new Promise(() => {}) }).get(ATL, { signal: abort.signal });
  answer = () => abort.abort(new Error("enough"));
  const answered = newClient().get(ATL, { signal: abort.signal });

  await expect(answered).rejects.toThrow("enough");
  await expect(waiting).rejects.toThrow("enough");
});

test("[S24] sends nothing without a token: what the source throws, or that it gave none, is told", async () => {
  record("1");
  const token = vi
    .fn()
    .mockRejectedValueOnce("signed-out")
    .mockResolvedValueOnce("a b")
    .mockResolvedValue("good");
  const client = newClient({ token });

  await expect(client.get(ATL)).rejects.toBe("signed-out");
  await expect(client.get(ATL)).rejects.toThrow(TypeError);
  expect(asked).toEqual([]);
  expect((await client.get(ATL))?.value).toBe(1);
  expect(asked).toEqual([{ path: ATL, token: "Bearer good" }]);
});

test("[T1] carries a token, asks for another one once if that is refused, and never for the same", async () => {
  const token = vi.fn().mockReturnValueOnce("old").mockReturnValue("new");
  const client = newClient({ token });
  answer = ({ headers }, response) =>
    headers.authorization === "Bearer new"
      ? response.writeHead(200, { "Content-Type": "application/json" }).end("1")
      : response.writeHead(401).end('{"error":{"code":"expired","message":"it is over","retry":false}}');
  expect((await Promise.all([client.get(ATL), client.get(ATL)])).map((latest) => latest?.value)).toEqual([
    1, 1,
  ]);
  expect((await client.get(ATL))?.value).toBe(1);
  expect(token.mock.calls.length).toBe(2);

  refusal(401, "revoked");
  await expect(client.get(ATL)).rejects.toMatchObject({ code: "revoked" });
  expect(asked.filter((one) => one.token === "Bearer new").length).toBe(4);
});
