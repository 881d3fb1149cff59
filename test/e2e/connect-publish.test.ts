/** Publishing on connections of many endpoints to the embedded log, with two origins, by the product's client and by hand. */
import { expect, onTestFinished, test } from "vitest";
import {
  type Connection,
  type ConnectOptions,
  connect,
  type PublishError,
} from "../../shared/client/client.ts";
import { Administrator } from "../support/administrator.ts";
import { eventually } from "../support/deadline.ts";
import { publishWhile } from "../support/publish-while.ts";
import { ConnectionLoad } from "../support/socket-load.ts";
import { tokenOf } from "../support/tokens.ts";
import { twoOrigins } from "../support/two-origins.ts";

const world = twoOrigins({
  t: { partitions: 3, stream: { publish: "public" } },
  private: { stream: { subscribe: "token", publish: "token", discover: "public" } },
});

function open(options: ConnectOptions = {}): Connection {
  const connection = connect(world.deployment.url, options);
  onTestFinished(() => connection.close());
  return connection;
}

const outcomeOf = (promise: Promise<string>) => promise.catch(({ code }: PublishError) => code);
const created = async () => (await world.deployment.operations())["object_created.endpoint"] ?? 0;

test("[W22] [W23] [W10] what is published its subscribers see at that position, and no object of an endpoint is made", async () => {
  const before = await created();
  const connection = open();
  const seen: { position: string; text: string | undefined }[] = [];
  connection
    .subscribe("/t/seen")
    .on("update", (update) => seen.push({ position: update.position, text: update.text() }));
  const positions = [await connection.publish("/t/seen", "1"), await connection.publish("/t/seen", "2")];
  const other = await connection.publish("/t/other", "3");

  await eventually(() => seen.length === 2, "both updates");
  expect(seen).toEqual([
    { position: positions[0], text: "1" },
    { position: positions[1], text: "2" },
  ]);
  const answer = await fetch(`${world.deployment.url}/t/other`);
  expect([answer.headers.get("ETag"), await answer.text()]).toEqual([`"${other}"`, "3"]);
  expect(await created()).toBe(before);
});

test("[W3] a key is one publish on a connection and over HTTP, and two subjects each have their own", async () => {
  const [alice, bob] = await Promise.all(
    ["alice", "bob"].map(async (subject) =>
      open({ token: await tokenOf({ subject, publish: ["/private/*"] }) }),
    ),
  );
  const options = { idempotencyKey: "same" };
  const first = await alice?.publish("/private/a", "of alice", options);
  const token = await tokenOf({ subject: "alice", publish: ["/private/*"] });
  const again = await fetch(`${world.deployment.url}/private/a`, {
    method: "POST",
    body: "of alice",
    headers: { "Idempotency-Key": "same", Authorization: `Bearer ${token}` },
  });

  expect(await again.json()).toEqual({ position: first });
  expect(await bob?.publish("/private/a", "of bob", options)).not.toBe(first);
});

test("[W4] [W22] [A9] whom the token lets, to what it lets, until it is revoked", async () => {
  const token = await tokenOf({ subject: "carol", publish: ["/private/mine"] });
  const [mine, nobody] = [open({ token }), open()];

  expect(await outcomeOf(mine.publish("/private/mine", "1"))).toMatch(/:\d+$/);
  expect(await outcomeOf(mine.publish("/private/other", "1"))).toBe("forbidden");
  expect(await outcomeOf(nobody.publish("/private/mine", "1"))).toBe("no_token");
  const admin = new Administrator(world.deployment.url, await tokenOf({ subject: "admin", admin: true }));
  expect((await admin.revoke({ subject: "carol" })).status).toBe(200);
  await eventually(() => mine.state.state === "closed", "the end");
  expect(await outcomeOf(mine.publish("/private/mine", "2"))).toBe("closed");
});

/** Keys of a run of their own. */
const pathsOf = (run: string) => Array.from({ length: 8 }, (_, i) => `/t/load-${i}-${run}`);

test("[W24] [W28] origins are killed while one connection publishes to eight keys: each publish is one record, where it was acknowledged, in the order of the calls", async () => {
  await publishWhile(
    world.deployment,
    pathsOf("origins"),
    (published) => world.killByTurns(3, published),
    ConnectionLoad,
  );
}, 120_000);

test("[W24] [W27] [W28] so it is if the edge is killed, with relays and shards", async () => {
  const { deployment } = world;
  await publishWhile(
    deployment,
    pathsOf("edge"),
    async (published) => {
      for (let round = 0; round < 2; round++) {
        await deployment.edge?.stop("SIGKILL");
        deployment.edge = deployment.startEdge();
        await published(50);
      }
    },
    ConnectionLoad,
  );
}, 180_000);
