/** GET and HEAD of an endpoint: its latest record, what it is, and what asking costs. */
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { askedEdge, code } from "../support/http-asks.ts";

const world = askedEdge();
const { ask } = world;

describe("the latest record", () => {
  test("[H1] [F4] JSON comes as the bytes that were produced, with its position and time", async () => {
    const text = '{ "b" : 1.0, "a":12345678901234567890, "a": "é" }';
    world.origin.append("/quotes/J", { kind: "json", text });

    const answer = await ask("/quotes/J");

    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe(text);
    expect(answer.headers).toMatchObject({
      "content-type": "application/json",
      etag: `"${world.origin.headOf("/quotes/J")}"`,
      "cache-control": "no-cache",
      "access-control-allow-origin": "*",
    });
    expect(Number(answer.headers["distributary-timestamp"])).toBeGreaterThan(1_700_000_000_000 - 1);
  });

  test.each([
    [
      "text",
      { kind: "text", text: "\ufeffnot JSON" } as const,
      "text/plain; charset=utf-8",
      Buffer.from("\ufeffnot JSON"),
    ],
    ["an empty value", { kind: "text", text: "" } as const, "text/plain; charset=utf-8", Buffer.alloc(0)],
    ["bytes", new Uint8Array([0, 255, 10, 30]), "application/octet-stream", Buffer.from([0, 255, 10, 30])],
  ])("[H1] [F5] %s comes unchanged, and says what it is", async (name, value, type, bytes) => {
    const path = `/quotes/${name.length}`;
    world.origin.append(path, value);

    const answer = await ask(path);

    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe(type);
    expect(answer.body).toEqual(bytes);
  });

  test("[H1] [F8] that its headers didn't travel is told, and a time that isn't known is not", async () => {
    world.origin.append("/quotes/X", { n: 1 }, "e.0", { headersOmitted: 17_000_000, timestamp: undefined });
    world.origin.append("/quotes/Y", { n: 2 });

    const [without, whole] = [await ask("/quotes/X"), await ask("/quotes/Y")];

    expect([without.status, without.body.toString()]).toEqual([200, '{"n":1}']);
    expect(without.headers["distributary-headers-omitted"]).toBe("17000000");
    expect(without.headers).not.toHaveProperty("distributary-timestamp");
    expect(whole.headers).not.toHaveProperty("distributary-headers-omitted");
  });

  test("[H1] HEAD answers as GET, without a body", async () => {
    world.origin.append("/quotes/H", { n: 1 });

    const [get, head] = [await ask("/quotes/H"), await ask("/quotes/H", {}, "HEAD")];

    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    for (const name of ["etag", "content-type", "distributary-timestamp"])
      expect(head.headers[name]).toBe(get.headers[name]);
  });

  test("[H2] who has the current position gets 304, also weakly and among others; who has an older one, the value", async () => {
    world.origin.append("/quotes/E", { n: 1 }, "e.0");
    world.origin.append("/quotes/E", { n: 2 }, "e.1");
    const etag = `"${world.origin.headOf("/quotes/E")}"`;
    expect(etag).toContain(",");

    for (const tag of [etag, `W/${etag}`, `"e.0:0", ${etag}`, "*"]) {
      const answer = await ask("/quotes/E", { "If-None-Match": tag });
      expect(answer.status).toBe(304);
      expect(answer.body.length).toBe(0);
      expect(answer.headers.etag).toBe(etag);
    }
    expect((await ask("/quotes/E", { "If-None-Match": '"e.0:0"' })).status).toBe(200);
  });

  test.each([
    ["json", { kind: "json", text: `[${"0, ".repeat(1_000_000)}0]` } as const, "application/json"],
    ["text", { kind: "text", text: "ü\u001e".repeat(1_000_000) } as const, "text/plain; charset=utf-8"],
    ["bytes", new Uint8Array(3_000_000).fill(255), "application/octet-stream"],
  ])(
    "[H1] [H2] [U8] a large value of %s crosses the uplink twice at most however many ask at once, and never for a HEAD or a 304",
    async (kind, value, type) => {
      const path = `/quotes/large-${kind}`;
      world.origin.append(path, value);
      const etag = `"${world.origin.headOf(path)}"`;
      const before = world.origin.told;

      for (let round = 0; round < 5; round++) {
        const head = await ask(path, {}, "HEAD");
        expect([head.status, head.headers["content-type"], head.headers.etag]).toEqual([200, type, etag]);
        const same = await ask(path, { "If-None-Match": etag });
        expect([same.status, same.body.length]).toEqual([304, 0]);
      }
      expect(world.origin.told - before).toBeLessThan(2_000);

      const asked = Array.from({ length: 20 }, (_, i) =>
        ask(path, i % 2 ? {} : { "If-None-Match": '"e.0:0"' }),
      );
      for (const whole of await Promise.all(asked)) {
        expect([whole.status, whole.headers["content-type"], whole.headers.etag]).toEqual([200, type, etag]);
        expect(whole.body.equals(Buffer.from(value instanceof Uint8Array ? value : value.text))).toBe(true);
      }
      expect(world.origin.told - before).toBeLessThan(2 * 3_100_000);
      const later = world.origin.told;
      for (let round = 0; round < 5; round++) expect((await ask(path)).status).toBe(200);
      expect(world.origin.told - later).toBeLessThan(1_000);
    },
  );

  test("[H1] [F4] what an origin says is JSON isn't looked at again", async () => {
    world.origin.append("/quotes/unread", { kind: "json", text: "[[[" });

    const answer = await ask("/quotes/unread");

    expect([answer.status, answer.headers["content-type"]]).toEqual([200, "application/json"]);
    expect(answer.body.toString()).toBe("[[[");
  });

  test("[H3] no record, a tombstone, an omitted value", async () => {
    world.origin.append("/quotes/T", null);
    world.origin.append("/quotes/O", { kind: "omitted", size: 9_000_000 });
    const [none, deleted, omitted] = [
      await ask("/quotes/none"),
      await ask("/quotes/T"),
      await ask("/quotes/O"),
    ];

    expect([none.status, code(none)]).toEqual([404, "unknown_key"]);
    expect([deleted.status, code(deleted)]).toEqual([404, "deleted"]);
    expect(deleted.headers.etag).toBe(`"${world.origin.headOf("/quotes/T")}"`);
    expect([omitted.status, code(omitted)]).toEqual([502, "value_too_large"]);
  });

  test("[H5] a GET makes no object and writes no row", async () => {
    world.origin.append("/quotes/G", { n: 1 });
    const before = await world.edge.operations();

    await ask("/quotes/G");
    await ask("/quotes/G2");

    const after = await world.edge.operations();
    for (const name of ["object_created.endpoint", "object_request.endpoint", "rows_written"])
      expect(after[name], name).toBe(before[name]);
    expect(Number(after["rpc.shard"]) - Number(before["rpc.shard"])).toBe(2);
  });

  test("[H5] [U8] 200 GETs of one path at once share their questions", async () => {
    onTestFinished(() => world.origin.answerHeld());
    /** Asks while the origin says nothing; it answers when the shard has heard of all of them: they wait for their turn. */
    const askAtOnce = async (path: string) => {
      world.origin.append(path, { n: 1 });
      const before = world.origin.gets.length;
      const questions = () => world.origin.gets.length - before;
      const rpcs = async () => Number((await world.edge.operations())["rpc.shard"]);
      const rpcsBefore = await rpcs();
      world.origin.answering = false;
      const begun = performance.now();
      const first = ask(path);
      await eventually(() => questions() === 1, "the first question");
      const others = Array.from({ length: 199 }, () => ask(path));
      await eventually(async () => (await rpcs()) - rpcsBefore >= 200, "200 GETs at the shard");
      const heldMs = performance.now() - begun;
      world.origin.append(path, { n: 2 });
      world.origin.answerHeld();
      const answers = await Promise.all([first, ...others]);
      return { answers, questions: questions(), heldMs, seconds: (performance.now() - begun) / 1_000 };
    };

    let came = await askAtOnce("/quotes/asked-by-many");
    // A question that isn't answered for 5 s is given up, and a machine may have too much else to do to ask so much before.
    for (let again = 1; came.heldMs > 4_000 && again < 5; again++)
      came = await askAtOnce(`/quotes/asked-by-many-${again}`);

    // One, and the next; and one for each second in which the origin said nothing.
    expect(came.questions).toBeGreaterThanOrEqual(2);
    expect(came.questions).toBeLessThanOrEqual(2 + Math.floor(came.seconds));
    for (const answer of came.answers)
      expect([answer.status, answer.body.toString()]).toEqual([200, '{"n":2}']);
  });

  test("[H3] [C2] a value of 8 MiB comes whole", async () => {
    const large = new Uint8Array(8 * 1024 * 1024).fill(0xfe);
    world.origin.append("/quotes/L", large);

    expect((await ask("/quotes/L")).body.equals(Buffer.from(large))).toBe(true);
  });
});
