import { expect, test } from "vitest";
import { readTopics, streamsOf } from "../../edge/local/exposure.ts";
import { parseStreams, type Streams } from "../../shared/config/streams.ts";

function streamsIn(text: string): Streams {
  const result = parseStreams(text);
  if (!result.ok) throw new Error(result.problems.join());
  return result.streams;
}

test("the topics that were named are exposed, and no other: as they are listed, or else to everyone", () => {
  const listed = {
    title: "Quotes",
    subscribe: "public",
    window: { updates: 7, seconds: 60 },
    start: "latest",
    compacted: true,
  };
  const list = streamsIn(
    JSON.stringify({ streams: { quotes: listed, other: { title: "O", subscribe: "public" } } }),
  );

  const exposed = streamsIn(streamsOf(["orders", "quotes"], list, false));

  expect(exposed.all.map(({ topic }) => topic)).toEqual(["orders", "quotes"]);
  expect(exposed.get("orders")).toMatchObject({ title: "orders", start: "earliest", compacted: true });
  expect(exposed.get("quotes")).toEqual(list.get("quotes"));
});

test("a pattern can be named, and a topic that matches a listed pattern is exposed as that says", () => {
  const listed = { title: "Orders", subscribe: "public", start: "7d", window: { seconds: 60 } };
  const list = streamsIn(JSON.stringify({ streams: { "orders.*": listed } }));

  const exposed = streamsIn(streamsOf(["orders.eu", "orders.*", "other.*"], list, false));

  const { topic, ...fields } = list.all[0] ?? { topic: "" };
  expect(topic).toBe("orders.*");
  expect(exposed.all).toEqual([
    { topic: "orders.eu", ...fields },
    { topic: "orders.*", ...fields },
    expect.objectContaining({ topic: "other.*", title: "other.*", start: "earliest", compacted: true }),
  ]);
});

test("a topic that is named stays with those whom the list names for it", () => {
  const list = streamsIn(
    JSON.stringify({
      streams: {
        "hr.*": { title: "H", subscribe: "token", discover: "nobody" },
        off: { title: "O", subscribe: "nobody" },
      },
    }),
  );

  const exposed = streamsIn(streamsOf(["hr.pay", "off"], list, false));

  expect(exposed.get("hr.pay")).toMatchObject({ subscribe: "token", discover: "nobody" });
  expect(exposed.get("off")).toMatchObject({ subscribe: "nobody", discover: "nobody" });
});

test("who may publish is kept, and nobody may to what isn't listed", () => {
  const list = streamsIn(
    JSON.stringify({
      streams: {
        open: { title: "O", subscribe: "public", publish: "public" },
        read: { title: "R", subscribe: "public" },
      },
    }),
  );
  const audiences = (isPrivate: boolean) =>
    streamsIn(streamsOf(["open", "read", "other"], list, isPrivate)).all.map(({ publish }) => publish);

  expect(audiences(false)).toEqual(["public", "nobody", "nobody"]);
  expect(audiences(true)).toEqual(["token", "nobody", "nobody"]);
});

test("where all is private, nothing is public, and what is for nobody stays so", () => {
  const list = streamsIn(
    JSON.stringify({
      streams: {
        quotes: { title: "Q", subscribe: "public" },
        shown: { title: "S", subscribe: "token", discover: "public" },
        off: { title: "O", subscribe: "nobody" },
      },
    }),
  );

  const exposed = streamsIn(streamsOf(["orders", "quotes", "shown", "off"], list, true));

  expect(exposed.all.map(({ topic, subscribe, discover }) => [topic, subscribe, discover])).toEqual([
    ["orders", "token", "token"],
    ["quotes", "token", "token"],
    ["shown", "token", "token"],
    ["off", "nobody", "nobody"],
  ]);
});

test("a list of topics names each once; what is no topic's name is a problem", () => {
  expect(readTopics(undefined)).toEqual({ ok: true, value: undefined });
  expect(readTopics("a, b,a")).toEqual({ ok: true, value: ["a", "b"] });
  expect(readTopics("orders.*,*")).toEqual({ ok: true, value: ["orders.*", "*"] });
  expect(readTopics("a,,b/c")).toEqual({
    ok: false,
    problem: `KAFKA_TOPICS: neither a topic's name nor a pattern of names: "", "b/c"`,
  });
});
