/** What an object makes of what its shard answers, and for whom it asks. */
import { beforeEach, describe, expect, test } from "vitest";
import { encodeWaiting } from "../../../shared/protocol/attach.ts";
import { SEPARATOR } from "../../../shared/protocol/message.ts";
import { answer, PATH, update } from "../../support/endpoint-frames.ts";
import { link, SmallEndpoint, subscribe } from "../../support/small-endpoint.ts";

let object: SmallEndpoint;
beforeEach(() => {
  object = new SmallEndpoint();
});

describe("answers", () => {
  test("[S4] [R5] those who wait are told so once each, who comes later too", () => {
    const core = object.wake();
    const first = subscribe(core);
    const up = link(core);

    core.linkMessage(up, encodeWaiting(PATH, 1));
    core.linkMessage(up, encodeWaiting(PATH, 1));
    const second = subscribe(core);

    const wait = { id: 0, wait: expect.objectContaining({ code: "unavailable", retry: true }) };
    expect(first.frames).toEqual([wait]);
    expect(second.frames).toEqual([wait]);
  });

  test("[R2] one question for those of which the answer serves all; one who stands before it has one of its own", () => {
    const { core, up } = object.running();
    for (let offset = 6; offset < 10; offset++) core.linkMessage(up, update(offset, offset - 1));
    const first = subscribe(core, "e:1");
    const second = subscribe(core, "e:3");
    const third = subscribe(core, "e:0");
    const asked = [
      { attach: PATH, id: 2, from: "e:1" },
      { attach: PATH, id: 3, from: "e:0" },
    ];
    expect(up.take()).toEqual(asked);

    const from3 = [update(5, 3), update(6, 5), update(7, 6), update(8, 7), update(9, 8)];
    core.linkMessage(up, answer("e:1", "e:9", [update(3, 1), ...from3], { id: 2, recovered: true }));
    core.linkMessage(
      up,
      answer("e:0", "e:9", [update(1, 0), update(3, 1), ...from3], { id: 3, recovered: true }),
    );

    const ok = (from: string) => ({ id: 0, ok: { position: from, head: "e:9", recovered: true } });
    expect(first.frames).toEqual([ok("e:1"), update(3, 1), ...from3]);
    expect(second.frames).toEqual([ok("e:3"), ...from3]);
    expect(third.frames).toEqual([ok("e:0"), update(1, 0), update(3, 1), ...from3]);
    expect(up.take()).toEqual([]);
  });

  test("[U5] an answer that doesn't reach the window is asked on from where it ends; the verdict is sent once", () => {
    const { core, up } = object.running();
    for (let offset = 6; offset < 20; offset++) core.linkMessage(up, update(offset, offset - 1));
    const back = subscribe(core, "e:5");

    core.linkMessage(up, answer("e:5", "e:6", [update(6, 5)], { id: 2, recovered: true, head: "e:19" }));
    const rest = Array.from({ length: 13 }, (_, i) => update(7 + i, 6 + i));
    core.linkMessage(up, answer("e:6", "e:19", rest, { id: 3, recovered: true }));
    core.linkMessage(up, update(20, 19));

    expect(up.take()).toEqual([
      { attach: PATH, id: 2, from: "e:5" },
      { attach: PATH, id: 3, from: "e:6" },
    ]);
    expect(back.frames).toEqual([
      { id: 0, ok: { position: "e:5", head: "e:19", recovered: true } },
      update(6, 5),
      ...rest,
      update(20, 19),
    ]);
  });

  test("[R4] past the horizon only those are refused who stand before it; the others wait for their own answer", () => {
    const { core, up, live } = object.running();
    for (let offset = 6; offset < 12; offset++) core.linkMessage(up, update(offset, offset - 1));
    live.take();
    const lost = subscribe(core, "e:1");
    const held = subscribe(core, "e:7");

    const recent = [update(9, 8), update(10, 9), update(11, 10)];
    core.linkMessage(
      up,
      answer("e:8", "e:11", recent, { id: 2, recovered: false, cause: "horizon", horizon: "e:6" }),
    );

    expect(lost.frames).toEqual([
      { id: 0, ok: { position: "e:10", head: "e:11", recovered: false, cause: "horizon" } },
      update(11, 10),
    ]);
    expect(held.frames).toEqual([]);
    expect(up.take()).toEqual([
      { attach: PATH, id: 2, from: "e:1" },
      { attach: PATH, id: 3, from: "e:7" },
    ]);
    expect(live.frames).toEqual([]);
  });

  test("[R3] [R4] who stands at the last record of every epoch is not refused, however far the horizon has moved", () => {
    const core = object.wake();
    const lost = subscribe(core, "e:1,f:3");
    const held = subscribe(core, "e:5,f:4");
    const up = link(core);
    core.linkMessage(up, answer("e:5,f:9", "e:5,f:9", []));

    const refusal = { id: 2, recovered: false, cause: "horizon", horizon: "e:8,f:3" } as const;
    core.linkMessage(up, answer("e:5,f:9", "e:5,f:9", [], refusal));

    expect(lost.frames).toEqual([
      { id: 0, ok: { position: "e:5,f:9", head: "e:5,f:9", recovered: false, cause: "horizon" } },
    ]);
    expect(held.frames).toEqual([]);
    expect(up.take().at(-1)).toEqual({ attach: PATH, id: 3, from: "e:5,f:4" });
  });

  test("[N5] [R2] a refusal of one slice moves the object past nothing that it lacks in another", () => {
    const { core, up, live } = object.running();
    core.linkMessage(up, update(9, 8));
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);

    // The shard has sent e:9, which the object couldn't take.
    core.linkMessage(
      up,
      answer("e:9,f:4", "e:9,f:4", [], { id: 0, recovered: false, cause: "horizon", horizon: "f:4" }),
    );
    core.linkMessage(up, answer("e:5", "e:9", [update(8, 5), update(9, 8)], { id: 2, recovered: true }));

    expect(live.take()).toEqual([
      { reset: PATH, position: "e:5,f:4", head: "e:5,f:4", cause: "horizon" },
      update(8, 5),
      update(9, 8),
    ]);
  });

  test("[N5] after a refusal of one slice the latest update is asked for, which may be another's", () => {
    const { core, up } = object.running();
    core.linkMessage(
      up,
      answer("e:5,f:4", "e:5,f:4", [], { id: 0, recovered: false, cause: "horizon", horizon: "f:4" }),
    );
    up.take();

    const fresh = subscribe(core);
    expect(up.take()).toEqual([{ attach: PATH, id: 2 }]);
    core.linkMessage(up, answer("e:3,f:4", "e:5,f:4", [update(5, 3)], { id: 2 }));

    expect(fresh.take().slice(1)).toEqual([update(5, 3)]);
  });

  test("[S5] where the object itself lost continuity, who is live is reset and goes on from the latest update", () => {
    const { core, up, live } = object.running();

    core.linkMessage(
      up,
      answer(
        "f:1",
        "f:4",
        [update(2), update(4, 2)].map((frame) => frame.replace('"e:', '"f:')),
        { id: 0, recovered: false, cause: "epoch" },
      ),
    );

    const latest = update(4, 2).replace('"e:', '"f:');
    expect(live.frames).toEqual([{ reset: PATH, position: "f:2", head: "f:4", cause: "epoch" }, latest]);
  });

  test("[U5] an answer that breaks off is asked for again", () => {
    const core = object.wake();
    const waiting = subscribe(core);
    const up = link(core);
    const whole = answer("e:0", "e:5", [update(1, 0), update(5, 1)]);

    core.linkMessage(up, whole.split(SEPARATOR).slice(0, 2).join(SEPARATOR));
    core.linkMessage(up, answer("e:0", "e:5", [update(1, 0), update(5, 1)], { id: 0, recovered: true }));

    expect(waiting.frames).toEqual([{ id: 0, ok: { position: "e:1", head: "e:5" } }, update(5, 1)]);
  });

  test("an answer that contradicts itself ends in a reset and not in asking for ever", () => {
    const { core, up, live } = object.running();
    core.linkMessage(up, update(9, 8));

    core.linkMessage(up, answer("e:5", "e:9", [update(9, 8)], { id: 2, recovered: true }));

    expect(live.frames).toEqual([
      { reset: PATH, position: "e:8", head: "e:9", cause: "horizon" },
      update(9, 8),
    ]);
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
  });

  test("[U5] an answer without updates that leads past the object's position has found nothing on the way", () => {
    const { core, up, live } = object.running();
    core.linkMessage(up, update(9, 8));

    core.linkMessage(up, answer("e:5", "e:8", [], { id: 2, recovered: true }));
    core.linkMessage(up, update(9, 8));

    expect(live.frames).toEqual([update(9, 8)]);
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
  });
});

describe("who has nothing", () => {
  /** An object that was answered so, and what it asks if somebody comes who has nothing. */
  function asksFor(options: Parameters<typeof answer>[3]) {
    const core = object.wake();
    subscribe(core);
    const up = link(core);
    core.linkMessage(up, answer("-", "e:5", [update(5)], options));
    up.take();
    const nobody = subscribe(core, "-");
    return { core, up, nobody };
  }

  test("[R1] is served from a window that holds all of the key's home, without a question", () => {
    const { up, nobody } = asksFor({});

    expect(up.messages).toEqual([]);
    expect(nobody.take()).toEqual([
      { id: 0, ok: { position: "-", head: "e:5", recovered: true } },
      update(5),
    ]);
  });

  test("[R1] is asked for where the window holds another partition alone, and then served like that one", () => {
    const { core, up, nobody } = asksFor({ withoutHome: true });
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "-" }]);

    core.linkMessage(up, answer("-", "e:5", [update(5)], { id: 2, recovered: true, horizon: "e:0,h:0" }));

    expect(nobody.take()).toMatchObject([{ ok: { position: "-", recovered: true } }, update(5)]);
    const next = subscribe(core, "-");
    expect(up.messages, "the window has learnt it").toEqual([]);
    expect(next.take()).toMatchObject([{ ok: { position: "-", recovered: true } }, update(5)]);
  });

  test("[R1] [S3] is served by no answer to others that doesn't speak of the key's home", () => {
    const core = object.wake();
    subscribe(core);
    const nobody = subscribe(core, "-");
    const up = link(core);
    up.take();
    core.linkMessage(up, answer("-", "e:5", [update(5)], { withoutHome: true }));

    expect(nobody.messages).toEqual([]);
    expect(up.take()).toEqual([{ attach: PATH, id: 2, from: "-" }]);
    const refused = { id: 2, recovered: false, cause: "horizon", horizon: "e:0,h:3" } as const;
    core.linkMessage(up, answer("h:7", "e:5,h:7", [update(5)], refused));
    expect(nobody.take()).toMatchObject([{ ok: { recovered: false, cause: "horizon" } }, update(5)]);
  });

  test("[R1] is asked for once the next source says that it doesn't speak of the key's home", () => {
    const { core, up } = asksFor({});
    core.linkClosed(up, 1_006);
    const next = link(core, 2);
    expect(next.take()).toEqual([{ attach: PATH, id: 2, from: "e:5" }]);
    core.linkMessage(next, answer("e:5", "e:5", [], { id: 2, recovered: true, withoutHome: true }));

    expect(subscribe(core, "-").messages).toEqual([]);
    expect(next.take()).toEqual([{ attach: PATH, id: 3, from: "-" }]);
    expect(subscribe(core, "e:0").take()).toMatchObject([{ ok: { recovered: true } }, update(5)]);
  });

  test("[R1] is served without a question of a key without a record, too", () => {
    const core = object.wake();
    subscribe(core);
    const up = link(core);
    core.linkMessage(up, answer("-", "-", [], { horizon: "e:0" }));
    up.take();

    expect(subscribe(core, "-").take()).toEqual([
      { id: 0, ok: { position: "-", head: "-", recovered: true } },
    ]);
    expect(up.messages).toEqual([]);
  });
});
