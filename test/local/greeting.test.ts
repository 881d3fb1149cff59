import { describe, expect, test } from "vitest";
import { greeting } from "../../edge/local/greeting.ts";

const url = "http://127.0.0.1:8787";
const topics = ["flights", "earthquakes", "quotes"];

const lines = (running: Partial<Parameters<typeof greeting>[0]>) =>
  Object.fromEntries(
    greeting({ url, topics, feed: true, produceFlags: [], open: [], kafka: false, ...running })
      .split("\n")
      .flatMap((line) => [/^ {2}(\w+) +(.+)$/.exec(line)?.slice(1) ?? []].filter(({ length }) => length)),
  );

test("the first line is ready and the address, and nothing else", () => {
  expect(greeting({ url, topics, feed: true, produceFlags: [], open: [], kafka: false })).toMatch(
    /^ready http:\/\/127\.0\.0\.1:8787\n\n {2}page/,
  );
});

test("with the feed, the lines show what it writes", () => {
  expect(lines({})).toMatchObject({
    page: `${url}/$/`,
    latest: `curl -i ${url}/flights/ATL`,
    stream: expect.stringContaining('"ws://127.0.0.1:8787/flights/ATL"'),
    produce: `npm run produce -- quotes AAPL '{"bid":229.1}'`,
  });
});

test("where everybody may publish, a line does", () => {
  expect(lines({ open: ["quotes"] })).toMatchObject({
    publish: `curl -X POST ${url}/quotes/AAPL -d '{"bid":229.1}'`,
  });
  expect(lines({ open: ["flights"] })).not.toHaveProperty("publish");
});

test("without the feed, the lines show what the line below produces", () => {
  expect(lines({ feed: false })).toMatchObject({ latest: `curl -i ${url}/quotes/AAPL` });
  expect(lines({ feed: true, topics: ["orders", "other"] })).toMatchObject({
    latest: `curl -i ${url}/orders/example`,
    produce: `npm run produce -- orders example '{"hello":"world"}'`,
  });
});

test("of a pattern a topic that it matches is written to", () => {
  expect(lines({ feed: false, topics: ["orders.*"] })).toMatchObject({
    latest: `curl -i ${url}/orders.example/example`,
    produce: `npm run produce -- orders.example example '{"hello":"world"}'`,
  });
});

test("where nothing is exposed there is only the page", () => {
  expect(Object.keys(lines({ topics: [] }))).toEqual(["page"]);
});

test("an address of IPv6 is quoted: some shells take brackets for a pattern", () => {
  expect(lines({ url: "http://[::1]:8787" })).toMatchObject({
    latest: "curl -i 'http://[::1]:8787/flights/ATL'",
    stream: expect.stringContaining("ws://[::1]:8787/flights/ATL"),
  });
});

test("what a shell would take apart is quoted", () => {
  const { produce } = lines({ produceFlags: ["--data-dir", "/home/o'hara/my data"] });

  expect(produce).toMatch(/ --data-dir '\/home\/o'\\''hara\/my data'$/);
});

test("with Kafka, whose keys nobody knows here, the lines say where they are", () => {
  const text = (topics: readonly string[]) =>
    greeting({ url, topics, feed: false, produceFlags: [], open: [], kafka: true })
      .trimEnd()
      .split("\n")
      .slice(2);

  expect(text(["orders", "stock"])).toEqual([
    `  page       ${url}/$/`,
    `  keys       ${url}/orders/{key}`,
    `  keys       ${url}/stock/{key}`,
  ]);
  expect(text(Array.from({ length: 11 }, (_, i) => `topic-${i}`)).slice(8)).toEqual([
    `  keys       ${url}/topic-7/{key}`,
    "             and 3 more topics",
  ]);
});

describe("where a token is needed", () => {
  test("the lines carry it, and the page's says that it has none", () => {
    const token = "aaa.bbb.ccc";
    const all = greeting({ url, topics, feed: true, produceFlags: [], open: [], kafka: false, token });

    expect(lines({ token })).toMatchObject({
      page: `${url}/$/`,
      latest: `curl -i -H "Authorization: Bearer ${token}" ${url}/flights/ATL`,
      stream: expect.stringMatching(new RegExp(` "distributary.v1" "distributary.bearer.${token}"$`)),
      wscat: `npx wscat -s "distributary.v1" -s "distributary.bearer.${token}" -c ws://127.0.0.1:8787/flights/ATL`,
    });
    expect(all).toContain("shows what is public");
  });

  test("with Kafka there are such lines too, for the first topic", () => {
    expect(lines({ kafka: true, topics: ["orders", "stock"], token: "a.b.c" })).toMatchObject({
      latest: `curl -i -H "Authorization: Bearer a.b.c" '${url}/orders/{key}'`,
    });
  });

  test("a variable of the shell takes the place of a token that others issue", () => {
    expect(lines({ token: "$TOKEN" }).latest).toContain('"Authorization: Bearer $TOKEN"');
    expect(
      greeting({ url, topics, feed: true, produceFlags: [], open: [], kafka: false, token: "$TOKEN" }),
    ).toContain("TOKEN: one of an issuer in AUTH_ISSUERS");
  });
});
