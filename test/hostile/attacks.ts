/** All attacks, in the order of their rows. */

import { ASKS } from "./asks.ts";
import type { Attack } from "./attack.ts";
import { CONNECTIONS } from "./connections.ts";
import { HOLDERS } from "./holders.ts";
import { MESSAGES } from "./messages.ts";
import { UNREAD } from "./unread.ts";
import { VALUES } from "./values.ts";
import { WEBSITES } from "./websites.ts";

export const ATTACKS: readonly Attack[] = [
  ...ASKS,
  ...CONNECTIONS,
  ...HOLDERS,
  ...MESSAGES,
  ...UNREAD,
  ...VALUES,
  ...WEBSITES,
].toSorted((a, b) => a.row - b.row);
