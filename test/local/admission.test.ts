/** Whom the gate before workerd lets in. */
import { describe, expect, test } from "vitest";
import { Admission, placesFor, wantedBy } from "../../edge/local/admission.ts";

const PLACES = { lobby: 3, all: 4, perAddress: 2, kept: 2 };

describe("places", () => {
  test.each([256, 1_024, 20_000, 1_048_576])("%i open files are enough for all that may be open", (files) => {
    const places = placesFor(files, undefined);
    if (places === undefined) throw new Error("no places");
    const { lobby, all, kept, perAddress } = places;
    // In the gate, where each that waits has one; workerd hears of no more than of those that are in.
    expect(lobby + 2 * (all + kept)).toBeLessThanOrEqual(files - 100);
    expect(perAddress).toBe(Math.ceil(all / 4));
    expect(Math.min(kept, perAddress)).toBeGreaterThan(0);
  });

  test("as many for an address as is asked for, if there are so many", () => {
    expect(placesFor(20_000, 50)?.perAddress).toBe(50);
    expect(placesFor(256, 5_000)?.perAddress).toBe(placesFor(256, undefined)?.all);
    expect(placesFor(100, undefined)).toBeUndefined();
    expect(placesFor(Number.POSITIVE_INFINITY, undefined)?.all).toBe(Number.POSITIVE_INFINITY);
  });
});

test.each([
  ["GET /$/uplink?shard=1 HTTP/1.1\r\n", "uplink"],
  ["GET /$/health HTTP/1.1\r\nHost: x", "probe"],
  ["HEAD /$/health HTTP/1.1\r\nHost", "probe"],
  ["GET /$/healthy HTTP/1.1\r\nHost: x", "any"],
  ["GET /quotes/x?/$/health HTTP/1.1", "any"],
  ["POST /$/uplink HTTP/1.1\r\nHost: x", "any"],
  ["\u0016\u0003\u0001", "any"],
])("%j wants a place for %s", (first, wanted) => {
  expect(wantedBy(first)).toBe(wanted);
});

describe("the lobby", () => {
  test("a full one loses the one that waits longest, of the address that has most waiting", () => {
    const admission = new Admission<string>(PLACES);
    expect([
      admission.enter("b1", "b"),
      admission.enter("a1", "a"),
      admission.enter("a2", "a"),
      admission.enter("a3", "a"),
    ]).toEqual([undefined, undefined, undefined, "a1"]);
    admission.leave("a1", "a");
    expect(admission.enter("a4", "a")).toBe("a2");
  });

  test("one that has been let in, or has gone, waits no more", () => {
    const admission = new Admission<string>(PLACES);
    for (const one of ["a1", "a2", "a3"]) admission.enter(one, "a");
    admission.admit("a1", "a", "any");
    admission.leave("a2", "a");
    expect([admission.enter("a4", "a"), admission.enter("a5", "a")]).toEqual([undefined, undefined]);
    expect(admission.enter("a6", "a")).toBe("a3");
  });
});

test("of the kept places, too, the address that has most of them makes room", () => {
  const admission = new Admission<string>({ ...PLACES, kept: 3 });
  admission.admit("b1", "b", "uplink");
  admission.admit("a1", "a", "probe");
  admission.admit("a2", "a", "uplink");
  expect(admission.admit("a3", "a", "uplink")).toEqual({ isIn: true, goes: "a1" });
});

describe("those that are let in", () => {
  const full = () => {
    const admission = new Admission<string>(PLACES);
    for (const one of ["a1", "a2", "b1", "b2"]) admission.admit(one, one.charAt(0), "any");
    return admission;
  };

  test("an address has no more than its share, whatever is free", () => {
    const admission = new Admission<string>(PLACES);
    const isIn = ["a1", "a2", "a3"].map((one) => admission.admit(one, "a", "any").isIn);
    expect(isIn).toEqual([true, true, false]);
    admission.leave("a3", "a");
    expect(admission.admit("a4", "a", "any").isIn).toBe(false);
    admission.leave("a1", "a");
    expect(admission.admit("a5", "a", "any").isIn).toBe(true);
  });

  test("if all places are taken, an address that has none waits too", () => {
    const admission = full();
    expect(admission.admit("c1", "c", "any").isIn).toBe(false);
    admission.leave("b2", "b");
    expect(admission.admit("c2", "c", "any").isIn).toBe(true);
  });

  test("uplinks and probes have places of their own, from whatever address", () => {
    const admission = full();
    expect(admission.admit("a3", "a", "uplink")).toEqual({ isIn: true });
    expect(admission.admit("a4", "a", "uplink")).toEqual({ isIn: true });
  });

  test("of the kept ones the oldest makes room, unless it was accepted as an uplink", () => {
    const admission = full();
    admission.admit("up1", "a", "uplink");
    admission.prove("up1", "a");
    admission.admit("x1", "a", "uplink");
    expect(admission.admit("x2", "a", "uplink")).toEqual({ isIn: true, goes: "x1" });
    admission.leave("x1", "a");
    admission.prove("x2", "a");
    expect(admission.admit("x3", "a", "uplink")).toEqual({ isIn: false });
    admission.leave("up1", "a");
    expect(admission.admit("x4", "a", "uplink")).toEqual({ isIn: true });
  });
});
