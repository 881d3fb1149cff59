/**
 * Which relay a connection goes to: A10 of INTERNALS.md. Pure. Its region is where its client is, as far as the platform knows;
 * which of the region's relays it is follows from the client's name, by a key that no client knows: whoever wanted to crowd one
 * relay couldn't tell which names lead there without trying.
 */

/** What the platform says of where a request came in; all of it may be missing. */
export interface Place {
  /** Two letters, as `EU`. */
  readonly continent?: unknown;
  /** Two letters, as `DE`. */
  readonly country?: unknown;
  /** Degrees, as text. */
  readonly longitude?: unknown;
}

/** Regions in which the platform can be asked to make an object. */
export const REGIONS = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"] as const;
export type Region = (typeof REGIONS)[number];

/** Where nothing is known, as on one machine. */
const ANYWHERE: Region = "weur";

/** Countries of Asia that are nearer to the region of the Middle East than to the others. */
const MIDDLE_EAST = new Set("AE BH IL IQ IR JO KW LB OM PS QA SA SY TR YE".split(" "));

/** Degrees: between the two halves of North America, and of Europe. */
const WEST_OF_AMERICA = -100;
const EAST_OF_EUROPE = 15;

export function regionOf({ continent, country, longitude }: Place): Region {
  const degrees = typeof longitude === "string" && longitude !== "" ? Number(longitude) : Number.NaN;
  switch (continent) {
    case "NA":
      return degrees < WEST_OF_AMERICA ? "wnam" : "enam";
    case "SA":
      return "sam";
    case "EU":
      return degrees > EAST_OF_EUROPE ? "eeur" : "weur";
    case "AS":
      return MIDDLE_EAST.has(String(country)) ? "me" : "apac";
    case "OC":
    case "AN":
      return "oc";
    case "AF":
      return "afr";
    default:
      return ANYWHERE;
  }
}

/** undefined if the text is no region. */
export function readRegion(text: string | null): Region | undefined {
  return REGIONS.find((region) => region === text);
}

/** @param hash Four bytes or more that follow from the client's name. */
export function relayOf(region: Region, hash: Uint8Array, relays: number): string {
  const number = new DataView(hash.buffer, hash.byteOffset).getUint32(0);
  return `${region}-${number % relays}`;
}

const CLIENT = /^[A-Za-z0-9_-]{1,64}$/;

/** The name that a client gave itself; undefined if it is none (M1). */
export function readClient(text: string | null): string | undefined {
  return text !== null && CLIENT.test(text) ? text : undefined;
}

const MOST = 1_000;
const DEFAULT = "1";

/** Throws where the number of relays isn't set as it must be. */
export function relayCount(setting: string | undefined): number {
  const relays = Number(setting || DEFAULT);
  if (!Number.isInteger(relays) || relays < 1 || relays > MOST)
    throw new Error(`RELAYS must be a whole number from 1 to ${MOST}`);
  return relays;
}
