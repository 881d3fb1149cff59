import { expect, test } from "vitest";
import { localAddresses } from "./local-addresses.ts";

const LOCAL = "http://127.0.0.1:8787";

test("clients come from where the system lets them, as long as one address has ports for all", () => {
  expect(localAddresses(LOCAL, 14_000, 2)).toEqual([undefined, undefined]);
});

test("more come from an address for each process", () => {
  expect(localAddresses(LOCAL, 14_001, 3)).toEqual(["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
});

test("another machine isn't dialled from this one's own addresses", () => {
  expect(localAddresses("http://edge.example", 30_000, 2)).toEqual([undefined, undefined]);
});
