/** What the port for operators answers, wired. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../shared/node/installation.ts";
import type { ListenAddress } from "../settings/config.ts";
import { type Health, healthOf, readinessOf } from "./health.ts";
import { type Answer, json, Listener } from "./listener.ts";
import type { Meter } from "./meter.ts";
import { MetricsRegistry } from "./registry.ts";
import type { Status } from "./status.ts";

/** @param status Called for each request; returns undefined while no origin runs. */
export async function openOperatorPort(
  address: ListenAddress,
  meter: Meter,
  status: () => Status | undefined,
): Promise<Listener> {
  const registry = new MetricsRegistry();
  const version = ownVersion();
  const health = (of: (status: Status | undefined) => Health) => () => {
    const { ok, body } = of(status());
    return json(ok ? 200 : 503, body);
  };
  const metrics = async () => {
    const body = await registry.text({ status: status(), meter, version });
    return { status: 200, contentType: registry.contentType, body };
  };
  return Listener.open(
    address,
    new Map<string, () => Answer | Promise<Answer>>([
      ["/healthz", health(healthOf)],
      ["/readyz", health(readinessOf)],
      ["/metrics", metrics],
    ]),
  );
}

function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return String(version);
}
