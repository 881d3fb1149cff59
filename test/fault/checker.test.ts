/** The checker itself, against histories with known faults: what it can't see, no run can show. */
import { describe, expect, test } from "vitest";
import { check, isClean } from "./checker.ts";
import type { Happening, Logged, LoggedEpoch, WrittenLog } from "./history.ts";

const ENDPOINT = "/t/k";

/** Record n of an epoch stands at the offset 10n of it. */
function logOf(epochs: Record<string, readonly number[]>, voided: readonly string[] = []): WrittenLog {
  return new Map(
    Object.entries(epochs).map(([epoch, numbers]) => {
      const records = numbers.map((n): Logged => ({ offset: n * 10, id: idOf(epoch, n) }));
      return [
        epoch,
        { isVoid: voided.includes(epoch), isForgotten: false, records: new Map([[ENDPOINT, records]]) },
      ];
    }),
  );
}

const idOf = (epoch: string, n: number) => epoch.charCodeAt(0) * 1_000 + n;

const LOG = logOf({ "a.0": [1, 2, 3, 4, 5, 6] });
/** The topic a was deleted after record 3, and is b now. */
const REBORN = logOf({ "a.0": [1, 2, 3], "b.0": [1, 2] }, ["a.0"]);

function verdict(fields: Partial<Happening & { kind: "verdict" }>): Happening {
  return {
    kind: "verdict",
    from: undefined,
    position: "-",
    recovered: undefined,
    cause: undefined,
    written: 0,
    ...fields,
  };
}

const JOINED = verdict({ position: "a.0:10" });
const RESUMED = verdict({ from: "a.0:30", position: "a.0:30", recovered: true });

/** Updates as they must be. */
function updates(numbers: readonly number[], epoch = "a.0"): Happening[] {
  return numbers.map((n) => {
    const previous = n === 1 ? undefined : (n - 1) * 10;
    return { kind: "update", epoch, offset: n * 10, previous, id: idOf(epoch, n) };
  });
}

const judge = (happenings: readonly Happening[], log = LOG) =>
  check({ subscriber: "s", endpoint: ENDPOINT, happenings }, log);

const NOTHING = {
  lost: 0,
  duplicated: 0,
  outOfOrder: 0,
  unannouncedGaps: 0,
  holes: 0,
  foreign: 0,
  falseVerdicts: 0,
  announced: [],
};

describe("nothing is wrong where", () => {
  test.each<[string, readonly Happening[], number, WrittenLog?]>([
    ["all came since the verdict", [JOINED, ...updates([2, 3, 4, 5, 6])], 5],
    ["a subscriber came before the first record", [verdict({}), ...updates([1, 2, 3, 4, 5, 6])], 6],
    ["it resumed where it was", [JOINED, ...updates([2, 3]), RESUMED, ...updates([4, 5, 6])], 5],
    ["it resumed twice in a row", [JOINED, ...updates([2, 3]), RESUMED, RESUMED, ...updates([4, 5, 6])], 5],
    [
      "the epochs of a key came in any order among themselves",
      [verdict({}), ...updates([1]), ...updates([1, 2], "b.1"), ...updates([2]), ...updates([3], "b.1")],
      5,
      logOf({ "a.0": [1, 2], "b.1": [1, 2, 3] }),
    ],
    ["it never had a verdict, and so no right", [], 0],
  ])("%s", (_, happenings, due, log) => {
    const findings = judge(happenings, log);
    expect(findings).toMatchObject({ ...NOTHING, due, problems: [] });
    expect(isClean(findings)).toBe(true);
  });
});

describe("found is", () => {
  test.each<[string, readonly Happening[], object, WrittenLog?]>([
    [
      "a record lost in the middle",
      [JOINED, ...updates([2, 4, 5, 6])],
      { lost: 1, unannouncedGaps: 1, holes: 1 },
    ],
    ["records lost at the end", [JOINED, ...updates([2, 3, 4])], { lost: 2 }],
    ["all lost", [JOINED], { lost: 5 }],
    [
      "two gaps, one of two records",
      [JOINED, ...updates([2, 4]), ...updates([6])],
      { lost: 2, unannouncedGaps: 2, holes: 2 },
    ],
    [
      "a record lost in one of two epochs",
      [verdict({}), ...updates([1])],
      { lost: 1 },
      logOf({ "a.0": [1], "b.1": [1] }),
    ],
    ["a record that came twice", [JOINED, ...updates([2, 3, 3, 4, 5, 6])], { duplicated: 1 }],
    [
      "one that came again after a resume",
      [JOINED, ...updates([2, 3]), RESUMED, ...updates([3, 4, 5, 6])],
      { duplicated: 1 },
    ],
    ["one from before the verdict", [JOINED, ...updates([1, 2, 3, 4, 5, 6])], { duplicated: 1 }],
    ["two that were swapped", [JOINED, ...updates([2, 4, 3, 5, 6])], { outOfOrder: 1, holes: 1 }],
    [
      "one that came late, and then again",
      [JOINED, ...updates([3, 2, 2, 4, 5, 6])],
      { outOfOrder: 1, duplicated: 1, holes: 1 },
    ],
    [
      "an update that had to be asked for again",
      [
        JOINED,
        ...updates([2]),
        { kind: "hole", epoch: "a.0", offset: 40, previous: 30 },
        ...updates([3, 4, 5, 6]),
      ],
      { holes: 1 },
    ],
    [
      "a jump that the update's predecessor hides",
      [
        JOINED,
        ...updates([2]),
        { kind: "update", epoch: "a.0", offset: 40, previous: 20, id: idOf("a.0", 4) },
        ...updates([5, 6]),
      ],
      { lost: 1, unannouncedGaps: 1, foreign: 1 },
    ],
    [
      "a jump on a resume that claims to have recovered",
      [JOINED, ...updates([2, 3]), RESUMED, ...updates([5, 6])],
      { lost: 1, unannouncedGaps: 1, holes: 1 },
    ],
    [
      "a verdict that recovers from elsewhere than was asked",
      [
        JOINED,
        ...updates([2, 3]),
        verdict({ from: "a.0:30", position: "a.0:50", recovered: true }),
        ...updates([6]),
      ],
      { falseVerdicts: 1, lost: 2, unannouncedGaps: 1, holes: 1 },
    ],
    [
      "another value than was written there",
      [JOINED, ...updates([2, 3, 4, 5]), { kind: "update", epoch: "a.0", offset: 60, previous: 50, id: 7 }],
      { foreign: 1, lost: 1 },
    ],
    [
      "an update at an offset that has no record of this endpoint",
      [
        JOINED,
        ...updates([2, 3, 4, 5, 6]),
        { kind: "update", epoch: "a.0", offset: 65, previous: 60, id: 7 },
      ],
      { foreign: 1 },
    ],
    [
      "an update in an epoch that never was",
      [JOINED, ...updates([2, 3, 4, 5, 6]), ...updates([1], "z.0")],
      { foreign: 1 },
    ],
    [
      "an update before any verdict",
      [...updates([1]), JOINED, ...updates([2, 3, 4, 5, 6])],
      { falseVerdicts: 1 },
    ],
    [
      "one that asks as if it were new",
      [JOINED, ...updates([2, 3]), verdict({ position: "a.0:50" }), ...updates([6])],
      { falseVerdicts: 1, lost: 2, unannouncedGaps: 1, holes: 1 },
    ],
  ])("%s", (_, happenings, wrong, log) => {
    const findings = judge(happenings, log);
    expect(findings).toMatchObject({ ...NOTHING, ...wrong });
    expect(isClean(findings)).toBe(false);
    expect(findings.problems[0]).toMatch(/^s of \/t\/k: /);
  });
});

test("which records were lost, duplicated and late is told", () => {
  const { records } = judge([JOINED, ...updates([3, 2, 4, 4, 6])]);
  const of = (...numbers: number[]) => numbers.map((n) => idOf("a.0", n));
  expect(records).toEqual({ lost: of(5), duplicated: of(4), outOfOrder: of(2), unannouncedGaps: of(5) });
});

describe("an announced gap", () => {
  const gap = (cause: string, position: string) =>
    verdict({ from: "a.0:30", position, recovered: false, cause });
  const reset = (cause: string, position: string): Happening => ({
    kind: "reset",
    cause,
    position,
    written: 0,
  });

  test.each<[string, readonly Happening[]]>([
    ["in a verdict", [JOINED, ...updates([2, 3]), gap("horizon", "a.0:50"), ...updates([6])]],
    ["in a reset", [JOINED, ...updates([2, 3]), reset("horizon", "a.0:50"), ...updates([6])]],
  ])(
    "%s is a failure while the log still holds what was due, and its records are not lost in silence",
    (_, happenings) => {
      const findings = judge(happenings);
      expect(findings).toMatchObject({
        ...NOTHING,
        announced: [{ cause: "horizon", justification: undefined, records: 2 }],
      });
      expect(isClean(findings)).toBe(false);
    },
  );

  test("with nothing lost is a failure all the same", () => {
    const findings = judge([JOINED, ...updates([2, 3]), gap("ahead", "a.0:30"), ...updates([4, 5, 6])]);
    expect(findings).toMatchObject({
      ...NOTHING,
      announced: [{ cause: "ahead", justification: undefined, records: 0 }],
    });
    expect(isClean(findings)).toBe(false);
  });

  test("may show the latest record again", () => {
    const findings = judge([
      JOINED,
      ...updates([2, 3, 4, 5, 6]),
      reset("horizon", "a.0:50"),
      ...updates([6]),
    ]);
    expect(findings).toMatchObject({ duplicated: 0, lost: 0, due: 5 });
  });

  test.each<[string, Happening]>([
    ["in a verdict", verdict({ from: "a.0:20", position: "b.0:10", recovered: false, cause: "epoch" })],
    ["in a reset", reset("epoch", "b.0:10")],
  ])("%s is right where the topic is another one, and what follows must come", (_, announced) => {
    const due = { announced: [{ cause: "epoch", justification: "deleted", records: 2 }] };
    const whole = judge([JOINED, ...updates([2]), announced, ...updates([2], "b.0")], REBORN);
    expect(whole).toMatchObject({ ...NOTHING, ...due });
    expect(isClean(whole)).toBe(true);

    const broken = judge([JOINED, ...updates([2]), announced], REBORN);
    expect(broken).toMatchObject({ ...NOTHING, ...due, lost: 1 });
    expect(isClean(broken)).toBe(false);
  });

  test("that is missing where the topic is another one is found: what was due of the old one is lost", () => {
    expect(judge([JOINED, ...updates([2]), ...updates([1, 2], "b.0")], REBORN)).toMatchObject({ lost: 1 });
  });

  test("with cause epoch is a failure where the topic is still the same", () => {
    expect(isClean(judge([JOINED, ...updates([2, 3]), gap("epoch", "a.0:50"), ...updates([6])]))).toBe(false);
  });

  test("does not excuse what comes of the old topic after it", () => {
    const reborn = reset("epoch", "b.0:20");
    const findings = judge([JOINED, reborn, ...updates([2])], REBORN);
    expect(isClean(findings)).toBe(false);
  });
});

describe("where records vanish from the log,", () => {
  /** Of seven records 3, 4 and 5 were acknowledged and are gone; 8 nobody was told of, and it is gone, too. */
  const EATEN = eaten([1, 2, 6, 7], [3, 4, 5], [8]);
  const WHOLE = Number.POSITIVE_INFINITY;

  function eaten(
    held: readonly number[],
    gone: readonly number[],
    unheard: readonly number[] = [],
    more: Partial<LoggedEpoch> = {},
  ): WrittenLog {
    const of = (n: number): Logged => ({ offset: n * 10, id: idOf("a.0", n) });
    const vanished = gone.map((n): Logged => ({ ...of(n), vanished: true }));
    const records = [...held.map(of), ...vanished].sort((a, b) => a.offset - b.offset);
    const sent = new Map([[ENDPOINT, new Set([...held, ...gone, ...unheard].map((n) => idOf("a.0", n)))]]);
    const forgetful = { vanished, sent };
    return new Map([
      [
        "a.0",
        { isVoid: false, isForgotten: false, forgetful, records: new Map([[ENDPOINT, records]]), ...more },
      ],
    ]);
  }

  const stood = [JOINED, ...updates([2])];
  const lost = (position: string, written = WHOLE) =>
    verdict({ from: "a.0:20", position, recovered: false, cause: "horizon", written });
  const reset = (position: string, cause = "horizon"): Happening => ({
    kind: "reset",
    cause,
    position,
    written: WHOLE,
  });

  /** An update that names this record as the one before it. */
  const following = (n: number, previous: number | undefined): Happening => ({
    kind: "update",
    epoch: "a.0",
    offset: n * 10,
    previous,
    id: idOf("a.0", n),
  });

  test.each<[string, readonly Happening[], object?, WrittenLog?]>([
    ["they came before that", [JOINED, ...updates([2, 3, 4, 5, 6, 7])], { due: 6 }],
    [
      "some of them came, and the others were announced",
      [...stood, ...updates([3]), reset("a.0:50"), ...updates([6, 7])],
    ],
    ["a verdict announced them", [...stood, lost("a.0:50"), ...updates([6, 7])]],
    ["a reset announced them", [...stood, reset("a.0:50"), ...updates([6, 7])]],
    [
      "the position that is announced lies before them",
      [...stood, lost("a.0:20"), following(6, 20), ...updates([7])],
    ],
    ["nothing is left of the key, and it is told so", [...stood, lost("-")], {}, eaten([], [1, 2, 3])],
    ["a key's last records are gone, and it is told so", [...stood, lost("a.0:20")], {}, eaten([1, 2], [3])],
    [
      "they were gone before it came",
      [verdict({ written: WHOLE }), following(6, undefined), ...updates([7])],
      {},
      eaten([6, 7], [3, 4, 5]),
    ],
    [
      "only another key's vanished, which no origin can tell",
      [...stood, lost("a.0:20"), ...updates([3])],
      {},
      others(),
    ],
    ["the record that it stands at is gone", [...stood, lost("-")], {}, eaten([], [1, 2])],
    ["one that no producer heard of comes", [JOINED, ...updates([2, 3, 4, 5, 6, 7, 8])]],
    [
      "its predecessor is one that vanished unseen",
      [...stood, reset("a.0:50"), following(6, 20), ...updates([7])],
    ],
  ])("nothing is wrong where %s", (_, happenings, expected = {}, log = EATEN) => {
    const findings = judge(happenings, log);
    const { announced, ...wrong } = NOTHING;
    expect(findings).toMatchObject({ ...wrong, ...expected, problems: [] });
    expect(findings.announced.map(({ justification }) => justification)).not.toContain(undefined);
    expect(isClean(findings)).toBe(true);
  });

  function others(): WrittenLog {
    const log = eaten([1, 2, 3], []);
    const vanished: Logged[] = [{ offset: 25, id: 7, vanished: true }];
    return new Map(
      Array.from(log, ([epoch, one]) => [epoch, { ...one, forgetful: { vanished, sent: new Map() } }]),
    );
  }

  test.each<[string, readonly Happening[], object, WrittenLog?]>([
    [
      "a verdict that says recovered over them",
      [
        ...stood,
        verdict({ from: "a.0:20", position: "a.0:20", recovered: true, written: WHOLE }),
        following(6, 20),
        ...updates([7]),
      ],
      { lost: 3, unannouncedGaps: 1 },
    ],
    [
      "a live update that jumps over them",
      [...stood, following(6, 20), ...updates([7])],
      { lost: 3, unannouncedGaps: 1 },
    ],
    ["a key's last record that is gone in silence", stood, { lost: 1 }, eaten([1, 2], [3])],
    [
      "records that were announced before they were written",
      [...stood, lost("a.0:20", idOf("a.0", 4))],
      { lost: 2 },
      eaten([1, 2], [3, 4, 5]),
    ],
    [
      "a record that the log still holds, behind the gap",
      [...stood, lost("a.0:50"), ...updates([6])],
      { lost: 1 },
    ],
    ["one that came twice", [JOINED, ...updates([2, 3, 3, 4, 5, 6, 7])], { duplicated: 1 }],
    [
      "one that no producer heard of and that comes twice",
      [JOINED, ...updates([2, 3, 4, 5, 6, 7, 8, 8])],
      { duplicated: 1 },
    ],
    ["one that was never sent", [JOINED, ...updates([2, 3, 4, 5, 6, 7, 9])], { foreign: 1 }],
    [
      "another value at the offset of one that is gone",
      [
        JOINED,
        ...updates([2]),
        { kind: "update", epoch: "a.0", offset: 30, previous: 20, id: idOf("a.0", 8) },
        ...updates([4, 5, 6, 7]),
      ],
      { foreign: 1, lost: 1 },
    ],
  ])("found is %s", (_, happenings, wrong, log = EATEN) => {
    const findings = judge(happenings, log);
    expect(findings).toMatchObject(wrong);
    expect(isClean(findings)).toBe(false);
  });

  test.each<[string, Happening, WrittenLog?]>([
    ["while nothing has vanished", lost("a.0:20"), eaten([1, 2, 3], [])],
    ["while only what it had received has", lost("a.0:20"), eaten([2, 3], [1])],
    ["before anything had vanished", lost("a.0:20", 0)],
    ["with cause epoch", reset("a.0:50", "epoch")],
    ["with cause ahead", reset("a.0:50", "ahead")],
  ])("a gap is wrong %s", (_, gap, log = EATEN) => {
    expect(judge([...stood, gap], log).announced).toMatchObject([{ justification: undefined }]);
  });

  test("a gap counts what it announces as lost, once", () => {
    const { announced } = judge([...stood, lost("a.0:20"), lost("a.0:20"), ...updates([6, 7])], EATEN);
    expect(announced).toEqual([
      { cause: "horizon", justification: "vanished", records: 3 },
      { cause: "horizon", justification: "vanished", records: 0 },
    ]);
  });

  describe("or an index keeps little,", () => {
    const SHORT = new Map(
      Array.from(LOG, ([epoch, one]) => [epoch, { ...one, isForgotten: true, isShort: true }]),
    );

    test.each<[string, readonly Happening[]]>([
      ["is told so", [lost("a.0:50"), ...updates([6])]],
      [
        "is told of nothing that the index knows",
        [lost("-", idOf("a.0", 5)), following(5, undefined), ...updates([6])],
      ],
    ])("one that comes back to what it forgot is right where it %s", (_, told) => {
      const findings = check(
        { subscriber: "s", endpoint: ENDPOINT, from: "a.0:20", happenings: told },
        SHORT,
      );
      expect(findings.announced).toMatchObject([{ justification: "aged" }]);
      expect(isClean(findings)).toBe(true);
    });

    test.each<[string, number, string | undefined]>([
      ["at what a full index may have dropped by then", 2, "aged"],
      ["at the first that it must still hold", 1, undefined],
    ])("one that comes back stands %s", (_, dropped, justification) => {
      const findings = check(
        {
          subscriber: "s",
          endpoint: ENDPOINT,
          from: "a.0:20",
          happenings: [lost("a.0:50"), ...updates([6])],
        },
        LOG,
        (id, written) => written === WHOLE && id <= idOf("a.0", dropped),
      );
      expect(findings.announced).toMatchObject([{ justification }]);
    });

    test.each<[string, number, string | undefined]>([
      ["whose beginning a full index may have dropped", 1, "aged"],
      ["of which it must still hold all", 0, undefined],
    ])("one that comes back stands nowhere in an offset space of its key %s", (_, dropped, justification) => {
      const moved = logOf({ "a.0": [1, 2, 3], "b.0": [1, 2] });
      const happenings = [lost("a.0:30,b.0:20")];
      const history = { subscriber: "s", endpoint: ENDPOINT, from: "a.0:30", happenings };
      const isDropped = (id: number) => id > idOf("b.0", 0) && id <= idOf("b.0", dropped);
      expect(check(history, moved, isDropped).announced).toMatchObject([{ justification }]);
    });

    test("a record names no predecessor only where an index that is full may have dropped it", () => {
      const happenings = [JOINED, ...updates([2, 3]), following(4, undefined), ...updates([5, 6])];
      const history = { subscriber: "s", endpoint: ENDPOINT, happenings };
      expect(check(history, LOG, (id) => id <= idOf("a.0", 3))).toMatchObject({ foreign: 0 });
      expect(check(history, LOG, (id) => id <= idOf("a.0", 2))).toMatchObject({ foreign: 1 });
    });

    test("one that comes back and is told that it missed nothing has lost what does not come", () => {
      const recovered = verdict({ from: "a.0:20", position: "a.0:20", recovered: true, written: WHOLE });
      const happenings = [recovered, ...updates([6])];
      const findings = check({ subscriber: "s", endpoint: ENDPOINT, from: "a.0:20", happenings }, SHORT);
      expect(findings).toMatchObject({ lost: 3, unannouncedGaps: 1 });
    });
  });
});

test("one that comes with a past must be told of it: a verdict that is given as if it were new is found", () => {
  const happenings = [verdict({ position: "a.0:50" }), ...updates([6])];
  const findings = check({ subscriber: "s", endpoint: ENDPOINT, from: "a.0:10", happenings }, LOG);
  expect(findings).toMatchObject({ falseVerdicts: 1, lost: 4 });
});
