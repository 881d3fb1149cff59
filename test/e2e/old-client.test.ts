/**
 * A client of the time before there were tokens, written after PROTOCOL.md's rules for public streams alone: a bare WebSocket
 * and a bare GET. Where issuers are set and other streams want tokens, public ones are to it what they were.
 */
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { eventually } from "../support/deadline.ts";
import { Deployment, utf8 } from "../support/deployment.ts";
import { AUTH_ISSUERS } from "../support/tokens.ts";

/** Of this machine: an edge on a loopback address answers those though none is listed. */
const PAGE = "http://localhost:5173";

const edges: Record<string, Deployment> = {};

beforeAll(async () => {
  const start = (edgeEnv: Record<string, string>, more: object = {}) =>
    Deployment.start({ topics: { open: {}, ...more }, edgeEnv });
  const closed = { closed: { stream: { subscribe: "token" } } };
  [edges["without issuers"], edges["with issuers"], edges["with issuers, cookies and pages"]] =
    await Promise.all([
      start({}),
      start({ AUTH_ISSUERS }, closed),
      start({ AUTH_ISSUERS, AUTH_COOKIE: "session", WEB_ORIGINS: PAGE }, closed),
    ]);
});
afterAll(() => Promise.all(Object.values(edges).map((edge) => edge.stop())));

interface Session {
  /** Frames as they came, without names of epochs and times. */
  readonly frames: string[];
  readonly headers: Record<string, string>;
}

const unnamed = (text: string) => text.replace(/[\w-]{6,}\.\d+:/g, "EPOCH:").replace(/"t":\d+/g, '"t":0');

/** All that it does in a life: it reads, follows, pings, subscribes anew, loses its connection, and resumes. */
async function live(edge: Deployment): Promise<Session> {
  const write = async (n: number) => {
    edge.produce("open", [{ key: utf8("a"), value: utf8(`{"n":${n}}`) }]);
    // What is said of it depends on nobody's haste then.
    const isThere = async () => (await (await fetch(`${edge.url}/open/a`)).text()) === `{"n":${n}}`;
    await eventually(isThere, `record ${n}`);
  };
  const url = `${edge.url.replace("http", "ws")}/open/a`;
  const frames: string[] = [];
  let position = "";
  await write(1);

  const follow = async (from: string | undefined, says: string[], until: (frame: string) => boolean) => {
    const socket = new WebSocket(from === undefined ? url : `${url}?from=${encodeURIComponent(from)}`);
    const ended = new Promise<void>((resolve) =>
      socket.on("message", (data) => {
        for (const frame of String(data).split("\u001e")) {
          // It may come before all else.
          if (frame !== '{"pong":1}') frames.push(unnamed(frame));
          position = (JSON.parse(frame) as { p?: string }).p ?? position;
          if (until(frame)) resolve();
        }
      }),
    );
    await once(socket, "open");
    expect(socket.protocol).toBe("");
    for (const one of says) socket.send(one);
    await ended;
    socket.terminate();
  };

  await follow("-", [], (frame) => frame.includes('"n":1'));
  await follow(position, ['{"id":1,"sub":"/open/a"}', '{"ping":1}'], (frame) => frame.includes('"id":1'));
  const resumeFrom = position;
  await write(2);
  await follow(resumeFrom, [], (frame) => frame.includes('"n":2'));
  await follow(position, ['{"id":1,"sub":"/open/a","from":"-"}'], (frame) => frame.includes('"id":1'));
  await follow(position, ['{"id":2,"pub":"/open/a","v":1}'], (frame) => frame.includes('"id":2'));

  const answer = await fetch(`${edge.url}/open/a`);
  frames.push(await answer.text());
  const kept = ["content-type", "cache-control", "vary", "www-authenticate"];
  const headers = Object.fromEntries(kept.map((name) => [name, answer.headers.get(name) ?? "none"]));
  const again = await fetch(`${edge.url}/open/a`, {
    headers: { "If-None-Match": answer.headers.get("etag") ?? "" },
  });
  expect(again.status).toBe(304);
  return { frames, headers };
}

test.each(["with issuers", "with issuers, cookies and pages"])(
  "public streams are to it as they were, %s",
  async (kind) => {
    const [before, now] = [edges["without issuers"], edges[kind]];
    if (before === undefined || now === undefined) throw new Error("there is no such edge");
    const known = await (sessions.get(before) ?? remember(before));

    const session = await live(now);

    expect(session.frames.length).toBeGreaterThan(8);
    expect(session).toEqual(known);
    const { headers } = await fetch(`${now.url}/open/a`, { headers: { Origin: PAGE } });
    expect(["*", PAGE]).toContain(headers.get("Access-Control-Allow-Origin"));
  },
);

const sessions = new Map<Deployment, Promise<Session>>();

function remember(edge: Deployment): Promise<Session> {
  const session = live(edge);
  sessions.set(edge, session);
  return session;
}

test("without issuers a token that it happens to send is meant for somebody else", async () => {
  const headers = { Authorization: "Bearer of-a-proxy" };
  expect((await fetch(`${edges["without issuers"]?.url}/open/a`, { headers })).status).toBe(200);
});
