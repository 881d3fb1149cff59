/** An edge that trusts two issuers, of whose tokens some are revoked, and who comes to it by them. */
import { afterAll, beforeAll, expect } from "vitest";
import { shardOf } from "../../shared/protocol/address.ts";
import { Administrator } from "./administrator.ts";
import { startEdge, type TestEdge } from "./edge-harness.ts";
import { RawSubscriber } from "./raw-subscriber.ts";
import { ScriptedOrigin } from "./scripted-origin.ts";
import { AUTH_ISSUERS, tokenOf } from "./tokens.ts";

export const OTHER_ISSUER = "https://other.example";
export const REVOKED = { code: 4519, reason: expect.stringMatching(/^revoked/) };

let names = 0;

/** So that no revocation of another test means it. */
export const newSubject = () => `subject-${++names}`;

/** Two paths, one of each shard. */
export function newPaths(): [string, string] {
  const found: string[] = [];
  for (let shard = 0; shard < 2; shard++)
    for (let path = ""; found.length === shard; ) {
      path = `/quotes/key-${++names}`;
      if (shardOf(path, 2) === shard) found.push(path);
    }
  return found as [string, string];
}

export const isClosed = ({ closed }: RawSubscriber) => closed !== undefined;
export const closed = (...sockets: RawSubscriber[]) =>
  Promise.all(sockets.map((socket) => socket.until(isClosed, "a close").then(() => socket.closed)));
export const now = () => Math.floor(Date.now() / 1_000);

/** For the tests of a file. */
export function revokingEdge() {
  let edge: TestEdge;
  let origin: ScriptedOrigin;
  let admin: Administrator;

  beforeAll(async () => {
    const [issuer] = JSON.parse(AUTH_ISSUERS) as object[];
    const issuers = [issuer, { ...issuer, issuer: OTHER_ISSUER }];
    edge = await startEdge({ AUTH_ISSUERS: JSON.stringify(issuers), AUTH_COOKIE: "token" });
    origin = await new ScriptedOrigin({ url: edge.url }).connect();
    const token = await tokenOf({ subject: "the-admin", admin: true, id: "admin-1" });
    admin = new Administrator(edge.url, token);
  }, 60_000);
  afterAll(async () => {
    origin.cut();
    await edge.close();
  });

  function dial(path: string, token?: string): RawSubscriber {
    const subscriber = new RawSubscriber(`${edge.wsUrl}${path}`, headersOf(token));
    // As S11 says: a close is heard at once then.
    subscriber.socket.on("open", () => subscriber.send('{"ping":1}'));
    return subscriber;
  }

  return {
    get edge() {
      return edge;
    },
    get origin() {
      return origin;
    },
    /** By a token of the issuer that isn't the other one. */
    get admin() {
      return admin;
    },
    dial,
    /** A live subscriber. */
    async subscribe(path: string, token?: string): Promise<RawSubscriber> {
      const subscriber = dial(path, token);
      await subscriber.verdict();
      await subscriber.until(({ others }) => others.length > 0, "a pong");
      subscriber.others.length = 0;
      return subscriber;
    },
    async get(path: string, token?: string): Promise<{ status: number; code: string | undefined }> {
      const answer = await fetch(`${edge.url}${path}`, { headers: headersOf(token) });
      const body = await answer.text();
      const code = answer.ok ? undefined : (JSON.parse(body) as { error: { code: string } }).error.code;
      return { status: answer.status, code };
    },
  };
}

function headersOf(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}
