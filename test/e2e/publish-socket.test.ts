/** Publishing on sockets to the embedded log, with two origins, by the product's client and by hand. */
import { describe, expect, onTestFinished, test } from "vitest";
import {
  type PublishError,
  type SubscribeOptions,
  type Subscription,
  subscribe,
} from "../../shared/client/client.ts";
import { Administrator } from "../support/administrator.ts";
import { eventually } from "../support/deadline.ts";
import { publishWhile } from "../support/publish-while.ts";
import { RawSubscriber } from "../support/raw-subscriber.ts";
import { SocketLoad } from "../support/socket-load.ts";
import { type TokenOf, tokenOf } from "../support/tokens.ts";
import { twoOrigins } from "../support/two-origins.ts";

const world = twoOrigins({
  t: { partitions: 3, stream: { publish: "public" } },
  private: { stream: { subscribe: "token", publish: "token" } },
  mixed: { stream: { publish: "token" } },
});

function follow(path: string, options: SubscribeOptions = {}): Subscription {
  const subscription = subscribe(`${world.deployment.url}${path}`, options);
  onTestFinished(() => subscription.close());
  return subscription;
}

/** A client that shares no code with the product, and has its verdict. */
async function connect(path: string, token?: TokenOf): Promise<RawSubscriber> {
  const headers: Record<string, string> =
    token === undefined ? {} : { Authorization: `Bearer ${await tokenOf(token)}` };
  const client = new RawSubscriber(`${world.deployment.url.replace("http", "ws")}${path}`, headers);
  onTestFinished(() => client.close());
  await client.verdict();
  return client;
}

async function answered(client: RawSubscriber, id: number) {
  const isIt = (frame: Record<string, unknown>) => frame.id === id;
  await client.until(({ others }) => others.some(isIt), `an answer to ${id}`);
  return client.others.find(isIt) as {
    readonly ok?: { readonly position: string };
    readonly error?: { readonly code: string };
  };
}

async function overHttp(path: string, body: string, key: string) {
  const answer = await fetch(`${world.deployment.url}${path}`, {
    method: "POST",
    body,
    headers: { "Idempotency-Key": key },
  });
  return (await answer.json()) as { position?: string; error?: { code: string } };
}

describe("what is published on a socket", () => {
  test("[W23] its subscribers see, at the position of its acknowledgement", async () => {
    const subscription = follow("/t/own");
    const updates: { position: string; text: string | undefined }[] = [];
    subscription.on("update", (update) =>
      updates.push({ position: `${update.epoch}:${update.offset}`, text: update.text() }),
    );
    const values = Array.from({ length: 20 }, (_, i) => `{"n":${i}}`);
    const positions = await Promise.all(values.map((value) => subscription.publish(value)));
    await eventually(() => updates.length >= values.length, "all updates");

    expect(updates).toEqual(values.map((text, i) => ({ position: positions[i], text })));
  });

  test("[W21] [W22] arrives byte for byte, with its headers, up to 1 MiB, and as a tombstone", async () => {
    const subscriber = world.deployment.subscribe("/t/bytes");
    onTestFinished(() => subscriber.close());
    await subscriber.verdict();
    const subscription = follow("/t/bytes");
    const bytes = new Uint8Array(1024 * 1024).fill(255);
    await subscription.publish(bytes, {
      headers: [
        ["trace", "é"],
        ["raw", new Uint8Array([255])],
      ],
    });
    await subscription.publish(null);
    await subscriber.until(({ updates }) => updates.length === 2, "two updates");

    expect(subscriber.updates[0]?.value?.equals(bytes)).toBe(true);
    expect(subscriber.updates[0]?.h).toEqual([
      ["trace", "é"],
      ["raw", "/w==", "base64"],
    ]);
    expect(subscriber.updates[1]?.value).toBeNull();
  });

  test("[W3] is done once for each key, whether it comes by a socket or over HTTP", async () => {
    const client = await connect("/t/once");
    client.send({ id: 1, pub: "/t/once", v: 1, idempotencyKey: "once" });
    client.send({ id: 2, pub: "/t/once", s: "other" });
    const first = await answered(client, 1);
    client.send({ id: 3, pub: "/t/once", s: "1", idempotencyKey: "once" });
    client.send({ id: 4, pub: "/t/once", v: 2, idempotencyKey: "once" });

    expect((await answered(client, 3)).ok).toEqual(first.ok);
    expect((await answered(client, 4)).error?.code).toBe("id_reused");
    expect(await overHttp("/t/once", "1", "once")).toEqual(first.ok);
  });
});

describe("who may publish on a socket", () => {
  test("[W22] whom the token lets, and nobody by a token that lets it only read", async () => {
    const may = await connect("/private/a", { subscribe: ["/private/*"], publish: ["/private/a"] });
    const mayNot = await connect("/private/b", { subscribe: ["/private/*"], publish: ["/private/a"] });
    may.send({ id: 1, pub: "/private/a", v: 1 });
    mayNot.send({ id: 1, pub: "/private/b", v: 1 });

    expect(await answered(may, 1)).toHaveProperty("ok.position");
    expect((await answered(mayNot, 1)).error?.code).toBe("forbidden");
  });

  test("[W22] nobody without a token on a stream that is only read by everybody", async () => {
    const client = await connect("/mixed/a");
    client.send({ id: 1, pub: "/mixed/a", v: 1 });

    expect((await answered(client, 1)).error?.code).toBe("no_token");
  });

  test("[W3] [W22] two subjects may call their publishes the same, and each has its own over HTTP, too", async () => {
    const positions: (string | undefined)[] = [];
    for (const subject of ["bob", "carol"]) {
      const client = await connect("/mixed/shared", { subject, publish: ["/mixed/*"] });
      client.send({ id: 1, pub: "/mixed/shared", s: subject, idempotencyKey: "mine" });
      const { ok } = await answered(client, 1);
      const again = await fetch(`${world.deployment.url}/mixed/shared`, {
        method: "POST",
        body: subject,
        headers: {
          "Idempotency-Key": "mine",
          Authorization: `Bearer ${await tokenOf({ subject, publish: ["/mixed/*"] })}`,
        },
      });
      expect(await again.json()).toEqual(ok);
      positions.push(ok?.position);
    }

    expect(positions[0]).not.toBe(positions[1]);
  });

  test("[S18] [W22] whom a renewed token lets", async () => {
    const of = { subject: "dave", subscribe: ["/private/*"] };
    const client = await connect("/private/renewed", of);
    client.send({ id: 1, pub: "/private/renewed", v: 1 });
    expect((await answered(client, 1)).error?.code).toBe("forbidden");
    client.send({ id: 2, token: await tokenOf({ ...of, publish: ["/private/*"], until: 900 }) });
    await answered(client, 2);
    client.send({ id: 3, pub: "/private/renewed", v: 1 });

    expect(await answered(client, 3)).toHaveProperty("ok.position");
  });

  test("[W22] [A9] nobody by a token that was revoked", async () => {
    const client = await connect("/private/m", {
      subject: "mallory",
      subscribe: ["/private/*"],
      publish: ["/private/*"],
    });
    const admin = new Administrator(world.deployment.url, await tokenOf({ subject: "admin", admin: true }));
    expect((await admin.revoke({ subject: "mallory" })).status).toBe(200);
    await client.until(({ closed }) => closed !== undefined, "the close");

    expect(client.closed?.reason).toBe("revoked");
  });

  test("[W23] what is refused rejects, and the client goes on", async () => {
    const subscription = follow("/mixed/b");
    const refused = await subscription.publish("1").catch((error: PublishError) => error.code);

    expect([refused, subscription.connection.state]).toEqual(["no_token", "open"]);
  });
});

/** Keys of a run of their own. */
const pathsOf = (run: string) => Array.from({ length: 8 }, (_, i) => `/t/load-${i}-${run}`);

test("[W24] [W28] origins are killed while clients publish: each publish is one record, where it was acknowledged, in the order of the calls", async () => {
  await publishWhile(
    world.deployment,
    pathsOf("origins"),
    (published) => world.killByTurns(3, published),
    SocketLoad,
  );
}, 120_000);

test("[W24] [W28] so it is if the edge is killed, with sockets, objects and shards", async () => {
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
    SocketLoad,
  );
}, 180_000);
