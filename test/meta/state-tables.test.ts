/** State tables of INTERNALS.md and PROTOCOL.md, cell by cell against the code that they describe. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Own,
  type OwnEvent,
  QUEUED,
  stepOwn,
  stepTheirs,
  type TheirEvent,
  type Theirs,
} from "../../edge/endpoint/question-states.ts";
import {
  IDLE,
  type Seeking,
  type SeekingEvent,
  stepSeeking,
  TRIES,
} from "../../edge/endpoint/seeking-states.ts";
import {
  type Subscription,
  type SubscriptionEvent,
  stepSubscription,
} from "../../edge/endpoint/subscription-states.ts";
import { type Follow, type FollowEvent, followOf, stepFollow } from "../../edge/relay/follow-states.ts";
import { type SliceEvent, type SliceState, stepSlice } from "../../edge/shard/answering/scatter.ts";
import {
  type PublishEvent,
  type PublishState,
  stepPublish,
} from "../../edge/shard/publishing/publish-states.ts";
import { type Candidate, nextActive } from "../../edge/shard/uplinks/failover.ts";
import {
  type PublicationEvent,
  type PublicationState,
  stepPublication,
} from "../../shared/client/publication-states.ts";

const textOf = (name: string) => readFileSync(join(import.meta.dirname, "../../shared", name), "utf8");
const text = textOf("INTERNALS.md");

interface Row {
  readonly name: string;
  readonly cells: readonly string[];
}

/** The rows of the table whose first column is headed so. "the same" stands for the cell above. */
function rowsOf(heading: string, within = text): readonly Row[] {
  const [, body = ""] =
    new RegExp(`^\\| ${heading} \\|.*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, "m").exec(within) ?? [];
  const rows = body
    .trim()
    .split("\n")
    .map((line) => line.slice(2, -2).split(" | "));
  return rows.map(([name = "", ...cells], i) => ({
    name,
    cells: cells.map((cell, column) => (cell === "the same" ? (rows[i - 1]?.[column + 1] ?? "") : cell)),
  }));
}

/** Where a cell leads, outcome by outcome; where it leads nowhere the state stays. */
function leadsTo(cell: string, from: string, outcomes: number): readonly string[] {
  const targets = [...cell.matchAll(/→ (\w+)/g)].map(([, target]) => target ?? "");
  return Array.from({ length: outcomes }, (_, i) => targets[i] ?? targets[0] ?? from);
}

const kindOf = ({ name }: Row) => name.split(":")[0] ?? "";

describe("[R2] an endpoint state's own question", () => {
  const states: Record<string, Own> = {
    settled: { kind: "settled" },
    due: { kind: "due" },
    asked: { kind: "asked", id: 1, from: undefined },
    held: { kind: "held", id: 1, from: undefined },
  };
  const columns: readonly OwnEvent[] = [
    { kind: "missed" },
    { kind: "asks", id: 2, from: undefined },
    { kind: "waiting" },
    { kind: "answered", more: false },
    { kind: "answered", more: true },
    { kind: "lost" },
  ];
  const rows = rowsOf("Own question");

  test("[R2] the table has every state", () => {
    expect(rows.map(kindOf)).toEqual(Object.keys(states));
  });

  test.each(rows)("[R2] $name", (row) => {
    const from = states[kindOf(row)] ?? { kind: "settled" };

    const after = columns.map((event) => stepOwn(from, event).kind);
    expect(after).toEqual(row.cells.flatMap((cell) => leadsTo(cell, from.kind, 1)));
  });
});

describe("[R2] a question for others", () => {
  const states: Record<string, Theirs> = {
    queued: QUEUED,
    asked: { kind: "asked", checked: false, id: 1 },
    held: { kind: "held", checked: false, id: 1 },
    tired: { kind: "tired", checked: false },
    stalled: { kind: "stalled" },
  };
  /** An event each, or one for each of the outcomes that a cell names. */
  const columns: readonly (readonly TheirEvent[])[] = [
    [{ kind: "asks", id: 2 }],
    [
      { kind: "waiting", hasRoom: true },
      { kind: "waiting", hasRoom: false },
    ],
    [
      { kind: "answered", steady: true },
      { kind: "answered", steady: false },
    ],
    [{ kind: "ownAnswered" }],
    [{ kind: "lost" }],
  ];
  const rows = rowsOf("Question for others");

  test("[R2] the table has every state", () => {
    expect(rows.map(kindOf)).toEqual(Object.keys(states));
  });

  test.each(rows)("[R2] $name", (row) => {
    const from = states[kindOf(row)] ?? QUEUED;

    const after = columns.map((events) => events.map((event) => stepTheirs(from, event).kind));
    expect(after).toEqual(columns.map((events, i) => leadsTo(row.cells[i] ?? "", from.kind, events.length)));
  });
});

describe("[S3] [S4] [R2] a subscription", () => {
  const at = new Map([["e", 1]]);
  const states: Record<string, Subscription> = {
    waiting: { kind: "waiting", from: at, since: 1 },
    told: { kind: "told", from: at, since: 1 },
    lagging: { kind: "lagging", from: at, since: 1 },
    live: { kind: "live", beyond: at },
  };
  const columns: readonly SubscriptionEvent[] = [
    { kind: "told" },
    { kind: "served", upTo: "live", beyond: undefined },
    { kind: "served", upTo: at },
    { kind: "recalled", from: at, since: 2 },
  ];
  const rows = rowsOf("Subscription");

  test("[S3] the table has every state", () => {
    expect(rows.map(kindOf)).toEqual(Object.keys(states));
  });

  test.each(rows)("[S3] [S4] $name", (row) => {
    const from = states[kindOf(row)] ?? { kind: "live", beyond: undefined };

    const after = columns.map((event) => stepSubscription(from, event).kind);
    expect(after).toEqual(row.cells.flatMap((cell) => leadsTo(cell, from.kind, 1)));
  });
});

describe("[M3] [M4] [M5] [M8] a subscription of a connection", () => {
  const live = { kind: "live", beyond: undefined } as const;
  const states: Record<string, Follow> = {
    none: followOf(undefined),
    asked: followOf({ id: 1, subscription: { kind: "waiting", from: undefined, since: 1 } }),
    answered: followOf({ id: 1, subscription: live }),
  };
  const columns: readonly FollowEvent[] = [
    { kind: "sub", id: 2 },
    { kind: "unsub", id: 2 },
    { kind: "ends" },
  ];
  const rows = rowsOf("Subscription of a connection");

  test("[M4] the table has every state", () => {
    expect(rows.map(kindOf)).toEqual(Object.keys(states));
  });

  test.each(rows)("[M4] [M5] $name", (row) => {
    const from = states[kindOf(row)] ?? followOf(undefined);

    const steps = columns.map((event) => stepFollow(from, event));
    expect(steps.map(({ after }) => after.kind)).toEqual(
      row.cells.flatMap((cell) => leadsTo(cell, from.kind, 1)),
    );
    expect(steps.map(({ tells }) => tells.map(({ kind }) => kind))).toEqual(
      row.cells.map((cell) => /tells: (.+)$/.exec(cell)?.[1]?.split(", ") ?? []),
    );
  });
});

describe("[L1] the search for a link", () => {
  /** With all tries but the last one, and with that. */
  const states: Record<string, readonly Seeking[]> = {
    idle: [IDLE, IDLE],
    pausing: [{ kind: "pausing" }, { kind: "pausing" }],
    asking: [1, TRIES].map((tries) => ({ kind: "asking", tries })),
    awaiting: [1, TRIES].map((tries) => ({ kind: "awaiting", tries })),
    resting: [1, TRIES].map((tries) => ({ kind: "resting", tries })),
  };
  /** An event for each of the two outcomes that a cell may name. */
  const columns: readonly (readonly SeekingEvent[])[] = [
    [
      { kind: "wanted", when: "now" },
      { kind: "wanted", when: "later" },
    ],
    [{ kind: "noted" }, { kind: "noted" }],
    [{ kind: "failed" }, { kind: "failed" }],
    [{ kind: "elapsed" }, { kind: "elapsed" }],
    [{ kind: "notNeeded" }, { kind: "notNeeded" }],
  ];
  const rows = rowsOf("Search for a link");

  test("[L1] the table has every state", () => {
    expect(rows.map(kindOf)).toEqual(Object.keys(states));
  });

  test.each(rows)("[L1] $name", (row) => {
    const from = states[kindOf(row)] ?? [];

    const after = columns.map((events) => events.map((event, i) => stepSeeking(from[i] ?? IDLE, event).kind));
    expect(after).toEqual(columns.map((_, i) => leadsTo(row.cells[i] ?? "", kindOf(row), 2)));
  });
});

describe("[N6] a slice in a scatter-gather", () => {
  const states: Record<string, SliceState<string>> = {
    missing: { kind: "missing" },
    asked: { kind: "asked" },
    skipped: { kind: "skipped" },
    answered: { kind: "answered", answer: "before" },
    released: { kind: "released" },
    pressed: { kind: "pressed" },
  };
  const answers: SliceEvent<string> = { kind: "answers", answer: "now" };
  const columns: readonly SliceEvent<string>[] = [
    answers,
    { kind: "takesTime" },
    { kind: "late" },
    { kind: "full" },
    { kind: "release" },
    { kind: "press" },
    { kind: "lost", keeps: false },
    { kind: "put" },
  ];
  /** Nobody answers who wasn't asked, or has answered. */
  const silent = ["missing", "released"];
  const rows = rowsOf("State of a slice");

  test("[N6] the table has every state", () => {
    expect(rows.map(kindOf)).toEqual(Object.keys(states));
  });

  test.each(rows)("[N6] $name", (row) => {
    const from = states[kindOf(row)] ?? { kind: "missing" };
    const events = columns.filter((event) => event !== answers || !silent.includes(from.kind));
    const cells = row.cells.slice(-events.length);

    expect(events.map((event) => stepSlice(from, event).kind)).toEqual(
      cells.flatMap((cell) => leadsTo(cell, from.kind, 1)),
    );
  });
});

describe("[U13] who takes over", () => {
  const now = 1_000_000;
  const DEADLINE_MS = 3_000;
  const past = now - DEADLINE_MS;
  const active: readonly (Candidate | undefined)[] = [
    undefined,
    { heardAt: now, unreadySince: undefined },
    { heardAt: now, unreadySince: past + 1 },
    { heardAt: now, unreadySince: past },
    { heardAt: past, unreadySince: undefined },
    { heardAt: past, unreadySince: past },
  ];
  const silent: Candidate = { heardAt: past, unreadySince: undefined };
  const ready = () => ({ heardAt: now, unreadySince: undefined });
  const unready = () => ({ heardAt: now, unreadySince: past });
  /** The longest-standing first, and which of them it is, if one takes over. */
  const standbys: readonly { readonly all: readonly Candidate[]; readonly next: number }[] = [
    { all: [silent, unready(), ready(), ready()], next: 2 },
    { all: [silent, unready(), unready()], next: 1 },
    { all: [silent, { ...silent }], next: 0 },
    { all: [], next: 0 },
  ];
  const rows = rowsOf("The active uplink");

  test("[U13] the table has every state", () => {
    expect(rows).toHaveLength(active.length);
  });

  test.each(rows.map((row, i) => [row.name, row.cells, active[i]] as const))(
    "[U13] %s",
    (_, cells, incumbent) => {
      const chosen = standbys.map(({ all }) => nextActive(incumbent, all, now, DEADLINE_MS));

      expect(chosen).toEqual(
        standbys.map(({ all, next }, i) =>
          /takes over|becomes active/.test(cells[i] ?? "") ? all[next] : undefined,
        ),
      );
      chosen.forEach((one, i) => {
        if (one !== undefined) expect(standbys[i]?.all.indexOf(one)).toBe(standbys[i]?.next);
      });
    },
  );
});

describe("[W9] a publish at a shard", () => {
  const states: Record<string, PublishState<string>> = {
    new: { kind: "new" },
    sent: { kind: "sent", to: "a" },
    doubtful: { kind: "doubtful" },
    retried: { kind: "retried", to: "a" },
  };
  const columns: readonly PublishEvent<string>[] = [
    { kind: "put", to: "b" },
    { kind: "certain" },
    { kind: "refused" },
    { kind: "notWriter" },
    { kind: "busy" },
    { kind: "unknown" },
    { kind: "lost" },
    { kind: "late" },
  ];
  const HOW = { that: "answered", "`unavailable`": "unavailable", "`unknown_outcome`": "unknown" };
  const rows = rowsOf("State of a publish");

  test("[W9] the table has every state but the last", () => {
    expect(rows.map(kindOf)).toEqual(Object.keys(states));
  });

  test.each(rows)("[W9] $name", (row) => {
    const from = states[kindOf(row)] ?? { kind: "new" };

    const after = columns.map((event) => stepPublish(from, event));
    expect(after.map(({ kind }) => kind)).toEqual(row.cells.flatMap((cell) => leadsTo(cell, from.kind, 1)));
    expect(after.map((state) => (state.kind === "over" ? state.how : undefined))).toEqual(
      row.cells.map((cell) => HOW[/over: (.+)$/.exec(cell)?.[1] as keyof typeof HOW]),
    );
  });
});

describe("[W28] a publish of a client", () => {
  const states: Record<string, PublicationState> = {
    waiting: { kind: "waiting" },
    sent: { kind: "sent", id: 1 },
    doubtful: { kind: "doubtful" },
    resent: { kind: "resent", id: 1 },
  };
  const columns: readonly PublicationEvent[] = [
    { kind: "send", id: 2 },
    { kind: "published" },
    { kind: "reused" },
    { kind: "refused" },
    { kind: "putOff" },
    { kind: "unknown" },
    { kind: "late" },
  ];
  const HOW = {
    published: "published",
    "refused, as is said": "refused",
    unsent: "unsent",
    "`unknown_outcome`": "unknown",
  };
  const rows = rowsOf("State of a client's publish", textOf("PROTOCOL.md"));

  test("[W28] the table has every state but the last", () => {
    expect(rows.map(kindOf)).toEqual(Object.keys(states));
  });

  test.each(rows)("[W28] $name", (row) => {
    const from = states[kindOf(row)] ?? { kind: "waiting" };

    const after = columns.map((event) => stepPublication(from, event));
    expect(after.map(({ kind }) => kind)).toEqual(row.cells.flatMap((cell) => leadsTo(cell, from.kind, 1)));
    expect(after.map((state) => (state.kind === "over" ? state.how : undefined))).toEqual(
      row.cells.map((cell) => HOW[/over: (.+)$/.exec(cell)?.[1] as keyof typeof HOW]),
    );
  });
});
