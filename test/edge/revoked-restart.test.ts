/** Revocations over the end of workerd's process, with nothing but its disk kept. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Administrator } from "../support/administrator.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import type { ScriptedOrigin } from "../support/scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "../support/tokens.ts";
import { WorkerdEdge } from "../support/workerd-edge.ts";

const PATH = "/quotes/A";
let edge: WorkerdEdge;
let origin: ScriptedOrigin;
let url: string;

beforeAll(async () => {
  edge = await WorkerdEdge.start({ AUTH_ISSUERS });
  ({ origin, url } = edge);
}, 60_000);
afterAll(() => edge.close());

function dial(token: string): RawSubscriber {
  const subscriber = new RawSubscriber(`${url.replace("http", "ws")}${PATH}`, {
    Authorization: `Bearer ${token}`,
  });
  subscriber.socket.on("open", () => subscriber.send('{"ping":1}'));
  return subscriber;
}

async function statusOf(token: string): Promise<number> {
  return (await fetch(`${url}${PATH}`, { headers: { Authorization: `Bearer ${token}` } })).status;
}

test("[A9] what was answered stands after the process is killed, and holds nothing that names anybody", async () => {
  const [token, other] = [
    await tokenOf({ subject: "alice-the-revoked", id: "token-77" }),
    await tokenOf({ subject: "bob" }),
  ];
  const admin = new Administrator(url, await tokenOf({ subject: "the-admin", admin: true }));
  origin.append(PATH, 1);
  const hers = dial(token);
  await hers.verdict();

  const { status, body } = await admin.revoke({ subject: "alice-the-revoked" });
  await edge.kill();
  expect(status).toBe(200);
  await edge.startAgain();

  expect([await statusOf(token), await statusOf(other)]).toEqual([401, 200]);
  const back = dial(token);
  await back.until(({ closed }) => closed !== undefined, "the close");
  expect(back.closed).toMatchObject({ code: 4519 });
  expect(back.verdicts).toEqual([]);
  expect((await admin.list()).body.revocations).toMatchObject([{ id: body.id, of: "subject" }]);
  const rows = readdirSync(join(edge.folder, "edge/objects"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), "latin1"))
    .join();
  expect(rows).toContain(String(body.id));
  for (const part of ["alice-the-revoked", "token-77", "issuer.example", ...token.split(".")])
    expect(rows).not.toContain(part);
  await admin.revoke({ tokenId: "token-77" });

  expect((await admin.lift(body.id)).status).toBe(200);
  await edge.kill();
  await edge.startAgain();

  expect((await admin.list()).body.revocations).toMatchObject([{ of: "token" }]);
  expect(await statusOf(token)).toBe(401);
}, 120_000);
