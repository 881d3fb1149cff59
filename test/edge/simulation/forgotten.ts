/**
 * Histories in which something was forgotten, and somebody was told that nothing is missing: as the search found them,
 * shortened, with the seeds of their chance.
 */
import { PERFECT } from "../../support/forgetful-index.ts";
import type { Forgetting, ForgettingStep } from "./forgetting.ts";

/** One origin, three, and two for each of two slices. */
const [ONE, THREE, SLICES] = [5, 3, 2];

const WINDOW = { updates: 5, ageMs: 30_000, bytes: 40_000 };
const STREAM = { start: "earliest", compacted: false, replay: 0, windowMs: 3_600_000 } as const;

/** Nothing is forgotten but what the steps say. */
function by(
  stream: Partial<Forgetting["stream"]> = {},
  memory: Partial<Forgetting["memories"][0]> = {},
): Forgetting {
  const memories = Array.from({ length: 4 }, () => ({ ...PERFECT, remembersTails: false, ...memory }));
  return { window: WINDOW, stream: { ...STREAM, ...stream }, memories };
}

const fresh = (path: number): ForgettingStep => ({ do: "subscribe", path, from: undefined });
const from = (path: number, back: number, epochs = 1): ForgettingStep => ({
  ...{ do: "subscribe", path, from: { back, epochs } },
});
const append = (path: number, epoch: number, times: number): ForgettingStep => ({
  ...{ do: "append", path, epoch, times },
});
const arrive: ForgettingStep = { do: "arrive" };

export const FORGOTTEN: readonly [title: string, ForgettingStep[], number, Forgetting][] = [
  [
    "an index had dropped all of a key when its object attached",
    [
      arrive,
      append(0, 0, 5),
      { do: "drop", who: 0, epoch: 0, keep: 0 },
      fresh(0),
      arrive,
      append(0, 0, 1),
      arrive,
      from(0, 5),
    ],
    ONE,
    by(),
  ],
  [
    "an index dropped for its age all of a key that nobody watched",
    [
      arrive,
      append(0, 0, 5),
      { do: "pass", ms: 40_000 },
      fresh(0),
      arrive,
      append(0, 0, 1),
      arrive,
      from(0, 5),
    ],
    ONE,
    by({}, { ageMs: 5_000 }),
  ],
  [
    "an object took up a key that was dropped, of a stream whose log is read again for who asks",
    [
      arrive,
      append(0, 0, 5),
      { do: "drop", who: 0, epoch: 0, keep: 0 },
      fresh(0),
      arrive,
      append(0, 0, 1),
      arrive,
      from(0, 5),
    ],
    ONE,
    by({ replay: 1_000 }),
  ],
  [
    "the index of a compacted topic was deleted, and the topic read from its end on",
    [
      arrive,
      append(0, 0, 5),
      { do: "wipe", who: 0 },
      arrive,
      fresh(0),
      arrive,
      append(0, 0, 1),
      arrive,
      from(0, 5),
    ],
    ONE,
    by({ start: "latest", compacted: true }),
  ],
  [
    "an object slept after it had taken up a key that was dropped",
    [
      ...[arrive, append(0, 0, 5), { do: "drop", who: 0, epoch: 0, keep: 0 } as const, fresh(0), arrive],
      ...[
        { do: "evict", path: 0 } as const,
        append(0, 0, 2),
        arrive,
        { do: "evict", path: 0 } as const,
        from(0, 6),
      ],
    ],
    ONE,
    by(),
  ],
  [
    "one of two slices had dropped what it held of a key",
    [
      ...[arrive, append(0, 0, 5), append(0, 1, 1), { do: "drop", who: 0, epoch: 0, keep: 0 } as const],
      ...[
        { do: "drop", who: 2, epoch: 0, keep: 0 } as const,
        fresh(0),
        arrive,
        append(0, 0, 1),
        arrive,
        from(0, 5, 3),
      ],
    ],
    SLICES,
    by(),
  ],
  [
    "one of two partitions had been dropped when the object attached",
    [
      ...[arrive, append(0, 0, 5), append(0, 1, 6), { do: "drop", who: 0, epoch: 0, keep: 0 } as const],
      ...[fresh(0), arrive, append(0, 0, 1), arrive, from(0, 5, 3)],
    ],
    ONE,
    by(),
  ],
  [
    "an origin that had dropped a key took over from one that hadn't",
    [
      ...[arrive, append(0, 0, 5), { do: "drop", who: 1, epoch: 0, keep: 0 } as const],
      ...[{ do: "drop", who: 2, epoch: 0, keep: 0 } as const, { do: "kill", who: 0 } as const, arrive],
      ...[fresh(0), arrive, append(0, 0, 1), arrive, from(0, 5)],
    ],
    THREE,
    by(),
  ],
  [
    "the log was read again, and held more than a page",
    [arrive, append(0, 0, 5), { do: "drop", who: 0, epoch: 0, keep: 0 }, from(0, 4), arrive, append(0, 0, 1)],
    ONE,
    by({ replay: 1_000 }),
  ],
  [
    "the log was read again in two partitions, and a page ended in the second",
    [append(0, 1, 3), append(0, 0, 2), { do: "wipe", who: 0 }, arrive, from(0, 2, 2), arrive],
    ONE,
    by({ replay: 1_000, start: "latest" }),
  ],
  [
    "the log was read again in a partition that the object held, and had more in another",
    [
      ...[arrive, append(0, 1, 2), { do: "drop", who: 0, epoch: 1, keep: 0 } as const, append(0, 0, 5)],
      ...[{ do: "drop", who: 0, epoch: 0, keep: 2 } as const, from(0, 1, 2), arrive],
    ],
    ONE,
    by({ replay: 1_000 }),
  ],
  [
    "the log was read again for two slices, each of which would have made the other do so anew",
    [
      ...[arrive, append(0, 1, 2), append(0, 0, 2), { do: "drop", who: 0, epoch: 0, keep: 0 } as const],
      ...[{ do: "drop", who: 1, epoch: 1, keep: 0 } as const, fresh(0), arrive, from(0, 1, 3), arrive],
    ],
    SLICES,
    by({ replay: 1_000 }),
  ],
  [
    "the next record came live between two pages of a log that was read again",
    [
      ...[arrive, fresh(0), append(0, 0, 1), arrive, { do: "kill", who: 0 } as const, append(0, 0, 4)],
      ...[{ do: "wipe", who: 0 } as const, { do: "start", who: 0 } as const],
      ...[{ do: "deliver", choice: 0, times: 8 } as const, append(0, 0, 1), arrive],
    ],
    ONE,
    by({ replay: 1_000, start: "latest" }),
  ],
  [
    "a key's records had gone from the log before an origin began to read it",
    [
      append(0, 0, 2),
      { do: "trim", epoch: 0, keep: 0 },
      { do: "wipe", who: 0 },
      arrive,
      fresh(0),
      arrive,
      append(0, 0, 1),
    ],
    ONE,
    by(),
  ],
  [
    "a page of the answer to somebody led the object on, and the next record came live before the rest",
    [
      append(0, 0, 4),
      { do: "wipe", who: 3 },
      from(0, 0, 2),
      { do: "kill", who: 0 },
      { do: "move", path: 0, times: 3 },
      { do: "deliver", choice: 0, times: 10 },
      { do: "deliver", choice: 0, times: 2 },
      { do: "deliver", choice: 0, times: 3 },
      append(0, 0, 1),
      fresh(0),
      { do: "start", who: 0 },
      arrive,
      append(0, 0, 1),
      { do: "deliver", choice: 0, times: 1 },
    ],
    191119387,
    {
      ...by({ start: "latest", replay: 1_000 }),
      memories: [{}, { records: 2 }].map((less) => ({ ...PERFECT, remembersTails: false, ...less })),
    },
  ],
  [
    "an index that had dropped what a key had at home was deleted when somebody had been told where the key lives besides",
    [
      ...[append(0, 0, 5), fresh(0), append(0, 0, 2), append(0, 1, 7)],
      { do: "deliver", choice: 0, times: 3 },
      { do: "deliver", choice: 0, times: 4 },
      { do: "trim", epoch: 1, keep: 0 },
      append(0, 0, 1),
      { do: "deliver", choice: 0, times: 4 },
      { do: "wipe", who: 0 },
      { do: "drop", who: 0, epoch: 1, keep: 0 },
      { do: "evict", path: 0 },
      arrive,
    ],
    578287493,
    by({}, { bytes: 17_000 }),
  ],
  [
    "an origin that took over lost what had been written at a key's empty home, and was asked only from where the shard knew of updates",
    [
      fresh(1),
      { do: "deliver", choice: 5, times: 3 },
      { do: "deliver", choice: 0, times: 5 },
      { do: "move", path: 0, times: 1 },
      append(1, 0, 1),
      { do: "lag", who: 0 },
      append(1, 1, 1),
      { do: "deliver", choice: 0, times: 3 },
      { do: "kill", who: 1 },
      { do: "deliver", choice: 3, times: 1 },
      { do: "trim", epoch: 1, keep: 0 },
      ...[arrive, fresh(1), arrive, { do: "start", who: 0 } as const, { do: "wipe", who: 0 } as const],
    ],
    19,
    by(),
  ],
  [
    "a record came in a partition that only a subscriber named, and the index had dropped it before the object asked",
    [
      append(0, 0, 6),
      append(1, 0, 3),
      append(0, 1, 3),
      append(0, 0, 5),
      from(1, 6),
      append(0, 0, 3),
      arrive,
      append(1, 0, 1),
      fresh(0),
      { do: "start", who: 0 },
      { do: "deliver", choice: 0, times: 1 },
    ],
    253073326,
    {
      ...by({ replay: 1_000 }),
      memories: [true, false].flatMap((remembersTails) => [
        { ...PERFECT, bytes: 60, remembersTails },
        { ...PERFECT, remembersTails: false },
      ]),
    },
  ],
];
