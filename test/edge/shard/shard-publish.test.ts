/** Publishes at a whole shard: which uplinks it sends them to, and for whom it doesn't. */
import { describe, expect, test } from "vitest";
import { hashOfName } from "../../../edge/access/name-hash.ts";
import type { KnownPrincipal } from "../../../edge/principal.ts";
import { encodeAddressed } from "../../../shared/protocol/addressed.ts";
import {
  decodePublish,
  encodePublished,
  encodeWriting,
  type Publish,
  type Published,
  type PublishRequest,
} from "../../../shared/protocol/publish.ts";
import type { FakeSocket } from "../../support/fake-socket.ts";
import { settled } from "../../support/simulated-edge.ts";
import { SmallShard } from "../../support/small-shard.ts";

const PUBLISH: Publish = {
  ...{ endpoint: "/t/k", issuer: "i", subject: "s", key: "c0ffee", by: "client" },
  ...{ headers: [], value: new TextEncoder().encode("1") },
};

/** What it was told to publish since this was last called. */
function takePublishes(uplink: FakeSocket): PublishRequest[] {
  return uplink.take().flatMap((frame) => {
    if (!(frame instanceof Uint8Array)) return [];
    const read = decodePublish(new Uint8Array(frame));
    if (!read.ok) throw new Error(read.problem);
    return [read.value];
  });
}

function say(shard: SmallShard, uplink: FakeSocket, frame: string): void {
  shard.core.uplinkMessage(uplink, encodeAddressed({ kind: "shard" }, frame));
}

function answer(shard: SmallShard, uplink: FakeSocket, id: number | undefined, result: Published): void {
  say(shard, uplink, encodePublished(id ?? -1, result));
}

const number = { id: 1, epoch: 1 };
const WRITING = { topic: "t", partition: 0, partitions: 1, number };

describe("publishes at a shard", () => {
  test("[W8] go to a standby that writes the partition, and its answer counts", async () => {
    const shard = new SmallShard();
    const [active, standby] = [shard.connect("active"), shard.connect("standby")];
    say(shard, standby, encodeWriting(WRITING));
    const outcome = shard.core.publish(PUBLISH);

    expect(takePublishes(active)).toEqual([]);
    const [got] = takePublishes(standby);
    expect(got).toMatchObject({ endpoint: "/t/k", key: "c0ffee", claim: false });
    answer(shard, standby, got?.id, { position: "e:1" });
    expect(await outcome).toEqual({ kind: "position", position: "e:1" });
  });

  test("[W9] [U13] go to whoever takes over from an origin that falls silent, with the same id", async () => {
    const shard = new SmallShard();
    const [active, standby] = [shard.connect("active"), shard.connect("standby")];
    const outcome = shard.core.publish(PUBLISH);
    const [first] = takePublishes(active);
    shard.pass(4_000, standby);
    const [again] = takePublishes(standby);

    expect(again).toMatchObject({ id: first?.id, key: "c0ffee" });
    answer(shard, active, first?.id, { position: "e:1" });
    answer(shard, standby, again?.id, { position: "e:2" });
    expect(await outcome).toEqual({ kind: "position", position: "e:2" });
  });

  test("[W8] [U16] go to nobody because of what a key that may not speak for the topic says", async () => {
    const shard = new SmallShard();
    const [active, liar] = [shard.connect("active"), shard.connect("liar", { scope: "topics=other" })];
    say(shard, liar, encodeWriting({ ...WRITING, number: { id: 9, epoch: 9 } }));
    void shard.core.publish(PUBLISH);

    expect(takePublishes(liar)).toEqual([]);
    expect(takePublishes(active)).toHaveLength(1);
  });

  test("[W8] a writer's word is over with its uplink", async () => {
    const shard = new SmallShard();
    const [active, standby] = [shard.connect("active"), shard.connect("standby")];
    say(shard, standby, encodeWriting(WRITING));
    shard.core.uplinkClosed(standby);
    void shard.core.publish(PUBLISH);

    expect(takePublishes(active)).toHaveLength(1);
  });

  test("[W7] of a token that has ended, or was revoked, aren't sent", async () => {
    const shard = new SmallShard();
    const active = shard.connect("active");
    const seconds = Math.floor(shard.clock.now / 1_000);
    const principal: KnownPrincipal = {
      ...{ kind: "known", issuer: "i", subject: "s", issuedAt: seconds - 60 },
      grants: { subscribe: [], publish: ["/t/*"], discover: [], admin: false },
      until: shard.clock.now + 60_000,
    };
    const ended = await shard.core.publish(PUBLISH, { ...principal, until: shard.clock.now });
    const [issuer, subject] = [await hashOfName("i"), await hashOfName("s")];
    const meant = { of: "subject", issuer, subject, before: seconds } as const;
    shard.core.revoking.revoke({
      ...{ id: "r", meant, graceMs: 0, madeAt: shard.clock.now, until: shard.clock.now + 60_000 },
    });
    const revoked = await shard.core.publish(PUBLISH, principal);
    await settled();

    expect([ended, revoked]).toMatchObject([{ code: "expired" }, { code: "revoked" }]);
    expect(takePublishes(active)).toEqual([]);
    void shard.core.publish(PUBLISH, { ...principal, subject: "another" });
    await expect.poll(() => takePublishes(active).length).toBe(1);
  });

  test.each(["expired", "revoked"])(
    "[W7] [A9] aren't sent if the token is %s while they wait for an origin that writes the partition, and others are",
    async (code) => {
      const shard = new SmallShard();
      const [active, standby] = [shard.connect("active"), shard.connect("standby")];
      const seconds = Math.floor(shard.clock.now / 1_000);
      const principal: KnownPrincipal = {
        ...{ kind: "known", issuer: "i", subject: "s", issuedAt: seconds - 60 },
        grants: { subscribe: [], publish: ["/t/*"], discover: [], admin: false },
        until: shard.clock.now + (code === "expired" ? 1_000 : 60_000),
      };
      const refused = shard.core.publish(PUBLISH, principal);
      void shard.core.publish({ ...PUBLISH, key: "another" });
      for (const { id } of takePublishes(active))
        answer(shard, active, id, { error: { code: "not_writer", message: "" } });
      if (code === "revoked") {
        const [issuer, subject] = [await hashOfName("i"), await hashOfName("s")];
        const meant = { of: "subject", issuer, subject, before: seconds } as const;
        shard.core.revoking.revoke({
          ...{ id: "r", meant, graceMs: 0, madeAt: shard.clock.now, until: shard.clock.now + 60_000 },
        });
      }
      shard.pass(1_000, active, standby);
      const sent = () => {
        say(shard, standby, encodeWriting(WRITING));
        return takePublishes(standby).map(({ key }) => key);
      };

      await expect.poll(sent).toEqual(["another"]);
      expect(await refused).toMatchObject({ code });
    },
  );
});
