/** What websites and strangers get of an edge on this machine, as `npm run edge` runs it. */
import { once } from "node:events";
import { connect } from "node:net";
import { constants, deflateRawSync } from "node:zlib";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { CLOSE } from "../../shared/protocol/codes.ts";
import { Administrator } from "../support/administrator.ts";
import { eventually } from "../support/deadline.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";
import { WorkerdEdge } from "../support/workerd-edge.ts";

const PATH = "/quotes/A";
const EVIL = "https://evil.example";

const edges: WorkerdEdge[] = [];

async function startEdge(settings: Record<string, string> = {}): Promise<WorkerdEdge> {
  const edge = await WorkerdEdge.start(settings, "active");
  edges.push(edge);
  edge.origin.append(PATH, { a: "secret" });
  return edge;
}

let edge: WorkerdEdge;
beforeAll(async () => {
  edge = await startEdge();
}, 60_000);
afterAll(async () => {
  for (const edge of edges) await edge.close();
});

/** A request as it stands; the answer as it comes, up to what ends it. */
async function say(port: number, lines: readonly string[]): Promise<Buffer> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.write(`${lines.join("\r\n")}\r\nConnection: close\r\n\r\n`);
  await once(socket, "close");
  return Buffer.concat(chunks);
}

async function ask(path: string, headers: Record<string, string> = {}, { port } = edge) {
  const lines = Object.entries({ Host: `127.0.0.1:${port}`, ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  const text = String(await say(port, [`GET ${path} HTTP/1.1`, ...lines]));
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
  return {
    status,
    text,
    header: (name: string) => new RegExp(`^${name}: (.*)$`, "im").exec(text)?.[1]?.trim(),
  };
}

/** The code with which a subscribe is closed; undefined if it is served. */
async function subscribe(headers: Record<string, string>, { port } = edge): Promise<number | undefined> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const all = {
    Host: `127.0.0.1:${port}`,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET ${PATH} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
  let got = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    got = Buffer.concat([got, chunk]);
    const frame = got.subarray(got.indexOf("\r\n\r\n") + 4);
    if (!got.includes("\r\n\r\n") || frame.length < 4) continue;
    expect(String(got)).toMatch(/^HTTP\/1\.1 101 /);
    // A close frame, or a text.
    return frame[0] === 0x88 ? frame.readUInt16BE(2) : undefined;
  }
}

const EVERYTHING = [
  PATH,
  "/$/",
  "/$/page.js",
  "/$/streams",
  "/$/health",
  "/$/operations",
  "/$/uplink",
  "/",
  "/nowhere",
];

test("[H11] a name that leads here, but isn't this machine's, is answered nothing: pages, records, health, operations", async () => {
  for (const path of EVERYTHING)
    for (const Host of ["evil.example", `evil.example:${edge.port}`, "127.0.0.1.evil.example", "10.0.0.1"]) {
      const { status, text } = await ask(path, { Host });
      expect([path, Host, status]).toEqual([path, Host, 421]);
      expect(text).toContain('"code":"wrong_host"');
      expect(text).not.toMatch(/access-control|secret|active/i);
    }
  expect(await subscribe({ Host: "evil.example" })).toBe(CLOSE.wrong_host);
  expect(await subscribe({ Host: "evil.example", Origin: "http://evil.example" })).toBe(CLOSE.wrong_host);
});

test("[H11] nor where the request line names this machine, and the header doesn't", async () => {
  const { port } = edge;
  const answer = await say(port, [`GET http://127.0.0.1:${port}${PATH} HTTP/1.1`, "Host: evil.example"]);

  expect(String(answer)).not.toContain("secret");
});

test("[H11] by this machine's names it is served, on whatever port a proxy has", async () => {
  for (const Host of [
    "localhost",
    `localhost:${edge.port}`,
    "127.0.0.1",
    "127.3.2.1:9",
    "[::1]:8787",
    "a.localhost",
  ]) {
    expect([Host, (await ask(PATH, { Host })).status]).toEqual([Host, 200]);
    expect(await subscribe({ Host })).toBeUndefined();
  }
});

test("[H11] a website reads nothing and subscribes to nothing; pages of this machine do", async () => {
  for (const path of EVERYTHING) {
    const { status, text, header } = await ask(path, { Origin: EVIL });
    expect([path, status]).toEqual([path, 403]);
    expect(header("access-control-allow-origin")).toBeUndefined();
    expect(text).toContain('"code":"forbidden_origin"');
  }
  for (const Origin of [EVIL, "null", "http://127.0.0.1.evil.example"])
    expect(await subscribe({ Origin })).toBe(CLOSE.forbidden_origin);

  const page = await ask(PATH, { Origin: "http://localhost:5173" });
  expect([page.status, page.header("access-control-allow-origin")]).toEqual([200, "*"]);
  expect(await subscribe({ Origin: "http://localhost:5173" })).toBeUndefined();
});

test("[H8] what lives under /$/ is for no other page, this machine's neither", async () => {
  for (const path of ["/$/", "/$/streams", "/$/health", "/$/operations"]) {
    const { status, header } = await ask(path, { Origin: "http://localhost:5173" });
    expect([path, status]).toEqual([path, 200]);
    expect(header("access-control-allow-origin")).toBeUndefined();
  }
});

test("[H11] HOSTS and WEB_ORIGINS name others, and then nobody is taken for this machine's developer", async () => {
  const other = await startEdge({ HOSTS: "edge.example", WEB_ORIGINS: EVIL });

  expect((await ask(PATH, { Host: "edge.example", Origin: EVIL }, other)).status).toBe(200);
  expect((await ask(PATH, { Host: "evil.example" }, other)).status).toBe(421);
  expect((await ask(PATH, { Origin: "http://localhost:5173" }, other)).status).toBe(403);
  expect((await ask("/$/health", {}, other)).text).not.toContain("active");
  expect((await ask("/$/operations", {}, other)).status).toBe(404);
}, 60_000);

test("[H10] names of origins, and what is counted, are for this machine alone, not for what a proxy passes on", async () => {
  const here = await ask("/$/health");
  expect([here.status, here.text.includes('"origin":"active"')]).toEqual([200, true]);
  expect((await ask("/$/operations")).status).toBe(200);

  for (const header of ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"]) {
    const passedOn = await ask("/$/health", { [header]: "192.0.2.1" });
    expect([header, passedOn.status, passedOn.text.includes("active")]).toEqual([header, 200, false]);
    expect((await ask("/$/operations", { [header]: "192.0.2.1" })).status).toBe(404);
  }
});

test("[H10] [T7] an administrator is told names, and what both parts count, until its token is revoked", async () => {
  const other = await startEdge({ HOSTS: "edge.example", AUTH_ISSUERS });
  const token = await tokenOf({ subject: "operator", admin: true });
  const told = async (path: string) => {
    const { status, text } = await ask(path, { Authorization: `Bearer ${token}` }, other);
    return { status, text };
  };
  expect(await told("/$/health")).toMatchObject({ status: 200, text: expect.stringContaining("active") });
  expect(await told("/$/operations")).toMatchObject({
    status: 200,
    text: expect.stringMatching(/"object_created.shard":[1-9]/),
  });

  const { status } = await new Administrator(`http://127.0.0.1:${other.port}`, token).revoke({
    subject: "operator",
  });

  expect(status).toBe(200);
  expect(await told("/$/health")).toMatchObject({ status: 200, text: expect.not.stringContaining("active") });
  expect((await told("/$/operations")).status).toBe(404);
}, 60_000);

test("[H10] every answer says that it is of no other type, and the page can't be framed", async () => {
  const { port } = edge;
  for (const path of [...EVERYTHING, "/%", "/quotes/none", "/quotes/%41"])
    expect([path, (await ask(path)).header("x-content-type-options")]).toEqual([path, "nosniff"]);
  for (const method of ["POST", "OPTIONS", "DELETE"]) {
    const answer = await fetch(`http://127.0.0.1:${port}${PATH}`, { method });
    expect(answer.headers.get("X-Content-Type-Options")).toBe("nosniff");
  }
  expect((await ask(PATH, { Host: "evil.example" })).header("x-content-type-options")).toBe("nosniff");
  expect((await ask(PATH, { Origin: EVIL })).header("x-content-type-options")).toBe("nosniff");
  const page = await ask("/$/");
  expect(page.header("x-frame-options")).toBe("DENY");
  expect(page.header("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
});

test("[S7] no compression is negotiated, and what comes compressed all the same is inflated by nobody", async () => {
  const socket = connect(edge.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(
    [
      ...[
        `GET ${PATH} HTTP/1.1`,
        `Host: 127.0.0.1:${edge.port}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
      ],
      ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
      ...["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "", ""],
    ].join("\r\n"),
  );
  let got = "";
  socket.on("data", (chunk: Buffer) => {
    got += chunk.toString("latin1");
  });
  await eventually(() => got.includes('"ok"'), "the verdict, as it is");
  expect(got).not.toMatch(/sec-websocket-extensions/i);

  const deflated = deflateRawSync(Buffer.alloc(30 * 1024 * 1024, " "), {
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  const body = deflated.subarray(0, -4);
  const head = Buffer.alloc(8);
  // A whole text message, compressed and masked with zeros.
  head.writeUInt16BE(0xc1fe, 0);
  head.writeUInt16BE(body.length, 2);
  got = "";
  socket.write(Buffer.concat([head, body]));
  await once(socket, "close");

  // The runtime's own word for a frame that it can't read: what was inflated would have been too large.
  expect(got).not.toContain("frame_too_large");
  await eventually(async () => (await ask(PATH)).status === 200, "the edge goes on");
});
