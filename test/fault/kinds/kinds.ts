import { KAFKA } from "./kafka.ts";
import type { Kind } from "./kind.ts";
import { LINK_KINDS } from "./links.ts";
import { MACHINE } from "./machine.ts";
import { OBJECTS } from "./objects.ts";
import { PROCESSES } from "./processes.ts";
import { RANGES } from "./ranges.ts";
import { READERS } from "./readers.ts";

/** Every kind of fault, in the order of the table. */
export const KINDS: readonly Kind[] = [
  ...PROCESSES,
  ...RANGES,
  ...OBJECTS,
  ...LINK_KINDS,
  ...READERS,
  ...KAFKA,
  ...MACHINE,
];
