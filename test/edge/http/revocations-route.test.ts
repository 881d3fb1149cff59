/** What an administrator is told of a revocation, by what becomes of it at each shard. */
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";

/** Imported without its types, which are those of another platform. */
const APP = join(import.meta.dirname, "../../../edge/http/app.ts");

interface Routes {
  createApp(
    page: unknown,
    doorOf: () => Promise<unknown>,
  ): { fetch(request: Request, env: unknown): Promise<Response> };
}

type Shard = "stores" | "full" | "silent";

interface Unspread {
  readonly told: number;
  readonly edges: readonly string[];
  readonly origins: readonly string[];
}

/** No origin is connected. */
const NOBODY: Unspread = { told: 0, edges: [], origins: [] };
const TOLD: Unspread = { told: 1, edges: [], origins: [] };

async function revoke(
  shards: readonly Shard[],
  unspread: Unspread | "silent" = NOBODY,
): Promise<[number, Record<string, unknown>]> {
  const grants = { subscribe: [], publish: [], discover: [], admin: true };
  const principal = { kind: "known", issuer: "i", subject: "operator", issuedAt: 0, grants, until: 1e15 };
  const known = { principal, grants: { admin: true }, tokensCount: true, lifetimeSeconds: 600 };
  const door = async () => ({
    rules: { cookie: undefined, webOrigins: undefined },
    identify: async () => ({ ok: true, known }),
  });
  const stubOf = (name: string) => ({
    isRevoked: async () => false,
    revoke: async () => {
      const shard = shards[Number(name.slice("shard-".length))];
      if (shard === "silent") throw new Error("away");
      return shard === "stores";
    },
    spread: async () => {
      if (unspread === "silent" || shards[Number(name.slice("shard-".length))] !== "stores")
        throw new Error("away");
      return unspread;
    },
  });
  const env = { SHARDS: String(shards.length), SHARD: { idFromName: (name: string) => name, get: stubOf } };
  const { createApp } = (await import(APP)) as Routes;
  const body = JSON.stringify({ subject: "alice", id: "an-id" });
  const request = new Request("https://edge.example/$/revocations", { method: "POST", body });
  const answer = await createApp(new Map(), door).fetch(request, env);
  return [answer.status, (await answer.json()) as Record<string, unknown>];
}

test.each<[readonly Shard[], number, object]>([
  [["stores", "stores"], 200, { id: "an-id" }],
  [["stores", "full", "silent"], 202, { id: "an-id", missing: [1, 2], full: [1] }],
  [["silent", "stores"], 202, { id: "an-id", missing: [0] }],
  [["full", "stores"], 202, { id: "an-id", missing: [0], full: [0] }],
  [["full", "full"], 503, { error: expect.objectContaining({ code: "overloaded" }) }],
  [["full", "silent"], 503, { error: expect.objectContaining({ code: "overloaded" }) }],
  [["silent", "silent"], 503, { error: expect.objectContaining({ code: "unavailable" }) }],
])("[A9] shards that are %j: %i, and what is missing where, and why", async (shards, status, told) => {
  for (const level of ["log", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
  onTestFinished(() => void vi.restoreAllMocks());

  const [answered, body] = await revoke(shards);

  expect(answered).toBe(status);
  expect(body).toMatchObject(told);
  for (const name of ["missing", "full"]) if (!(name in told)) expect(body).not.toHaveProperty(name);
});

test.each<[Unspread | "silent", number, object]>([
  [NOBODY, 200, {}],
  [TOLD, 200, {}],
  [{ ...TOLD, edges: ["https://b.example"] }, 202, { edges: ["https://b.example"] }],
  [{ ...TOLD, origins: ["origin-2"] }, 202, { origins: ["origin-2"] }],
  ["silent", 202, { origins: ["unknown"] }],
])(
  "[D4] of what isn't at all other edges (%j) the answer is %i, and says where",
  async (unspread, status, told) => {
    for (const level of ["log", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
    onTestFinished(() => void vi.restoreAllMocks());

    const [answered, body] = await revoke(["full", "stores"], unspread);
    const [whole, wholeBody] = await revoke(["stores"], unspread);

    expect([answered, whole]).toEqual([202, status]);
    for (const one of [body, wholeBody]) expect(one).toMatchObject(told);
    for (const name of ["edges", "origins"]) if (!(name in told)) expect(wholeBody).not.toHaveProperty(name);
  },
);
