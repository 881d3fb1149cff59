/** All cases of the conformance suite, by what they are about. */
import type { Case } from "./case.ts";
import { HTTP } from "./http.ts";
import { LINKS } from "./links.ts";
import { ASLEEP, OBJECTS } from "./objects.ts";
import { SOCKETS } from "./sockets.ts";
import { STORAGE } from "./storage.ts";

/** Objects that nobody has taken out of memory. */
export const AWAKE: Readonly<Record<string, readonly Case[]>> = {
  sockets: SOCKETS,
  objects: OBJECTS,
  storage: STORAGE,
  links: LINKS,
  http: HTTP,
};

export const ALL: Readonly<Record<string, readonly Case[]>> = { ...AWAKE, "out of memory": ASLEEP };
