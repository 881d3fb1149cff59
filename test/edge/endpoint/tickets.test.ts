/** Frames of a sender, as the platform counts them for all isolates. */
import { expect, test } from "vitest";
import { SenderSpending } from "../../../edge/endpoint/sender-spending.ts";
import { TICKET_FRAMES, Tickets } from "../../../edge/endpoint/tickets.ts";
import { settled } from "../../support/simulated-edge.ts";

/** The platform, which answers when a test says so. */
class Platform {
  now = 1_000_000;
  readonly asked: { readonly key: string; readonly answer: (success: boolean | Error) => void }[] = [];
  readonly problems: unknown[] = [];
  readonly tickets = new Tickets(
    {
      limit: ({ key }) =>
        new Promise((resolve, reject) =>
          this.asked.push({
            key,
            answer: (success) => (success instanceof Error ? reject(success) : resolve({ success })),
          }),
        ),
    },
    TICKET_FRAMES,
    () => this.now,
    (problem) => this.problems.push(problem),
  );

  /** How many of so many frames of a sender pass. */
  say(count: number, sender = "x"): number {
    return Array.from({ length: count }, () => this.tickets.take(sender)).filter((ms) => ms === 0).length;
  }

  async answer(success: boolean | Error): Promise<void> {
    this.asked.shift()?.answer(success);
    await settled();
  }
}

test("[S20] the platform is asked once for a hundred frames, and nobody waits for it", async () => {
  const platform = new Platform();
  expect(platform.say(TICKET_FRAMES - 1)).toBe(TICKET_FRAMES - 1);
  expect(platform.asked).toHaveLength(0);
  expect(platform.say(50)).toBe(50);
  expect(platform.asked.map(({ key }) => key)).toEqual(["x"]);

  // What passed meanwhile is of the next ticket.
  await platform.answer(true);
  expect(platform.say(50)).toBe(50);
  expect(platform.asked).toHaveLength(0);
  expect(platform.say(1)).toBe(1);
  expect(platform.asked).toHaveLength(1);
});

test("[S27] what is counted when it has passed is paid with one ticket after the other, until there is none", async () => {
  const platform = new Platform();
  platform.tickets.spend("x", 3 * TICKET_FRAMES);
  for (let i = 0; i < 2; i++) {
    expect(platform.asked).toHaveLength(1);
    await platform.answer(true);
  }
  expect(platform.tickets.waitMs("x")).toBe(0);
  await platform.answer(false);
  expect(platform.asked).toHaveLength(0);
  expect([platform.tickets.waitMs("x"), platform.tickets.waitMs("y")]).toEqual([10_000, 0]);
  platform.now += 10_000;
  expect(platform.tickets.waitMs("x")).toBe(0);
});

test("[S20] whoever is given none waits for ten seconds, and nobody else does", async () => {
  const platform = new Platform();
  platform.say(TICKET_FRAMES);
  await platform.answer(false);

  expect([platform.tickets.take("x"), platform.tickets.take("y")]).toEqual([10_000, 0]);
  platform.now += 9_999;
  expect(platform.tickets.take("x")).toBe(1);
  platform.now += 1;
  expect(platform.say(TICKET_FRAMES)).toBe(TICKET_FRAMES);
  expect(platform.asked).toHaveLength(1);
});

test("[S20] whoever can't be counted may pass, which is logged", async () => {
  const platform = new Platform();
  platform.say(TICKET_FRAMES);
  await platform.answer(new Error("it can't count"));

  expect(platform.say(TICKET_FRAMES)).toBe(TICKET_FRAMES);
  expect(platform.problems).toHaveLength(1);
});

test("[S20] of 10,000 senders the one that said something longest ago is forgotten", async () => {
  const platform = new Platform();
  platform.say(TICKET_FRAMES);
  await platform.answer(false);
  for (let i = 0; i < 9_999; i++) platform.say(1, `other ${i}`);
  expect(platform.tickets.take("x")).toBe(10_000);
  for (let i = 0; i < 10_000; i++) platform.say(1, `other ${i}`);
  expect(platform.tickets.take("x")).toBe(0);
});

test("[S20] [M10] what is asked is one frame, and what is refused here isn't asked elsewhere", async () => {
  const platform = new Platform();
  const few = { perSecond: 1, burst: 2 };
  const limits = { messages: few, asks: few, publishes: few, replayed: few };
  const spending = new SenderSpending(limits, () => platform.now, {
    frames: platform.tickets,
    replayed: undefined,
  });
  for (let i = 0; i < TICKET_FRAMES; i++) {
    spending.take("x", "asks");
    spending.take("x", "messages");
  }
  expect(platform.asked).toHaveLength(0);
  platform.say(TICKET_FRAMES - 2);
  expect(platform.asked).toHaveLength(1);
});
