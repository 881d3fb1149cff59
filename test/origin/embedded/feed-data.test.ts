import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { earthquakeRecords, flightRecords, regionOf } from "../../../origin/embedded/feed-data.ts";
import { endpointPath } from "../../../shared/protocol/address.ts";

const data = (name: string) =>
  readFileSync(new URL(`../data/${name}`, import.meta.resolve("vega-datasets")), "utf8");
const flights = flightRecords(data("flights-20k.json"));
const earthquakes = earthquakeRecords(data("earthquakes.json"));

describe("the data of the feed", () => {
  test("flights are keyed by the airport that they leave, in the order of their departures", () => {
    expect(flights.length).toBe(20_000);
    expect(flights[0]).toEqual({
      key: "DTW",
      value: '{"to":"LAS","delay":66,"distance":1750,"departed":"2001-01-01T00:47"}',
    });
    const departures = flights.map(({ value }) => JSON.parse(value).departed as string);
    expect(departures).toEqual(departures.toSorted());
  });

  test("one flight in twenty leaves the busiest airport, and more than 200 airports have one", () => {
    const counts = Map.groupBy(flights, ({ key }) => key);
    expect(Math.max(...Array.from(counts.values(), ({ length }) => length))).toBeGreaterThan(1_000);
    expect(counts.size).toBeGreaterThan(200);
  });

  test("earthquakes are keyed by region, oldest first, and nothing else that shakes is among them", () => {
    const first = earthquakes.find(({ key }) => key === "california");
    expect(JSON.parse(first?.value ?? "")).toEqual({
      magnitude: expect.any(Number),
      place: expect.stringMatching(/(CA|California)$/),
      depth: expect.any(Number),
      time: expect.stringMatching(/^2018-01-31T0/),
      lat: expect.any(Number),
      lon: expect.any(Number),
    });
    const times = earthquakes.map(({ value }) => JSON.parse(value).time as string);
    expect(times).toEqual(times.toSorted());
    expect(earthquakes.length).toBeGreaterThan(1_600);
    expect(earthquakes.length).toBeLessThan(1_707);
  });

  test("every key stands in a URL as it is", () => {
    for (const { key } of [...flights, ...earthquakes])
      expect(endpointPath("t", Buffer.from(key))).toBe(`/t/${key}`);
  });

  test.each([
    ["4km W of Castaic, CA", "california"],
    ["10km N of Coalinga, California", "california"],
    ["12km SSE of Mina, NV", "nevada"],
    ["8km SW of Ocotillo, MX", "mexico"],
    ["35km N of Charlotte Amalie, U.S. Virgin Islands", "us-virgin-islands"],
    ["Off the coast, of two, Papua New Guinea", "papua-new-guinea"],
    ["Reykjanes Ridge", "reykjanes-ridge"],
  ])("%j is in %s", (place, region) => {
    expect(regionOf(place)).toBe(region);
  });
});
