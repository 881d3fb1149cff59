/** Who asks for what there isn't delays nobody else of the same key, however often they ask. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Deployment, pathOf, utf8 } from "../support/deployment.ts";
import { ifLong } from "../support/long.ts";
import type { RawSubscriber } from "../support/raw-subscriber.ts";

const RECORDS = 50;

describe.each([1, ...ifLong(2)])("with %i slices of partitions", (slices) => {
  let deployment: Deployment;

  beforeAll(async () => {
    deployment = await Deployment.start({
      topics: { t: { partitions: 2, stream: { window: { updates: 5 } } } },
      slices,
    });
  });
  afterAll(() => deployment?.stop());

  /** A key with more records than its object's window holds, one of its subscribers, and what precedes all positions. */
  async function watched(
    key: string,
  ): Promise<{ path: string; live: RawSubscriber; epoch: string; first: string }> {
    const path = pathOf("t", key);
    const records = Array.from({ length: RECORDS }, (_, i) => ({ key: utf8(key), value: utf8(String(i)) }));
    deployment.produce("t", records.slice(0, 1));
    const live = deployment.subscribe(path);
    await live.until(({ updates }) => updates.length === 1, "the first record");
    deployment.produce("t", records.slice(1));
    await live.until(({ updates }) => updates.length === RECORDS, "all records");
    const { epoch = "", offset } = live.updates[0] ?? {};
    return { path, live, epoch, first: `${epoch}:${offset}` };
  }

  const isTold = ({ others }: RawSubscriber) => others.some((frame) => "wait" in frame);

  async function expectServed(honest: RawSubscriber): Promise<void> {
    await honest.until(({ updates }) => updates.length === RECORDS - 1, "what follows its position");
    expect(honest.verdicts).toMatchObject([{ recovered: true }]);
    expect(honest.violations).toEqual([]);
  }

  test("[R2] [R5] a resume from the index has its verdict while fifty that lie beyond the end still wait for theirs", async () => {
    const { path, epoch, first } = await watched(`beyond-${slices}`);
    const doomed = Array.from({ length: 50 }, (_, i) =>
      deployment.subscribe(path, `${epoch}:${1_000_000 - i}`),
    );
    await Promise.all(doomed.map((one) => one.until(isTold, "being told to wait")));

    const honest = deployment.subscribe(path, first);
    await honest.verdict();

    expect(doomed.flatMap(({ verdicts }) => verdicts)).toEqual([]);
    await expectServed(honest);
    for (const one of doomed) expect(await one.verdict()).toMatchObject({ recovered: false, cause: "ahead" });
    await Promise.all([honest, ...doomed].map((one) => one.close()));
  }, 90_000);

  test("[R2] [R4] [R5] [S2] nor do those delay it that subscribe again and again, beyond the end and in partitions that there aren't", async () => {
    const { path, epoch, first } = await watched(`again-${slices}`);
    const waiting = deployment.subscribe(path, `${epoch}:2000000`);
    await waiting.until(isTold, "being told to wait");
    let isOver = false;
    /** On one socket, anew as soon as there is anything to hear of the last time; on another one when it is closed (S20). */
    const attack = async (positionOf: (id: number) => string) => {
      let attacker = deployment.subscribe(path, positionOf(0));
      const heard = () => attacker.others.length + attacker.verdicts.length;
      for (let id = 1, before = 0; !isOver; id++) {
        await attacker.until(({ closed }) => heard() > before || closed !== undefined || isOver, "a word");
        before = attacker.closed === undefined ? heard() : 0;
        if (attacker.closed === undefined) attacker.send({ id, sub: path, from: positionOf(id) });
        else attacker = deployment.subscribe(path, positionOf(id));
      }
      return attacker;
    };
    const absent = epoch.replace(/\d+$/, "9");
    const attacks = [
      attack((id) => `${epoch}:${3_000_000 + id}`),
      attack((id) => `${absent}:${id}`),
      attack((id) => `${epoch}:${4_000_000 - id},${absent}:${id}`),
    ];
    const refused = deployment.subscribe(path, `${absent}:1`);

    for (let resumes = 0; resumes < 5; resumes++) {
      const honest = deployment.subscribe(path, first);
      await expectServed(honest);
      await honest.close();
    }
    expect(await refused.verdict()).toMatchObject({ recovered: false, cause: "epoch" });

    expect(waiting.verdicts).toEqual([]);
    isOver = true;
    deployment.produce("t", [{ key: utf8(`again-${slices}`), value: utf8("last") }]);
    const attackers = await Promise.all(attacks);
    await Promise.all([waiting, refused, ...attackers].map((one) => one.close()));
  }, 90_000);
});
