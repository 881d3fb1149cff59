import { AGING } from "./aging.ts";
import { COMPACTION } from "./compaction.ts";
import { CREDENTIALS } from "./credentials.ts";
import { DELETION } from "./deletion.ts";
import { EDGES } from "./edges.ts";
import { KAFKA } from "./kafka.ts";
import type { Kind } from "./kind.ts";
import { LINK_KINDS } from "./links.ts";
import { MACHINE } from "./machine.ts";
import { OBJECTS } from "./objects.ts";
import { PROCESSES } from "./processes.ts";
import { READERS } from "./readers.ts";
import { RELAY_KINDS } from "./relays.ts";
import { SLICES } from "./slices.ts";
import { SLOW_LINES } from "./slow-lines.ts";
import { THROTTLING } from "./throttling.ts";
import { TRANSACTIONS } from "./transactions.ts";

/** Every kind of fault, in the order of the table. */
export const KINDS: readonly Kind[] = [
  ...PROCESSES,
  ...SLICES,
  ...EDGES,
  ...OBJECTS,
  ...RELAY_KINDS,
  ...LINK_KINDS,
  ...READERS,
  ...KAFKA,
  ...COMPACTION,
  ...DELETION,
  ...TRANSACTIONS,
  ...THROTTLING,
  ...SLOW_LINES,
  ...CREDENTIALS,
  ...AGING,
  ...MACHINE,
];
