/** What a page tells of itself, and a clock that was slept through. */
import { beforeEach, describe, expect, test } from "vitest";
import { type Page, watchLife } from "../../../shared/client/life.ts";
import { FakeClock } from "../../support/fake-clock.ts";

class FakePage extends EventTarget implements Page {
  readonly document = Object.assign(new EventTarget(), { visibilityState: "visible" });
}

let clock: FakeClock;
let page: FakePage;
let noticed: number[];

beforeEach(() => {
  clock = new FakeClock();
  page = new FakePage();
  noticed = [];
});

const watch = () => watchLife(clock, (sleptMs) => noticed.push(sleptMs), page);

describe("[S26] what may have changed the network", () => {
  test.each(["online", "offline", "pageshow"])("%s of the window", (name) => {
    watch();
    page.dispatchEvent(new Event(name));

    expect(noticed).toEqual([0]);
  });

  test("a page that is shown, but not one that is hidden", () => {
    watch();
    page.document.visibilityState = "hidden";
    page.document.dispatchEvent(new Event("visibilitychange"));
    expect(noticed).toEqual([]);
    page.document.visibilityState = "visible";
    page.document.dispatchEvent(new Event("visibilitychange"));

    expect(noticed).toEqual([0]);
  });

  test.each(["hidden", "visible"])(
    "a %s page that is thawed, which has slept while it was frozen",
    (state) => {
      watch();
      page.document.visibilityState = state;
      page.document.dispatchEvent(new Event("resume"));
      expect(noticed).toEqual([0]);
      clock.sleptMs += 60_000;
      page.document.dispatchEvent(new Event("resume"));
      // Which it is told once, by its thaw and not by a timer, too.
      clock.pass(10_000);

      expect(noticed).toEqual([0, 59_500]);
    },
  );

  test("a sleep, though timers and their clock know nothing of it", () => {
    watch();
    clock.pass(10_000);
    expect(noticed).toEqual([]);
    clock.sleptMs += 60_000;
    clock.pass(500);
    clock.pass(10_000);

    expect(noticed).toEqual([60_000]);
  });

  test("is no timer that was a little late, and none of a page that nobody sees", () => {
    watch();
    clock.sleptMs += 1_900;
    clock.pass(1_000);
    page.document.visibilityState = "hidden";
    clock.sleptMs += 60_000;
    clock.pass(1_000);

    expect(noticed).toEqual([]);
  });

  test("is told to all that go by one clock, which share one timer, until none of them is left", () => {
    const ends = [watch(), watch()];
    expect(clock.pending).toBe(1);
    page.dispatchEvent(new Event("online"));
    expect(noticed).toEqual([0, 0]);
    ends[0]?.();
    ends[0]?.();
    page.dispatchEvent(new Event("online"));
    expect(noticed).toEqual([0, 0, 0]);
    ends[1]?.();
    page.dispatchEvent(new Event("online"));

    expect(noticed).toEqual([0, 0, 0]);
    expect(clock.pending).toBe(0);
  });
});
