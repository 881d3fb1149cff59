/** Publishing by a client. */
import { describe, expect, test } from "vitest";
import { textCodec } from "../../../../shared/client/index.ts";
import { encodeTaken } from "../../../../shared/protocol/publication.ts";
import { PONG } from "../../../../shared/protocol/subscriber.ts";
import {
  ATL,
  client,
  clock,
  DFW,
  published,
  textOf,
  transport,
  withClient,
} from "../../../support/client-world.ts";

withClient();

describe("publish()", () => {
  test("sends JSON on the one connection as soon as that has answered anything, and resolves with the position", async () => {
    const position = client.publish(ATL, { to: "MIA" }, { idempotencyKey: "c0ffee" });
    transport.socket.open();
    expect(published()).toEqual([]);
    transport.socket.say(PONG);
    const [publication] = published();
    expect(publication).toMatchObject({ id: 1, endpoint: ATL, key: "c0ffee", headers: [] });
    expect(publication && textOf(publication)).toBe('{"to":"MIA"}');
    transport.socket.say(encodeTaken(1, "a:7"));

    expect(await position).toBe("a:7");
    clock.pass(999);
    expect(transport.socket.closed).toBe(false);
    clock.pass(1);
    expect(transport.socket.closed).toBe(true);
  });

  test("takes bytes as they are, text by its codec, and null as JSON; delete() makes a tombstone", async () => {
    const order = "none";
    const outcomes = [
      client.publish(ATL, new TextEncoder().encode("bytes"), { order }),
      client.publish(ATL, "text", { order, codec: textCodec }),
      client.publish(ATL, null, { order }),
      client.delete(ATL, { order }),
    ];
    transport.socket.open().say(PONG);
    const sent = published();
    expect(sent.map(textOf)).toEqual(["bytes", "text", "null", null]);
    for (const { id } of sent) transport.socket.say(encodeTaken(id, `a:${id}`));

    expect(await Promise.all(outcomes)).toEqual(["a:1", "a:2", "a:3", "a:4"]);
    await expect(client.publish(ATL, undefined)).rejects.toThrow(TypeError);
    await expect(client.publish("flights", 1)).rejects.toMatchObject({ code: "bad_address" });
  });

  test("keeps the order of the calls to an endpoint over a connection that breaks, with the key of each", async () => {
    const outcomes = [client.publish(ATL, 1), client.publish(ATL, 2), client.publish(DFW, 3)];
    transport.socket.open().say(PONG);
    const before = published();
    expect(before.map(textOf)).toEqual(["1", "3"]);
    transport.socket.drop();
    clock.pass(30_000);
    transport.socket.open().say(PONG);
    const [again, dfw] = published();
    expect([again?.key, dfw?.key]).toEqual(before.map(({ key }) => key));
    transport.socket.say(encodeTaken(again?.id ?? 0, "a:1"), encodeTaken(dfw?.id ?? 0, "b:1"));
    const [second] = published();
    transport.socket.say(encodeTaken(second?.id ?? 0, "a:2"));

    expect(await Promise.all(outcomes)).toEqual(["a:1", "a:2", "b:1"]);
  });

  test("fails when the client is closed, and nothing is left over", async () => {
    const outcome = client.publish(ATL, 1);
    client.close();

    await expect(outcome).rejects.toMatchObject({ name: "PublishError", code: "closed" });
    await expect(client.publish(ATL, 1)).rejects.toMatchObject({ code: "closed" });
  });
});
