/** Each attack by itself, then all at once, each after a quiet stretch, on one deployment; and what came of each. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { LoadProcess, unlessInterrupted } from "../bench/load/rpc.ts";
import { servingBelow } from "../bench/proc.ts";
import type * as Deployments from "../support/deployment.ts";
import { utf8 } from "../support/deployment.ts";
import { freePort } from "../support/ports.ts";
import type { RuntimeName } from "../support/runtimes.ts";
import { AUTH_ISSUERS } from "../support/tokens.ts";
import type { Attack, Attacker, Tally, Target } from "./attack.ts";
import { HONEST_TOPIC, HOSTILE_TOPIC } from "./attack.ts";
import type { AttackerHandlers } from "./attacker.ts";
import { type Cost, costBetween, look, type Pids } from "./costs.ts";
import { Honest, type Waited } from "./honest.ts";

/** How long the product is given to put away what an attack left. */
const SETTLE_MS = 5_000;

export interface HostileSettings {
  readonly attacks: readonly Attack[];
  /** Of each attack; the quiet stretch before it takes half as long. */
  readonly seconds: number;
  /** From how many addresses attackers come. */
  readonly addresses: number;
  /** On what the edge runs. */
  readonly runtime: RuntimeName;
  /** Whether all are to come at once in the end. */
  readonly together: boolean;
  /** Whose product is attacked, by the root of its tree. */
  readonly checkout: string;
  readonly say: (line: string) => void;
}

/** What the product did, and honest clients waited for, in a stretch of time. */
export interface Stretch {
  readonly cost: Cost;
  readonly waited: Waited;
}

/** What came of one attack, or of all. */
export interface Attacked extends Stretch {
  readonly name: string;
  readonly row: number | undefined;
  readonly by: Attacker;
  readonly tally: Tally;
  /** Just before: other work on the machine comes and goes. */
  readonly quiet: Stretch;
}

export interface HostileResults {
  readonly seconds: number;
  readonly attacked: readonly Attacked[];
  readonly records: number;
  readonly closes: ReadonlyMap<number, number>;
  /** What honest clients lost, got twice, or weren't told; and processes that ended. */
  readonly wrong: readonly string[];
}

export async function hostileRun(settings: HostileSettings): Promise<HostileResults> {
  const { attacks, seconds, addresses, say } = settings;
  const { Deployment } = (await import(
    join(settings.checkout, "test/support/deployment.ts")
  )) as typeof Deployments;
  const honest = new Honest();
  const statusPort = await freePort();
  const deployment = await Deployment.start({
    topics: { [HONEST_TOPIC]: { partitions: 2 }, [HOSTILE_TOPIC]: { partitions: 1 } },
    originEnv: { STATUS_PORT: String(statusPort) },
    // Without issuers nobody would look at a token.
    edgeEnv: { AUTH_ISSUERS, RUNTIME: settings.runtime },
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
    const served = edge?.process.pid ?? 0;
    const serving = servingBelow(served);
    const pids: Pids = { origin: origin?.process.pid ?? 0, edge: [served, ...serving] };
    const target: Target = {
      ...{ url, statusPort, addresses },
      // An earlier product has one key for all.
      holder: deployment.uplinkKey?.("second"),
      standby: deployment.uplinkKey?.("third"),
    };
    await honest.begin({
      url,
      statusPort,
      produce: (topic, records) => deployment.produce(topic, records),
    });
    const stretch = async <T>(during: () => Promise<T>): Promise<Stretch & { readonly came: T }> => {
      honest.take();
      const before = look(pids);
      const came = await during();
      const cost = costBetween(before, look(pids));
      return { came, cost, waited: honest.take() };
    };
    const settle = () => sleep(Math.min(SETTLE_MS, seconds * 1_000));
    const strike = async (some: readonly Attack[], name: string): Promise<Attacked> => {
      const names = some.map((attack) => attack.name);
      const quiet = await stretch(() => unlessInterrupted(sleep((seconds * 1_000) / 2)));
      const { came, ...rest } = await stretch(() => attackers.ask("attack", { names, target, seconds }));
      await attackers.ask("leave", undefined);
      await settle();
      const [first] = some;
      const row = some.length === 1 ? first?.row : undefined;
      return { name, row, by: first?.by ?? "a stranger", tally: sum(came), quiet, ...rest };
    };

    // How far code has come to be compiled, and the first of everything, is no part of what is measured.
    await settle();
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
    const wrong = [...(await honest.end())];
    if (serving.length === 0 || String(servingBelow(served)) !== String(serving))
      wrong.push(`what serves the edge (${settings.runtime}) ended`);
    for (const child of [edge, origin])
      if (child?.exited) wrong.push(`${child.script} ended:\n${child.output.slice(-2_000)}`);
    const { records, closes } = honest;
    return { seconds, attacked, records, closes, wrong };
  } finally {
    await attackers.stop();
    await honest.leave();
    await deployment.stop();
  }
}

function sum(tallies: readonly Tally[]): Tally {
  return {
    requests: tallies.reduce((all, { requests }) => all + requests, 0),
    refused: tallies.reduce((all, { refused }) => all + refused, 0),
    held: tallies.reduce((all, { held }) => all + held, 0),
    harm: tallies.flatMap(({ harm }) => harm),
  };
}
