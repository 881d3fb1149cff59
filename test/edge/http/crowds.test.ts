import { describe, expect, test } from "vitest";
import { Crowds } from "../../../edge/http/crowds.ts";

const PATH = "/quotes/AAPL";

describe("[A11] crowded endpoints", () => {
  test("[A11] objects that were full aren't asked for 60 s, in the region where that was seen", () => {
    const crowds = new Crowds();
    expect(crowds.full(PATH, "weur", 0)).toBe(0);

    crowds.note(PATH, "weur", 1, 1_000);
    crowds.note(PATH, "weur", 2, 40_000);

    expect(crowds.full(PATH, "weur", 60_999)).toBe(2);
    expect(crowds.full(PATH, "oc", 60_999)).toBe(0);
    expect(crowds.full("/quotes/MSFT", "weur", 60_999)).toBe(0);
    // What was noted first counts: the endpoint's own object may long have room.
    expect(crowds.full(PATH, "weur", 61_000)).toBe(0);
  });

  test("[A11] an answer that is late doesn't lead back to objects that are known to be full", () => {
    const crowds = new Crowds();
    crowds.note(PATH, "weur", 3, 0);
    crowds.note(PATH, "weur", 1, 1);

    expect(crowds.full(PATH, "weur", 2)).toBe(3);
  });

  test("[A11] a thousand are remembered, and of more the oldest go", () => {
    const crowds = new Crowds();
    for (let i = 0; i <= 1_000; i++) crowds.note(`/quotes/${i}`, "weur", 1, i);

    expect(crowds.full("/quotes/0", "weur", 1_000)).toBe(0);
    expect(crowds.full("/quotes/1", "weur", 1_000)).toBe(1);
    expect(crowds.full("/quotes/1000", "weur", 1_000)).toBe(1);
  });
});
