/** Some of the origins have all to themselves, so that what ails them doesn't hide behind those who stand by. */
import type { OriginProcess } from "../origin-process.ts";
import type { Rig } from "../rig.ts";
import { pause } from "./kind.ts";

const ALONE_MS = 3_000;

/** The others are killed, and started again a while later. `gone`: they are killed. */
export async function leaveAlone(
  { origins }: Rig,
  those: (origin: OriginProcess) => boolean,
  gone: () => void,
): Promise<void> {
  const others = origins.filter((origin) => !those(origin));
  await Promise.all(others.map((origin) => origin.kill()));
  gone();
  if (others.length === 0) return;
  try {
    await pause(ALONE_MS);
  } finally {
    for (const origin of others) origin.start();
  }
}
