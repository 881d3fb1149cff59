/** In which region the client of a request is: A10 of INTERNALS.md. */
import { type Place, type Region, readRegion, regionOf } from "../relay/place.ts";

/** Names the region where the platform doesn't say, as on one machine. */
const REGION_HEADER = "Distributary-Region";

export function regionOfClient(request: Request): Region {
  const place = (request.cf ?? {}) as Place;
  const named = place.continent === undefined ? readRegion(request.headers.get(REGION_HEADER)) : undefined;
  return named ?? regionOf(place);
}
