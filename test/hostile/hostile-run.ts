/** A quiet stretch, each attack by itself, all at once, and quiet again, on one deployment; and what came of each. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LoadProcess } from "../bench/load/rpc.ts";
import { descendants } from "../bench/proc.ts";
import type * as Deployments from "../support/deployment.ts";
import { freePort, utf8 } from "../support/deployment.ts";
import type { Attack, Attacker, Tally, Target } from "./attack.ts";
import { HONEST_TOPIC, HOSTILE_TOPIC } from "./attack.ts";
import type { AttackerHandlers } from "./attacker.ts";
import { type Cost, costBetween, look, type Pids } from "./costs.ts";
import { Honest, type Waited } from "./honest.ts";

/** How long the product is given to put away what an attack left. */
const SETTLE_MS = 5_000;

export interface HostileSettings {
  readonly attacks: readonly Attack[];
  /** Of each attack and each quiet stretch. */
  readonly seconds: number;
  /** Whether all are to come at once in the end. */
  readonly together: boolean;
  /** Whose product is attacked, by the root of its tree. */
  readonly checkout: string;
  readonly say: (line: string) => void;
}

/** What came of one attack, or of all. */
export interface Attacked {
  readonly name: string;
  readonly row: number | undefined;
  readonly by: Attacker;
  readonly tally: Tally;
  readonly cost: Cost;
  readonly waited: Waited;
}

export interface HostileResults {
  readonly seconds: number;
  /** Before the first attack. */
  readonly quiet: { readonly cost: Cost; readonly waited: Waited };
  /** After the last one. */
  readonly after: Waited;
  readonly attacked: readonly Attacked[];
  readonly records: number;
  readonly closes: ReadonlyMap<number, number>;
  /** What honest clients lost, got twice, or weren't told; and processes that ended. */
  readonly wrong: readonly string[];
}

export async function hostileRun(settings: HostileSettings): Promise<HostileResults> {
  const { attacks, seconds, say } = settings;
  const { Deployment } = (await import(
    join(settings.checkout, "test/support/deployment.ts")
  )) as typeof Deployments;
  const honest = new Honest();
  const statusPort = await freePort();
  const deployment = await Deployment.start({
    topics: { [HONEST_TOPIC]: { partitions: 2 }, [HOSTILE_TOPIC]: { partitions: 1 } },
    originEnv: { STATUS_PORT: String(statusPort) },
    before(log) {
      honest.preload(log);
      const records = new Map(attacks.flatMap((attack) => attack.records ?? []).map((one) => [one.key, one]));
      for (const { key, value, headerBytes } of records.values()) {
        const headers = headerBytes === undefined ? [] : [["pad", Buffer.alloc(headerBytes, "x")] as const];
        log.append(HOSTILE_TOPIC, [{ key: utf8(key), value: value(), headers }]);
      }
    },
  });
  const attackers = new LoadProcess<AttackerHandlers>(join(import.meta.dirname, "attacker.ts"));
  try {
    const { edge, origin, url } = deployment;
    const pids: Pids = {
      origin: origin?.process.pid ?? 0,
      edge: descendants(edge?.process.pid ?? 0, "workerd")[0] ?? 0,
    };
    const target: Target = {
      url,
      statusPort,
      // An earlier product has one key for all.
      holder: deployment.uplinkKey?.("second"),
      standby: deployment.uplinkKey?.("third"),
    };
    await honest.begin({
      url,
      statusPort,
      produce: (topic, records) => deployment.produce(topic, records),
    });
    /** How far processes have come to be compiled, and the first of everything, is no part of what is measured. */
    await sleep(Math.min(SETTLE_MS, seconds * 1_000));

    const stretch = async (during: () => Promise<Record<string, Tally>>) => {
      honest.take();
      const before = look(pids);
      const tallies = await during();
      const cost = costBetween(before, look(pids));
      return { tallies, cost, waited: honest.take() };
    };
    const strike = async (some: readonly Attack[], name: string): Promise<Attacked> => {
      const names = some.map((attack) => attack.name);
      const { tallies, ...rest } = await stretch(() => attackers.ask("attack", { names, target, seconds }));
      await attackers.ask("leave", undefined);
      await sleep(Math.min(SETTLE_MS, seconds * 1_000));
      const [first] = some;
      const only = some.length === 1 ? first : undefined;
      const by = first?.by ?? "a stranger";
      return { name, row: only?.row, by, tally: sum(Object.values(tallies)), ...rest };
    };

    say(`quiet for ${seconds} s`);
    const quiet = await stretch(() => sleep(seconds * 1_000, {}));
    const attacked: Attacked[] = [];
    for (const attack of attacks) {
      say(`${attack.name}: ${attack.how}`);
      attacked.push(await strike([attack], attack.name));
    }
    const strangers = attacks.filter(({ by }) => by === "a stranger");
    if (settings.together && strangers.length > 1) {
      say("all attacks of strangers at once");
      attacked.push(await strike(strangers, "all together"));
    }
    say(`quiet for ${seconds} s`);
    const after = await stretch(() => sleep(seconds * 1_000, {}));
    const wrong = [...(await honest.end())];
    for (const child of [edge, origin])
      if (child?.exited) wrong.push(`${child.script} ended:\n${child.output.slice(-2_000)}`);
    const { records, closes } = honest;
    return { seconds, quiet, after: after.waited, attacked, records, closes, wrong };
  } finally {
    await attackers.stop();
    await deployment.stop();
  }
}

function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce(
    (all, one) => ({
      requests: all.requests + one.requests,
      refused: all.refused + one.refused,
      held: all.held + one.held,
      harm: [...all.harm, ...one.harm],
    }),
    { requests: 0, refused: 0, held: 0, harm: [] },
  );
}
