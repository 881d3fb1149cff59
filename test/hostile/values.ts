/** Records that take long to understand, and strangers that ask for them again and again. */
import { type Attack, HOSTILE_TOPIC } from "./attack.ts";

const MIB = 1024 * 1024;

export const VALUES: readonly Attack[] = [
  {
    name: "deep-value",
    row: 4,
    by: "a stranger",
    how: "40 HEADs a second of a record of 8 MiB of `[[[…]]]`",
    records: [
      { key: "deep", value: () => Buffer.concat([Buffer.alloc(4 * MIB, "["), Buffer.alloc(4 * MIB, "]")]) },
    ],
    run: (ground) =>
      ground.steadily(40, () => ground.ask({ method: "HEAD", path: `/${HOSTILE_TOPIC}/deep` })),
  },
  {
    name: "omitted-value",
    row: 5,
    by: "a stranger",
    how: "40 GETs a second of a value that is omitted, since escaped it is too large",
    records: [{ key: "escapes", value: () => Buffer.alloc(8 * MIB, 1) }],
    run: (ground) => ground.steadily(40, () => ground.ask({ path: `/${HOSTILE_TOPIC}/escapes` })),
  },
  {
    name: "omitted-headers",
    row: 5,
    by: "a stranger",
    how: "40 GETs a second of a record whose header has 1 MB",
    records: [{ key: "headers", value: () => Buffer.from('{"id":-1}'), headerBytes: 1_000_000 }],
    run: (ground) => ground.steadily(40, () => ground.ask({ path: `/${HOSTILE_TOPIC}/headers` })),
  },
];
