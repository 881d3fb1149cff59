import { describe, expect, test } from "vitest";
import {
  type Place,
  REGIONS,
  type Region,
  readClient,
  readRegion,
  regionOf,
  relayCount,
  relayOf,
} from "../../../edge/relay/place.ts";

const CASES: readonly [string, Place, Region][] = [
  ["San Francisco", { continent: "NA", country: "US", longitude: "-122.4" }, "wnam"],
  ["New York", { continent: "NA", country: "US", longitude: "-74.0" }, "enam"],
  ["somewhere in Mexico", { continent: "NA", country: "MX" }, "enam"],
  ["São Paulo", { continent: "SA", country: "BR", longitude: "-46.6" }, "sam"],
  ["London", { continent: "EU", country: "GB", longitude: "-0.1" }, "weur"],
  ["Warsaw", { continent: "EU", country: "PL", longitude: "21.0" }, "eeur"],
  ["somewhere in Europe", { continent: "EU", longitude: "" }, "weur"],
  ["Dubai", { continent: "AS", country: "AE", longitude: "55.3" }, "me"],
  ["Tokyo", { continent: "AS", country: "JP", longitude: "139.7" }, "apac"],
  ["Sydney", { continent: "OC", country: "AU", longitude: "151.2" }, "oc"],
  ["the South Pole", { continent: "AN" }, "oc"],
  ["Nairobi", { continent: "AF", country: "KE", longitude: "36.8" }, "afr"],
  ["one machine", {}, "weur"],
  ["Tor", { continent: "T1", country: 7, longitude: {} }, "weur"],
];

describe("[A10] which relay a connection goes to", () => {
  test.each(CASES)("[A10] a client in %s", (_, place, region) => {
    expect(regionOf(place)).toBe(region);
  });

  test("[A10] every region is somebody's, but where nobody is there is one, too", () => {
    expect(new Set(CASES.map(([, , region]) => region))).toEqual(new Set(REGIONS));
    expect([readRegion("oc"), readRegion("nowhere"), readRegion(null)]).toEqual(["oc", undefined, undefined]);
  });

  test("[A10] the number follows from the hash alone, and every relay has its share", () => {
    const hash = (first: number) => Uint8Array.of(first, 0, 0, 7, 99);
    expect(relayOf("oc", hash(1), 4)).toBe(relayOf("oc", hash(1), 4));
    const numbers = Array.from({ length: 256 }, (_, i) => relayOf("oc", Uint8Array.of(0, 0, 0, i), 4));
    expect(new Set(numbers)).toEqual(new Set(["oc-0", "oc-1", "oc-2", "oc-3"]));
  });

  test("[M1] a client's name is some letters and digits, and anything else is none", () => {
    expect(readClient("x7Jq0c2L_r-Vw")).toBe("x7Jq0c2L_r-Vw");
    for (const text of [null, "", "a b", "ä", "x".repeat(65)]) expect(readClient(text)).toBeUndefined();
  });

  test("[A10] RELAYS is a whole number", () => {
    expect([relayCount(undefined), relayCount(""), relayCount("12")]).toEqual([1, 1, 12]);
    for (const wrong of ["0", "1.5", "many", "1001"]) expect(() => relayCount(wrong)).toThrow("RELAYS");
  });
});
