/** Issuers that answer badly, as a real edge asks them for their keys. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Deployment } from "../support/deployment.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

const KEYS = JSON.stringify((JSON.parse(AUTH_ISSUERS) as [{ jwks: object }])[0].jwks);
const sent: { tooMuch: Promise<boolean> | undefined } = { tooMuch: undefined };

/** By the path that an edge asks at: answers that are none, and one that is. */
const ANSWERS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  good: (response) => response.end(KEYS),
  redirect: (response) => response.writeHead(302, { Location: "/good" }).end(),
  "permanent-redirect": (response) => response.writeHead(308, { Location: "/good" }).end(KEYS),
  garbage: (response) => response.end("<html>"),
  "half-of-it": (response) => response.end(KEYS.slice(0, 40)),
  error: (response) => response.writeHead(500).end(KEYS),
  "cut-off": (response) => {
    response.writeHead(200, { "Content-Length": KEYS.length });
    response.write(KEYS.slice(0, 40), () => response.destroy());
  },
  nothing: () => {},
  dripping: (response) => {
    const drip = setInterval(() => response.write(" "), 200);
    response.on("close", () => clearInterval(drip));
  },
  // Keys, with 10 MB of spaces before them: as large as an answer gets, and valid JSON.
  "10-MB": (response) => {
    sent.tooMuch = new Promise((resolve) => response.on("close", () => resolve(response.writableFinished)));
    response.end(" ".repeat(10_000_000) + KEYS);
  },
};
const asked: string[] = [];
const server = createServer((request, response) => {
  const path = request.url?.slice(1).split("?")[0] ?? "";
  asked.push(path);
  ANSWERS[path]?.(response);
});
let edge: Deployment;

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const issuers = Object.keys(ANSWERS).map((issuer) => ({
    issuer,
    audience: "distributary",
    jwksUrl: `http://127.0.0.1:${port}/${issuer}?key=of-the-issuers-api`,
  }));
  edge = await Deployment.start({
    topics: { quotes: {} },
    edgeEnv: { AUTH_ISSUERS: JSON.stringify(issuers) },
  });
});
afterAll(async () => {
  await edge?.stop();
  server.closeAllConnections();
  server.close();
});

const statusOf = async (issuer: string, kid = "k") => {
  const headers = { Authorization: `Bearer ${await tokenOf({ issuer, kid })}` };
  const answer = await fetch(`${edge.url}/$/streams`, { headers });
  const { error } = (await answer.json()) as { error?: { code: string } };
  return [answer.status, error?.code];
};

test.concurrent.each(Object.keys(ANSWERS).filter((name) => name !== "good"))(
  "[T3] %s: the token may do later, and nobody else waits",
  async (issuer) => {
    const refused = statusOf(issuer);
    const other = statusOf("good");

    expect(await Promise.race([other, refused.then(() => other)])).toEqual([200, undefined]);
    expect(await refused).toEqual([503, "unavailable"]);
  },
);

test("a redirect is followed nowhere, 10 MB are not read to their end, and the log has no query", async () => {
  expect(await statusOf("good")).toEqual([200, undefined]);
  expect(asked.filter((path) => path === "good")).toHaveLength(1);
  expect(await sent.tooMuch).toBe(false);
  const said = edge.edge?.output;
  expect(said).toContain("/redirect can't be had: it answers with status 302");
  expect(said).not.toContain("of-the-issuers-api");
});

test("2,000 tokens that each name another key are one question more, at most, and few are told that there is none", async () => {
  const began = Date.now();
  const before = asked.length;
  let unknown = 0;
  for (let at = 0; at < 2_000; at += 100) {
    const some = Array.from({ length: 100 }, (_, i) => statusOf("good", `random-${at + i}`));
    for (const [status, code] of await Promise.all(some)) {
      expect([
        [401, "unknown_signer"],
        [503, "unavailable"],
      ]).toContainEqual([status, code]);
      if (status === 401) unknown++;
    }
  }
  const questions = asked.length - before;
  expect(questions).toBeLessThanOrEqual(1 + (Date.now() - began) / 30_000);
  // Those that came in the millisecond in which one was put.
  expect(unknown).toBeLessThanOrEqual(questions * 100);
  expect(await statusOf("good")).toEqual([200, undefined]);
});
