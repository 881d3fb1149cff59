import { describe, expect, test } from "vitest";
import { News } from "../../../../edge/http/plain/news.ts";
import { Page } from "../../../../edge/http/plain/page.ts";
import { encodeUpdate } from "../../../../shared/protocol/frame.ts";
import { packMessages } from "../../../../shared/protocol/message.ts";
import { NOTHING, type Position, parseLongPosition } from "../../../../shared/protocol/position.ts";
import { encodeReset, encodeVerdict, encodeWait } from "../../../../shared/protocol/subscriber.ts";

const PATH = "/quotes/A";
const at = (text: string): Position => parseLongPosition(text) ?? NOTHING;

const update = (offset: number, size = 1) =>
  encodeUpdate({
    endpoint: PATH,
    epoch: "e.0",
    offset,
    previous: offset - 1,
    timestamp: undefined,
    headers: [],
    value: { kind: "text", text: "x".repeat(size) },
  });

const verdict = (position: string, head: string, more: object = { recovered: true }, id = 0) =>
  encodeVerdict(id, { position: at(position), head: at(head), ...more });

function pageOf(frames: readonly ReturnType<typeof update>[], waits = false, from = "e.0:0") {
  const page = new Page(PATH, at(from), waits);
  const asks = packMessages(frames, 1_000_000).flatMap((message) =>
    page.isDone() ? [] : page.hear(message),
  );
  return {
    page,
    asks,
    body: JSON.parse(page.text()) as Record<string, unknown> & { updates: { p: string }[] },
  };
}

describe("a page", () => {
  test("[H12] is done with the last update up to the head", () => {
    const { page, body } = pageOf([verdict("e.0:0", "e.0:2"), update(1), update(2), update(3)]);

    expect(page.isDone()).toBe(true);
    expect(body).toMatchObject({ position: "e.0:3", recovered: true, more: false });
    expect(body.updates.map(({ p }) => p)).toEqual(["e.0:1", "e.0:2", "e.0:3"]);
  });

  test("[H12] is done with nothing if there is nothing, unless it waits", () => {
    const frames = [verdict("e.0:0", "e.0:0")];

    expect(pageOf(frames).page.isDone()).toBe(true);
    expect(pageOf(frames, true).page.isDone()).toBe(false);
    expect(pageOf([...frames, update(1)], true).page.isDone()).toBe(true);
    expect(pageOf([verdict("e.0:5", "e.0:5", { recovered: false })], true).page.isDone()).toBe(true);
  });

  test("[H12] is bounded in updates and in bytes, and says that there is more", () => {
    const many = pageOf([
      verdict("e.0:0", "e.0:5000"),
      ...Array.from({ length: 1_200 }, (_, i) => update(i + 1)),
    ]);
    const large = pageOf([
      verdict("e.0:0", "e.0:50"),
      ...Array.from({ length: 50 }, (_, i) => update(i + 1, 100_000)),
    ]);

    expect([many.body.updates.length, many.body.position, many.body.more]).toEqual([1_000, "e.0:1000", true]);
    expect([large.body.updates.length, large.body.position, large.body.more]).toEqual([11, "e.0:11", true]);
  });

  test("[H12] ends before a loss, which the next page is told of", () => {
    const lost = { position: at("e.0:8"), head: at("e.0:9"), cause: "horizon" };
    const { page, body } = pageOf([verdict("e.0:0", "e.0:5"), update(1), encodeReset(PATH, lost), update(9)]);
    const first = pageOf([verdict("e.0:0", "e.0:5"), encodeReset(PATH, lost), update(9)]);

    expect([page.isDone(), body.position, body.recovered, body.more]).toEqual([true, "e.0:1", true, true]);
    expect(first.body).toMatchObject({ position: "e.0:9", recovered: false, cause: "horizon", more: false });
  });

  test("[H12] fills a gap before it goes on", () => {
    const frames = [verdict("e.0:0", "e.0:4"), update(1), update(4)];
    const { page, asks } = pageOf(frames);
    for (const frame of [verdict("e.0:1", "e.0:4", { recovered: true }, 1), update(2), update(3), update(4)])
      page.hear(frame);

    expect(asks).toEqual([`{"id":1,"sub":"${PATH}","from":"e.0:1"}`]);
    expect(page.text()).toMatch(/"position":"e.0:4".*e.0:1.*e.0:2.*e.0:3.*e.0:4/);
  });

  test("[H12] tells a loss before its first update, whatever is filled after that", () => {
    const lost = { recovered: false, cause: "horizon" };
    const { page } = pageOf([verdict("e.0:5", "e.0:9", lost), update(9)]);
    for (const frame of [verdict("e.0:5", "e.0:9", { recovered: true }, 1), update(6)]) page.hear(frame);
    const begunAnew = pageOf([verdict("e.0:8", "e.0:9", {}), update(9)]);

    expect(JSON.parse(page.text())).toMatchObject({ position: "e.0:6", recovered: false, cause: "horizon" });
    expect(begunAnew.body).toMatchObject({ position: "e.0:9", recovered: false });
  });

  test("[H12] is an error while the source is away", () => {
    const { page } = pageOf([encodeWait(0, "unavailable", "m")]);

    expect([page.isDone(), page.error?.code, page.canTell()]).toEqual([true, "unavailable", false]);
  });
});

describe("news", () => {
  function newsOf(...frames: ReturnType<typeof update>[]) {
    const news = new News(PATH, at("e.0:4"));
    for (const message of packMessages(frames, 1_000_000)) news.hear(message);
    return news;
  }

  test("[H13] are the last update of what came, with the position that it leads to", () => {
    expect(newsOf(verdict("e.0:4", "e.0:4")).isDone()).toBe(false);
    expect(newsOf(verdict("e.0:4", "e.0:4"), update(4)).isDone()).toBe(false);
    expect(newsOf(verdict("e.0:4", "e.0:4"), update(5), update(6)).found).toMatchObject({
      kind: "update",
      position: "e.0:6",
      frame: update(6),
    });
  });

  test("[H13] after a loss are asked for: what follows it may be what is known", () => {
    const lost = { position: at("e.0:3"), head: at("e.0:4"), cause: "horizon" };

    expect(newsOf(verdict("e.0:3", "e.0:4", { recovered: false }), update(4)).found).toBe("ask");
    expect(newsOf(verdict("e.0:4", "e.0:4"), encodeReset(PATH, lost), update(4)).found).toBe("ask");
  });
});
