/** Publishes that come up a link: to which origin they go, how they are answered, and for whom they aren't sent. */
import { beforeEach, describe, expect, test } from "vitest";
import { encodeAddressed } from "../../../../shared/protocol/addressed.ts";
import { encodeLinkPublish, type LinkPublish } from "../../../../shared/protocol/link-publish.ts";
import {
  decodePublish,
  encodePublished,
  type Published,
  type PublishRequest,
} from "../../../../shared/protocol/publish.ts";
import type { FakeSocket } from "../../../support/fake-socket.ts";
import { settled } from "../../../support/simulated-edge.ts";
import { SmallShard } from "../../../support/small-shard.ts";

let shard: SmallShard;
let origin: FakeSocket;
let link: FakeSocket;

beforeEach(async () => {
  shard = new SmallShard();
  origin = shard.connect("active");
  link = await shard.watch(origin, "/t/k", 1);
});

const publishOf = (id: number, more: Partial<LinkPublish> = {}): LinkPublish => ({
  ...{ socket: 4_711, id, token: undefined },
  publish: {
    ...{ endpoint: "/t/k", issuer: "", subject: "", key: `key-${id}`, by: "client" },
    ...{ headers: [], value: new TextEncoder().encode(String(id)) },
  },
  ...more,
});

const say = (...publishes: LinkPublish[]) =>
  shard.core.linkMessage(link, new Uint8Array(Buffer.concat(publishes.map(encodeLinkPublish))));

/** What the origin was told to publish since this was last called. */
function takePublishes(): PublishRequest[] {
  return origin.take().flatMap((frame) => {
    const read = frame instanceof Uint8Array ? decodePublish(new Uint8Array(frame)) : undefined;
    return read?.ok ? [read.value] : [];
  });
}

async function answer(...answers: [PublishRequest | undefined, Published][]): Promise<void> {
  const frames = answers.map(([request, result]) =>
    encodeAddressed({ kind: "shard" }, encodePublished(request?.id ?? -1, result)),
  );
  shard.core.uplinkMessage(origin, frames.join("\u001e"));
  await settled();
}

describe("a publish on a link", () => {
  test("[W26] goes to an origin, in order, and is answered to the socket that it names", async () => {
    say(publishOf(1), publishOf(2));
    say(publishOf(3, { socket: 9 }));
    const [first, second, third] = takePublishes();
    expect([first, second, third].map((request) => request?.key)).toEqual(["key-1", "key-2", "key-3"]);
    expect(first).toMatchObject({ endpoint: "/t/k", issuer: "", subject: "", by: "client" });
    await answer([first, { position: "e:6" }], [second, { position: "e:7" }], [third, { position: "e:8" }]);

    expect(link.messages).toHaveLength(1);
    expect(link.take()).toEqual([
      { published: { socket: 4_711, id: 1, position: "e:6" } },
      { published: { socket: 4_711, id: 2, position: "e:7" } },
      { published: { socket: 9, id: 3, position: "e:8" } },
    ]);
  });

  test("[W23] [W26] that fails is answered with the error, when to come back, and the key if the edge made it", async () => {
    const made = publishOf(2);
    say(publishOf(1), { ...made, publish: { ...made.publish, by: "edge" } });
    const [first, second] = takePublishes();
    await answer([first, { error: { code: "overloaded", message: "much" } }]);
    await answer([second, { error: { code: "unknown", message: "" } }]);
    shard.pass(11_000, origin);
    shard.clock.next(0);
    await settled();

    expect(link.take()).toEqual([
      {
        published: {
          socket: 4_711,
          id: 1,
          error: { code: "overloaded", message: "much", retry: true, retryAfterMs: 1_000 },
        },
      },
      {
        published: {
          ...{ socket: 4_711, id: 2, key: "key-2" },
          error: expect.objectContaining({ code: "unknown_outcome", retry: true }),
        },
      },
    ]);
  });

  test("[W7] [W26] without an origin it is unavailable at once", async () => {
    shard.core.uplinkClosed(origin);
    say(publishOf(1));
    await settled();

    expect(link.take()).toContainEqual({
      published: { socket: 4_711, id: 1, error: expect.objectContaining({ code: "unavailable" }) },
    });
  });

  test("[W27] whose link is gone when it is answered is answered to nobody, and disturbs nothing", async () => {
    say(publishOf(1));
    const [first] = takePublishes();
    shard.core.linkClosed(link);
    link.close(1006, "");
    await answer([first, { position: "e:6" }]);

    expect(link.messages).toEqual([]);
    expect(shard.problems).toEqual([]);
  });

  test("[W7] [W26] by a token that has ended, or was revoked, isn't sent", async () => {
    const names = { issuer: "hash-i", subject: "hash-s", tokenId: undefined, issuedAt: 1_000 };
    const until = shard.clock.now + 60_000;
    say(
      publishOf(1, { token: { names, until: shard.clock.now } }),
      publishOf(2, { token: { names, until } }),
    );
    await settled();
    expect(takePublishes().map(({ key }) => key)).toEqual(["key-2"]);
    const meant = { of: "subject", issuer: "hash-i", subject: "hash-s", before: 2_000 } as const;
    shard.core.revoking.revoke({ id: "r", meant, graceMs: 0, madeAt: shard.clock.now, until });
    say(
      publishOf(3, { token: { names, until } }),
      publishOf(4, { token: { names: { ...names, subject: "other" }, until } }),
    );
    await settled();

    expect(takePublishes().map(({ key }) => key)).toEqual(["key-4"]);
    expect(link.take()).toEqual([
      { published: { socket: 4_711, id: 1, error: expect.objectContaining({ code: "expired" }) } },
      expect.objectContaining({ revoke: expect.anything() }),
      { published: { socket: 4_711, id: 3, error: expect.objectContaining({ code: "revoked" }) } },
    ]);
  });

  test.each([
    ["bytes that are no frame", () => new Uint8Array([1, 2, 3])],
    ["a frame that publishes nothing", () => new TextEncoder().encode('{"n":0}\n')],
    [
      "a publish to what is no endpoint",
      () => encodeLinkPublish({ ...publishOf(1), publish: { ...publishOf(1).publish, endpoint: "/%" } }),
    ],
  ])("[W26] [L3] %s end the link, and the next one is dialled", async (_, bytes) => {
    shard.core.linkMessage(link, bytes());

    expect(link.closed?.reason).toBe("bad_frame");
    expect(shard.problems).toHaveLength(1);
    while (shard.dialled.length < 2 && shard.clock.next(1_000)) await settled();
    expect(shard.dialled).toHaveLength(2);
  });
});
