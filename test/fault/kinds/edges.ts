/** What befalls one of two edges, while the other is to go on. */
import { eventually } from "../../support/deadline.ts";
import { between, oneOf, type Random } from "../random.ts";
import type { Rig } from "../rig.ts";
import { type Kind, type Late, pause } from "./kind.ts";

/** In which the other edge's subscribers have what was written meanwhile, unless more is the matter. */
const GOES_ON_MS = 100_000;
/** The same of those at the edge that was ailing, before something else ails it. */
const CAUGHT_UP_MS = 30_000;
/** From each origin to one edge: much less than what is forwarded to it. */
const BYTES_PER_SECOND = 10_000;

const missing = ({ edges }: Rig) => (edges.length < 2 ? "there is one edge" : undefined);

function secondOf({ edges }: Rig) {
  const [, second] = edges;
  if (second === undefined) throw new Error("there is one edge");
  return second;
}

/** Lasts until who comes to this edge has all that was written by then: it doesn't wait for the other one. */
export async function goesOn(rig: Rig, random: Random, edge: Rig["edge"], late: Late): Promise<void> {
  await pause(between(random, 1_000, 2_000));
  await allArrives(rig, edge, GOES_ON_MS).catch((error: Error) => late(error.message));
}

/** What was written by now comes to those who come to this edge. */
function allArrives(rig: Rig, edge: Rig["edge"], deadlineMs: number): Promise<boolean> {
  const targets = rig.targetsAt(edge);
  const hasAll = () => targets.every((target) => rig.isReached(target));
  return eventually(hasAll, "all arrives at the other edge", deadlineMs);
}

/**
 * What ails the second edge comes and goes, and the next comes when its subscribers have all: else they would be told nothing for
 * as long as one follows the other, and how late they are would say nothing of any.
 */
const ails = (
  name: string,
  lastsMs: number,
  { begin, end }: Readonly<Record<"begin" | "end", (rig: Rig) => unknown>>,
): Kind => ({
  name,
  perTenMinutes: 11,
  lastsMs,
  parts: ["second edge"],
  missing,
  inject: async (rig, random, gone, late) => {
    await begin(rig);
    try {
      await goesOn(rig, random, rig.edge, late);
    } finally {
      await end(rig);
    }
    gone();
    // What comes later, or never, shows in the end.
    await allArrives(rig, secondOf(rig), CAUGHT_UP_MS).catch(() => {});
  },
});

export const EDGES: readonly Kind[] = [
  ails("kill -9 of one of two edges", 3_500, {
    begin: (rig) => secondOf(rig).kill(),
    end: (rig) => secondOf(rig).start(),
  }),
  ails("one of two edges silent to origins", 2_000, {
    begin: ({ crews }) => {
      for (const proxy of crews.uplinksTo(1)) proxy.silence();
    },
    end: ({ crews }) => {
      for (const proxy of crews.uplinksTo(1)) proxy.speak();
    },
  }),
  ails("one of two edges slow", 2_000, {
    begin: ({ crews }) => {
      for (const proxy of crews.uplinksTo(1)) proxy.bytesPerSecondTo = BYTES_PER_SECOND;
    },
    end: ({ crews }) => {
      for (const proxy of crews.uplinksTo(1)) proxy.bytesPerSecondTo = undefined;
    },
  }),
  ails("one of two edges taken from EDGES_FILE, and back", 2_000, {
    begin: ({ crews }) => Promise.all(crews.all.map((origin) => origin.dial((edge) => edge === 0))),
    end: ({ crews }) => Promise.all(crews.all.map((origin) => origin.dial(() => true))),
  }),
  {
    name: "clients go to another edge",
    perTenMinutes: 20,
    lastsMs: 10,
    parts: ["second edge", "clients"],
    missing,
    inject: async (rig, random) => {
      const second = secondOf(rig);
      const oneAt = ({ port }: Rig["edge"]) =>
        oneOf(
          random,
          rig.links.clients.filter(({ target }) => target === port),
        );
      const [ofFirst, ofSecond] = [oneAt(rig.edge), oneAt(second)];
      ofFirst.target = second.port;
      ofSecond.target = rig.edge.port;
      for (const proxy of [ofFirst, ofSecond]) proxy.cut();
    },
  },
];
