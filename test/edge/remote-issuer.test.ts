/** An issuer whose keys are behind a URL, as an edge on workerd asks it. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startEdge } from "../support/edge-harness.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";

/** One that answers when the test says so, and an edge that trusts it. */
async function world() {
  const [{ jwks, ...issuer }] = JSON.parse(AUTH_ISSUERS) as [{ jwks: object }];
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const jwksUrl = `http://127.0.0.1:${port}/jwks`;
  const edge = await startEdge({ AUTH_ISSUERS: JSON.stringify([{ ...issuer, jwksUrl }]) });
  onTestFinished(async () => {
    await edge.close();
    server.close();
  });
  const bearing = (token: string) => ({ Authorization: `Bearer ${token}` });
  const headers = bearing(await tokenOf());
  return {
    server,
    jwks,
    of: async (kid: string) => fetch(`${edge.url}/$/streams`, { headers: bearing(await tokenOf({ kid })) }),
    asked: async () => ((await once(server, "request")) as [unknown, ServerResponse])[1],
    answer: (response: ServerResponse) => response.end(JSON.stringify(jwks)),
    streams: (signal?: AbortSignal) => fetch(`${edge.url}/$/streams`, { headers, ...(signal && { signal }) }),
  };
}

test("[T3] a request that waits for an issuer's keys gets them, though the one that asked for them has left", async () => {
  const { asked, answer, streams } = await world();
  const question = asked();
  const leaving = new AbortController();
  const first = streams(leaving.signal).catch(() => "left");
  const response = await question;
  const second = streams();

  leaving.abort();
  expect(await first).toBe("left");
  answer(response);

  expect((await second).status).toBe(200);
});

test("[T3] a key that was published after others were asked for is refused for now, and its token is told until when", async () => {
  const { server, jwks, of } = await world();
  let asked = 0;
  let published: object = { keys: (jwks as { keys: object[] }).keys.map((key) => ({ ...key, kid: "old" })) };
  server.on("request", (_, response: ServerResponse) => {
    asked++;
    response.end(JSON.stringify(published));
  });
  expect((await of("made-up")).status).toBe(401);
  published = jwks;

  const answers = [await of("k"), await of("another-made-up")];

  for (const answer of answers) {
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ error: { code: "unavailable", retry: true } });
    const seconds = Number(answer.headers.get("Retry-After"));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(30);
  }
  expect((await of("old")).status).toBe(200);
  expect(asked).toBe(1);
});
