/**
 * What an origin says and is not believed: U16 and U17 of INTERNALS.md. Within what its key allows it is believed, since
 * nobody else knows better.
 */
import type { UplinkScope } from "../../../shared/config/uplink-scope.ts";
import { parseAddress } from "../../../shared/protocol/address.ts";
import { LIMITS } from "../../../shared/protocol/limits.ts";
import { endpointOf, isAboutCounts, type OriginItem } from "./origin-items.ts";

const OTHER_TOPIC = "its key may not speak for this topic";
const IMPLAUSIBLE = "an offset lies beyond the end that any log could have";

export type Disbelief = typeof OTHER_TOPIC | typeof IMPLAUSIBLE;

export function disbelief(item: OriginItem, scope: UplinkScope | undefined): Disbelief | undefined {
  if (item.update !== undefined && item.update.offset > LIMITS.plausibleOffset) return IMPLAUSIBLE;
  if (scope === undefined) return undefined;
  if (item.says?.kind === "writes") return scope.mayTopic(item.says.writing.topic) ? undefined : OTHER_TOPIC;
  const path = speaksOf(item);
  if (path === undefined) return undefined;
  const address = parseAddress(path);
  return address.ok && scope.mayTopic(address.address.topic) ? undefined : OTHER_TOPIC;
}

/** The endpoint that an item is about, if it is about one. */
function speaksOf(item: OriginItem): string | undefined {
  const { says } = item;
  if (says?.kind === "latest" || isAboutCounts(says)) return says.endpoint;
  return endpointOf(item);
}
