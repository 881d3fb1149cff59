/**
 * Real data for a first look, from the npm package vega-datasets: departures of US flights in early 2001 (US
 * Bureau of Transportation Statistics) and a week of earthquakes in early 2018 (US Geological Survey), turned
 * into records in the order in which they happened.
 */
export interface FeedRecord {
  readonly key: string;
  /** JSON. */
  readonly value: string;
}

interface Flight {
  /** Local time of the airport: `2001/01/01 00:47`. */
  readonly date: string;
  /** Minutes; below zero: early. */
  readonly delay: number;
  /** Miles. */
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

/** One record for each departure, keyed by the airport's code. @param json flights-20k.json */
export function flightRecords(json: string): readonly FeedRecord[] {
  const flights: readonly Flight[] = JSON.parse(json);
  return flights.map(({ origin, destination, delay, distance, date }) => ({
    key: origin,
    value: JSON.stringify({
      to: destination,
      delay,
      distance,
      departed: date.replaceAll("/", "-").replace(" ", "T"),
    }),
  }));
}

interface Earthquakes {
  /** Newest first. */
  readonly features: readonly {
    readonly properties: {
      readonly mag: number;
      readonly place: string;
      readonly time: number;
      readonly type: string;
    };
    /** The third is the depth in km. */
    readonly geometry: { readonly coordinates: readonly [lon: number, lat: number, depth: number] };
  }[];
}

/** One record for each earthquake, keyed by its region. @param json earthquakes.json */
export function earthquakeRecords(json: string): readonly FeedRecord[] {
  const { features }: Earthquakes = JSON.parse(json);
  // The feed has quarry blasts too.
  const quakes = features.filter(({ properties }) => properties.type === "earthquake");
  return quakes
    .toSorted((a, b) => a.properties.time - b.properties.time)
    .map(({ properties: { mag, place, time }, geometry }) => {
      const [lon, lat, depth] = geometry.coordinates;
      const value = { magnitude: mag, place, depth, time: new Date(time).toISOString(), lat, lon };
      return { key: regionOf(place), value: JSON.stringify(value) };
    });
}

/** The feed abbreviates some of its regions only sometimes. */
const REGIONS: ReadonlyMap<string, string> = new Map([
  ["CA", "California"],
  ["NV", "Nevada"],
  ["MX", "Mexico"],
]);

/** `4km W of Castaic, CA` is in `california`: a key that needs no encoding in a URL. */
export function regionOf(place: string): string {
  const last = place.slice(place.lastIndexOf(",") + 1).trim();
  const name = REGIONS.get(last) ?? last;
  return name
    .toLowerCase()
    .replaceAll(".", "")
    .replace(/[^a-z0-9]+/g, "-");
}
