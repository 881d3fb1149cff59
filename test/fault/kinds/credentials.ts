/** Credentials that are changed while origins run. */
import { doneByOthers } from "../not-injected.ts";
import { leaveAlone } from "./alone.ts";
import type { Kind } from "./kind.ts";

export const CREDENTIALS: readonly Kind[] = [
  {
    name: "password of origins changed while the others are killed",
    perTenMinutes: 6,
    lastsMs: 4_500,
    parts: ["origin", "origin-kafka"],
    missing: ({ settings }) =>
      settings.origins === 1 ? "there is one origin, which needs no password" : undefined,
    inject: async (rig, _, gone) => {
      await doneByOthers(rig.secret.change());
      for (const proxy of rig.links.brokers) proxy.cut();
      await leaveAlone(rig, ({ hasAccount }) => hasAccount, gone);
    },
  },
  {
    name: "certificates of origins and brokers renewed while the others are killed",
    perTenMinutes: 6,
    lastsMs: 9_000,
    parts: ["origin", "origin-kafka", "brokers"],
    missing: ({ settings }) =>
      settings.origins === 1 ? "there is one origin, which needs no certificate" : undefined,
    inject: async (rig, _, gone) => {
      await doneByOthers(rig.certificates.renew(rig.admin, rig.kafka.behindAccountProxies));
      for (const proxy of rig.links.brokers) proxy.cut();
      await leaveAlone(rig, ({ hasAccount }) => hasAccount, gone);
    },
  },
];
