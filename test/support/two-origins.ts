/** The product on the embedded log with two origins, of which one stands by, and clients may publish. */
import { afterAll, beforeAll } from "vitest";
import { eventually } from "./deadline.ts";
import { type Child, Deployment, type DeploymentSettings, FIRST_ORIGIN } from "./deployment.ts";
import type { Published } from "./publish-while.ts";
import { AUTH_ISSUERS } from "./tokens.ts";

export const PUBLISH_SECRET = "a secret of the tests of 32 bytes or more";
const SECOND_ORIGIN = "second";

interface Shard {
  readonly origin: string | null;
  readonly standbys: readonly { readonly origin: string; readonly ready: boolean }[];
}

/** For the tests of a file. */
export function twoOrigins(topics: DeploymentSettings["topics"]) {
  let deployment: Deployment;
  const origins = new Map<string, Child>();

  beforeAll(async () => {
    const settings = { topics, originEnv: { PUBLISH_SECRET }, edgeEnv: { AUTH_ISSUERS } };
    deployment = await Deployment.start(settings);
    if (deployment.origin !== undefined) origins.set(FIRST_ORIGIN, deployment.origin);
    origins.set(SECOND_ORIGIN, deployment.startOrigin(SECOND_ORIGIN));
    await standsBy(SECOND_ORIGIN);
  });
  afterAll(async () => {
    await Promise.all([...origins.values()].map((origin) => origin.stop("SIGKILL")));
    await deployment?.stop();
  });

  async function shards(): Promise<readonly Shard[]> {
    const health = await fetch(`${deployment.url}/$/health`);
    return ((await health.json()) as { shards: Shard[] }).shards;
  }

  async function standsBy(name: string): Promise<void> {
    const isReady = ({ standbys }: Shard) => standbys.some(({ origin, ready }) => origin === name && ready);
    await eventually(async () => (await shards()).every(isReady), `${name} stands by at every shard`);
  }

  /** The one that is active, and the other. */
  async function roles(): Promise<readonly [active: string, other: string]> {
    const active = (await shards())[0]?.origin ?? "";
    return [active, active === FIRST_ORIGIN ? SECOND_ORIGIN : FIRST_ORIGIN];
  }

  return {
    get deployment() {
      return deployment;
    },
    /** Kills the active origin while clients publish, as soon as the other stands by, and so on by turns. */
    async killByTurns(rounds: number, published: Published): Promise<void> {
      for (let round = 0; round < rounds; round++) {
        const [active, other] = await roles();
        await standsBy(other);
        await origins.get(active)?.stop("SIGKILL");
        await published(50);
        origins.set(active, deployment.startOrigin(active));
        await published(50);
      }
    },
    /** The one that isn't active is ready to be. */
    async areReady(): Promise<void> {
      await standsBy((await roles())[1]);
    },
  };
}
